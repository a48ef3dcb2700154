/** `package-r get`: fetches what a link holds, or what pointer files name; in parallel, resumable, every file checked. */

import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import type { Command } from 'commander';
import type { CliContext } from '#cli/context.ts';
import { parseInteger } from '#cli/options.ts';
import { printable, writeSize } from '#cli/terminal.ts';
import { PackageRError } from '#errors/error.ts';
import { randomId } from '#model/clock.ts';
import { type Path, parsePath, root } from '#model/path.ts';
import type { Batch } from './batch.ts';
import { type FetchResult, fetchAll } from './fetch-all.ts';
import { fileFault } from './file-fault.ts';
import { openManifestBatch } from './manifest-batch.ts';
import { findBases, openPointerBatch, pointerSuffix, walkPointers } from './pointer-batch.ts';
import { Progress } from './progress.ts';
import { addQuestions, type QuestionOptions, questionsOf, tokenFor } from './questions.ts';
import { type LinkQuestions, ShareLink } from './share-link.ts';

interface GetOptions extends QuestionOptions {
  readonly output?: string;
  readonly pointers?: string;
  readonly jobs: number;
  readonly tries: number;
  readonly dryRun?: true;
  readonly overwrite?: true;
  /** Of all verbs. */
  readonly server?: string;
}

const description = `Fetches the files of a share into a folder, in parallel. A second run fetches only what is missing and goes on where the first one
stopped. Every file is checked against the checksum that the manifest states; where there is none, its size is checked and counted apart.

Instead of a link, .pointer files may be named: each is exchanged for its file, beside it. With --pointers all pointers of an unpacked
folder are replaced by their files; what points to another link than the others is left alone.`;

const examples = `
Examples:
  package-r get https://host/s/ID -o data
  package-r get https://host/s/ID data/2024 README.md
  package-r get scene.tif.pointer
  package-r get --pointers unpacked
`;

export function addGet(program: Command, context: CliContext): void {
  const command = program
    .command('get')
    .summary('fetch what a link holds, verified and resumable')
    .description(description)
    .argument('[link]', 'the link that you were given, https://host/s/…, or a .pointer file')
    .argument('[path...]', 'only these files and folders; or more .pointer files')
    .option('-o, --output <folder>', 'where to put the files (default: here; for pointers: beside them)')
    .option('--pointers <folder>', 'replace every pointer in this folder by its file')
    .option('-j, --jobs <n>', 'files at once', parseInteger(1, 64), 8)
    .option('--tries <n>', 'tries without progress before a file is given up', parseInteger(1, 100), 8)
    .option('--dry-run', 'list what would be fetched, and stop')
    .option('--overwrite', 'replace files that differ from those of the share');
  addQuestions(command)
    .addHelpText('after', examples)
    .action(async (link: string | undefined, paths: string[], _options: unknown, self: Command) => {
      await get(context, { link, paths, options: self.optsWithGlobals<GetOptions>() });
    });
}

interface Asked {
  readonly link: string | undefined;
  readonly paths: readonly string[];
  readonly options: GetOptions;
}

async function get(context: CliContext, asked: Asked): Promise<void> {
  const { options } = asked;
  try {
    const batch = await openBatch(context, asked);
    try {
      if (options.dryRun === true) await list(context, batch);
      else await run(context, batch, options);
      if (batch.files === 0 && asked.paths.length > 0) throw new PackageRError('not_found', 'The share holds nothing of that name.');
    } finally {
      await batch.close();
    }
  } catch (error) {
    if (context.signal.aborted) throw stopped();
    throw error;
  }
}

function openBatch(context: CliContext, asked: Asked): Promise<Batch> {
  const { link, paths, options } = asked;
  if (options.pointers !== undefined) return openPointerFolder(context, { ...asked, pointers: options.pointers });
  if (link === undefined) throw new PackageRError('argument_invalid', 'Give the link of a share, .pointer files, or --pointers FOLDER.');
  if (!/^https?:/i.test(link) && link.endsWith(pointerSuffix)) return openPointerFiles(context, [link, ...paths], options);
  return openLink(context, { ...asked, link });
}

async function openLink(context: CliContext, { link: text, paths, options }: Asked & { readonly link: string }): Promise<Batch> {
  const { link, path } = ShareLink.parse(text, linkOptions(context, options, true));
  const given = paths.map((one) => parsePath(one.replace(/\/$/, '')));
  const only: readonly Path[] = path === root ? given : [path, ...given];
  await link.open(questionsOf(context, options));
  const folder = options.output ?? '.';
  const spoolFolder = options.dryRun === true ? tmpdir() : folder;
  await mkdir(spoolFolder, { recursive: true }).catch((error) => {
    throw fileFault(error);
  });
  return await openManifestBatch({ link, only, folder, spoolFolder, id: randomId() });
}

async function openPointerFiles(context: CliContext, files: readonly string[], options: GetOptions): Promise<Batch> {
  const odd = files.find((file) => !file.endsWith(pointerSuffix));
  if (odd !== undefined) throw new PackageRError('argument_invalid', `${JSON.stringify(odd)} is no .pointer file.`);
  const questions = questionsOf(context, options);
  const linkOf = (base: string): Promise<ShareLink> => openBase(base, linkOptions(context, options, false), questions);
  return await openPointerBatch({ files: () => files, linkOf, folder: options.output, replace: false });
}

async function openPointerFolder(context: CliContext, { link, paths, pointers, options }: Asked & { pointers: string }): Promise<Batch> {
  if (options.output !== undefined || paths.length > 0)
    throw new PackageRError(
      'argument_invalid',
      'With --pointers the files take the place of their pointers: neither -o nor paths go with it.',
    );
  const questions = questionsOf(context, options);
  const given = link === undefined ? undefined : ShareLink.parse(link, linkOptions(context, options, true)).link;
  await given?.open(questions);
  const bases = given === undefined ? await findBases(pointers, 2) : [];
  if (bases.length > 1)
    throw new PackageRError(
      'argument_invalid',
      'The pointers belong to more than one link: name the one that you trust before --pointers.',
    );
  const linkOf = async (base: string): Promise<ShareLink> => {
    if (given === undefined) return await openBase(base, linkOptions(context, options, false), questions);
    if (!given.isOf(base)) throw new PackageRError('pointer_invalid', 'It belongs to another link.');
    return given;
  };
  return await openPointerBatch({ files: () => walkPointers(pointers), linkOf, folder: undefined, replace: true });
}

async function openBase(base: string, options: Parameters<typeof ShareLink.parse>[1], questions: LinkQuestions): Promise<ShareLink> {
  const { link } = ShareLink.parse(`${base}/`, options);
  await link.open(questions);
  return link;
}

function linkOptions(context: CliContext, { tries, server }: GetOptions, isTyped: boolean): Parameters<typeof ShareLink.parse>[1] {
  return { tokenFor: tokenFor(context, server, isTyped), tries, signal: context.signal };
}

async function run(context: CliContext, batch: Batch, options: GetOptions): Promise<void> {
  const progress = new Progress(context.terminal, { quiet: context.isQuiet });
  const { jobs, tries, overwrite = false } = options;
  const result = await fetchAll(batch, { jobs, tries, overwrite, signal: context.signal, progress }).finally(() => progress.close());
  if (context.signal.aborted) throw stopped();
  report(context, batch, result);
}

function stopped(): PackageRError {
  return new PackageRError('cancelled', 'Stopped. The same line goes on from here.');
}

function report(context: CliContext, { collisions }: Batch, result: FetchResult): void {
  const { failed, failures, files, untried } = result;
  failed.sort((a, b) => (a.path < b.path ? -1 : 1));
  if (context.isJson) context.json({ ...result, collisions });
  else {
    const parts = [
      `${files} files, ${writeSize(result.bytes)}`,
      `${result.verified} verified`,
      ...(result.sizeOnly > 0 ? [`${result.sizeOnly} by size only (no checksum known)`] : []),
      ...(result.present > 0 ? [`${result.present} already there`] : []),
      ...(untried > 0 ? [`${untried} not tried`] : []),
    ];
    context.print(`${parts.join(' · ')}\n`);
    if (failures > 0) {
      const rest = failures > failed.length ? `  and ${failures - failed.length} more\n` : '';
      context.print(`\n${failures} failed:\n${failed.map((one) => `  ${printable(one.path)}  ${one.code}\n`).join('')}${rest}`);
    }
    warnOfCollisions(context, collisions);
  }
  if (failures + untried > 0) context.fail(`${failures + untried} of ${files} files are missing; the same line tries them again.`);
}

async function list(context: CliContext, batch: Batch): Promise<void> {
  for await (const { name, line, wanted } of batch.items()) {
    const problem = wanted instanceof Error ? { error: { code: wanted.code, message: wanted.message } } : {};
    if (context.isJson) context.json({ path: name, size: line.size, checksums: line.checksums, ...problem });
    else context.print(`${String(line.size).padStart(14)}  ${printable(name)}\n`);
    if (context.terminal.stdout.writableNeedDrain) await drained(context);
  }
  if (context.isJson) return;
  context.print(`${batch.files} files, ${writeSize(batch.bytes)}\n`);
  warnOfCollisions(context, batch.collisions);
}

async function drained({ terminal, signal }: CliContext): Promise<void> {
  await new Promise<void>((resolve) => {
    terminal.stdout.once('drain', resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  if (signal.aborted) throw stopped();
}

function warnOfCollisions({ terminal, isQuiet }: CliContext, collisions: readonly string[]): void {
  if (collisions.length === 0 || isQuiet) return;
  const shown = collisions
    .slice(0, 5)
    .map((name) => `  ${printable(name)}\n`)
    .join('');
  const what = `${collisions.length} names differ from another one only in case or Unicode form; some disks take them for one:`;
  terminal.stderr.write(`${what}\n${shown}`);
}
