/** `package-r get LINK [PATH…]`: fetches what a share holds, in parallel, goes on where it stopped, and checks every file. */
import type { Command } from 'commander';
import type { CliContext } from '#cli/context.ts';
import { parseInteger } from '#cli/options.ts';
import { confirm, printable, readSecret, writeSize } from '#cli/terminal.ts';
import { asError, PackageRError } from '#errors/error.ts';
import type { ManifestLine } from '#model/manifest.ts';
import { isWithin, type Path, parsePath } from '#model/path.ts';
import { type FetchOutcome, fetchFile } from './fetch-file.ts';
import { Progress } from './progress.ts';
import { type LinkQuestions, ShareLink } from './share-link.ts';

interface GetOptions {
  readonly output: string;
  readonly jobs: number;
  readonly tries: number;
  readonly dryRun?: true;
  readonly overwrite?: true;
  readonly password?: string;
  readonly acceptTerms?: true;
}

interface GetResult {
  files: number;
  bytes: number;
  verified: number;
  sizeOnly: number;
  present: number;
  failed: { path: string; code: string; message: string }[];
}

export function addGet(program: Command, context: CliContext): void {
  program
    .command('get')
    .summary('fetch what a link holds, verified and resumable')
    .description(
      'Fetches the files of a share into a folder, in parallel. A second run fetches only what is missing and goes on where the first one\nstopped. Every file is checked against the checksum that the manifest states; where there is none, its size is checked and counted apart.',
    )
    .argument('<link>', 'the link that you were given: https://host/s/…')
    .argument('[path...]', 'only these files and folders')
    .option('-o, --output <folder>', 'where to put the files', '.')
    .option('-j, --jobs <n>', 'files at once', parseInteger(1, 64), 8)
    .option('--tries <n>', 'tries without progress before a file is given up', parseInteger(1, 100), 8)
    .option('--dry-run', 'list what would be fetched, and stop')
    .option('--overwrite', 'replace files that differ from those of the share')
    .option('--password <->', 'read the password of the share from stdin')
    .option('--accept-terms', 'accept the terms of the share without being asked')
    .addHelpText('after', '\nExamples:\n  package-r get https://host/s/ID -o data\n  package-r get https://host/s/ID data/2024 README.md\n')
    .action(async (link: string, paths: string[], options: GetOptions) => {
      await get(
        context,
        link,
        paths.map((path) => parsePath(path.replace(/\/$/, ''))),
        options,
      );
    });
}

async function get(context: CliContext, text: string, only: readonly Path[], options: GetOptions): Promise<void> {
  const link = ShareLink.parse(text, { token: context.token(), signal: context.signal });
  const lines = link.manifest(questionsOf(context, options));
  if (options.dryRun === true) return await listOnly(context, lines, only);
  const progress = new Progress(context.terminal, { quiet: context.isQuiet });
  const result: GetResult = { files: 0, bytes: 0, verified: 0, sizeOnly: 0, present: 0, failed: [] };
  try {
    await fetchAll(context, link, select(lines, only), options, progress, result);
  } finally {
    progress.close();
  }
  report(context, result, only);
}

async function* select(lines: AsyncIterable<ManifestLine>, only: readonly Path[]): AsyncIterable<ManifestLine> {
  for await (const line of lines) {
    if (only.length === 0 || only.some((folder) => isWithin(line.path, folder))) yield line;
  }
}

/**
 * The manifest is read first, and kept, since a connection held open over hours would break; a million lines take some hundred
 * megabytes.
 */
async function fetchAll(
  context: CliContext,
  link: ShareLink,
  lines: AsyncIterable<ManifestLine>,
  options: GetOptions,
  progress: Progress,
  result: GetResult,
): Promise<void> {
  const queue: ManifestLine[] = [];
  for await (const line of lines) {
    queue.push(line);
    progress.totals.bytes += line.size;
  }
  progress.totals.files = queue.length;
  result.files = queue.length;
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let line = queue[next++]; line !== undefined && !context.signal.aborted; line = queue[next++]) {
      await fetchOne(context, link, line, options, progress, result);
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, worker));
  if (context.signal.aborted) throw new PackageRError('cancelled', 'Stopped; the same line goes on from here.');
}

async function fetchOne(
  context: CliContext,
  link: ShareLink,
  line: ManifestLine,
  options: GetOptions,
  progress: Progress,
  result: GetResult,
): Promise<void> {
  let counted = 0;
  try {
    const outcome: FetchOutcome = await fetchFile(link, line, {
      folder: options.output,
      overwrite: options.overwrite === true,
      tries: options.tries,
      signal: context.signal,
      onBytes(count) {
        counted += count;
        progress.totals.doneBytes += count;
      },
    });
    progress.totals.doneFiles++;
    result.bytes += line.size;
    if (outcome === 'present') result.present++;
    else if (outcome === 'verified') result.verified++;
    else result.sizeOnly++;
  } catch (error) {
    if (context.signal.aborted) return;
    const { code, message } = asError(error);
    progress.totals.doneBytes -= counted;
    progress.totals.failed++;
    result.failed.push({ path: line.path, code, message });
    if (!context.isQuiet) progress.say(`${line.path}: ${message}`);
  }
}

function report(context: CliContext, result: GetResult, only: readonly Path[]): void {
  result.failed.sort((a, b) => (a.path < b.path ? -1 : 1));
  if (context.isJson) context.json(result);
  else {
    const parts = [
      `${result.files} files, ${writeSize(result.bytes)}`,
      `${result.verified} verified`,
      ...(result.sizeOnly > 0 ? [`${result.sizeOnly} by size only (no checksum known)`] : []),
      ...(result.present > 0 ? [`${result.present} already there`] : []),
    ];
    context.print(`${parts.join(' · ')}\n`);
    if (result.failed.length > 0) {
      context.print(`\n${result.failed.length} failed:\n${result.failed.map((one) => `  ${printable(one.path)}  ${one.code}\n`).join('')}`);
    }
  }
  if (result.files === 0 && only.length > 0) throw new PackageRError('not_found', 'The share holds nothing of that name.');
  if (result.failed.length > 0) context.fail(`${result.failed.length} of ${result.files} files failed; the same line tries them again.`);
}

async function listOnly(context: CliContext, lines: AsyncIterable<ManifestLine>, only: readonly Path[]): Promise<void> {
  let files = 0;
  let bytes = 0;
  for await (const line of select(lines, only)) {
    files++;
    bytes += line.size;
    if (context.isJson) context.json({ path: line.path, size: line.size, checksums: line.checksums });
    else context.print(`${String(line.size).padStart(14)}  ${printable(line.path)}\n`);
  }
  if (!context.isJson) context.print(`${files} files, ${writeSize(bytes)}\n`);
}

function questionsOf(context: CliContext, options: GetOptions): LinkQuestions {
  let asked = 0;
  return {
    async password(wrong) {
      if (options.password !== undefined && asked++ > 0) return undefined;
      if (wrong) context.terminal.stderr.write('The password is wrong.\n');
      return await readSecret(context.terminal, options.password, 'Password of the share: ');
    },
    async accept(terms) {
      if (options.acceptTerms === true) return true;
      context.terminal.stderr.write(`The owner asks you to accept these terms:\n\n${terms.split('\n').map(printable).join('\n')}\n\n`);
      return await confirm(context.terminal, 'Do you accept them?', false);
    },
  };
}
