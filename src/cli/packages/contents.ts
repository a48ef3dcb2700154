/** `packages add, put, cat, mkdir, mv, cp, rm, meta`: every one is a step of the draft, and can be undone. */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { type Command, Option } from 'commander';
import type { Job } from '#api/jobs.ts';
import type { Edit } from '#api/packages.ts';
import type { CliContext } from '#cli/context.ts';
import { followJob } from '#cli/job.ts';
import { collect, parseSize } from '#cli/options.ts';
import { entryPath, packagePath } from '#cli/packages/reference.ts';
import { parseAssignments, splitSourcePath } from '#cli/places.ts';
import { say, show } from '#cli/show.ts';
import { printable } from '#cli/terminal.ts';
import type { Query } from '#client/client.ts';
import { PackageRError } from '#errors/error.ts';
import { parseInstant } from '#model/duration.ts';

interface AddOptions {
  readonly to: string;
  readonly strip?: string;
  readonly glob?: string;
  readonly match?: string;
  readonly where?: readonly string[];
  readonly minSize?: number;
  readonly maxSize?: number;
  readonly modifiedAfter?: string;
  readonly modifiedBefore?: string;
  readonly rename?: string;
  readonly list?: string;
  readonly onConflict?: string;
  readonly copyTexts?: true;
  readonly create?: true;
  readonly detach?: true;
}

export function addContents(packages: Command, context: CliContext): void {
  addAdd(packages, context);
  addTexts(packages, context);
  addMoves(packages, context);
}

function conflictOption(): Option {
  return new Option('--on-conflict <policy>', 'where a file of that name is there: keep makes “name (1).ext”').choices([
    'refuse',
    'skip',
    'replace',
    'keep',
  ]);
}

function addAdd(packages: Command, context: CliContext): void {
  packages
    .command('add <package> <source[/path]...>')
    .description('annex objects of a source: pointers are added, no byte is copied. Adding the same again changes nothing.')
    .option('--to <folder>', 'folder of the package', '')
    .option('--strip <folder>', 'folder of the source that is left out of the new paths (default: the given one)')
    .option('--glob <pattern>', 'only what matches, below the given folder: **/*.tif')
    .option('--match <expression>', 'only what matches this RE2 expression; names its parts: (?P<date>\\d{8})')
    .option('--where <condition>', 'on a named part: tile=32TMS, date>=20240101; repeat', collect)
    .option('--min-size <size>', 'from this size on', parseSize)
    .option('--max-size <size>', 'up to this size', parseSize)
    .option('--modified-after <instant>', 'from this instant on')
    .option('--modified-before <instant>', 'before this instant')
    .option('--rename <template>', 'new paths: {path}, {name}, {ext} and named parts: {tile}/{date}.{ext}')
    .option('--list <file>', 'only these: CSV with a head, or one JSON object a line; “-” for stdin')
    .addOption(conflictOption())
    .option('--copy-texts', 'copy small texts (README, notebooks) into the package instead of pointing to them')
    .option('--create', 'make the package if it is not there')
    .option('--detach', 'do not wait; `jobs watch` follows')
    .action(async (reference: string, places: string[], options: AddOptions) => {
      const client = await context.client();
      if (options.create === true) {
        await client.post('api/v1/packages', { reference }).catch((error: { code?: string }) => {
          if (error.code !== 'exists') throw error;
        });
      }
      const path = `${packagePath(reference)}/annex`;
      const job =
        options.list === undefined
          ? await client.post<Job>(path, selectionOf(places, options))
          : await client.call<Job>('POST', path, { query: listQuery(places, options), ...(await openList(context, options.list)) });
      if (options.detach === true) return show(context, job);
      showAnnex(context, await followJob(context, job.id));
    });
}

/** What was done, in a sentence; all figures with --json. */
function showAnnex(context: CliContext, result: Readonly<Record<string, unknown>>): void {
  if (context.isJson) {
    context.json(result);
    return;
  }
  const count = (name: string): number => Number(result[name] ?? 0);
  const told = {
    removed: 'replaced',
    skipped: 'skipped',
    unchanged: 'there already',
    texts: 'copied as texts',
    unnamable: 'with keys that are no path',
    missing: 'missing',
  };
  const more = Object.entries(told).flatMap(([name, what]) => (count(name) > 0 ? [`, ${count(name)} ${what}`] : []));
  say(context, `Step ${count('step')}: ${count('added')} added of ${count('seen')} seen${more.join('')}.`);
  const examples = Array.isArray(result['examples']) ? result['examples'] : [];
  for (const example of examples) context.print(`  ${printable(typeof example === 'string' ? example : JSON.stringify(example))}\n`);
}

/** All places lie in one source; folders and files may be mixed. */
function selectionOf(places: readonly string[], options: AddOptions): unknown {
  const split = places.map(splitSourcePath);
  const source = split[0]?.[0] ?? '';
  if (split.some(([name]) => name !== source))
    throw new PackageRError('argument_invalid', 'All places of one “add” lie in one source; run it once a source.');
  const paths = split.map(([, path]) => path);
  const isWhole = paths.length === 1;
  return {
    source,
    select: {
      ...(isWhole ? { folder: paths[0] } : { paths }),
      glob: options.glob,
      match: options.match,
      where: options.where?.map(parseCondition),
      minSize: options.minSize,
      maxSize: options.maxSize,
      modifiedAfter: writeInstant(options.modifiedAfter),
      modifiedBefore: writeInstant(options.modifiedBefore),
    },
    to: options.to,
    strip: options.strip,
    rename: options.rename,
    onConflict: options.onConflict,
    copyTexts: options.copyTexts,
  };
}

function writeInstant(text: string | undefined): string | undefined {
  return text === undefined ? undefined : new Date(parseInstant(text)).toISOString();
}

/** `tile=32TMS`, `date>=20240101`, `tile in 32TMS,32TNS`. */
function parseCondition(text: string): { group: string; op: string; value: string | string[] } {
  const match = /^\s*([A-Za-z_]\w*)\s*(<=|>=|=|<|>|\sin\s)\s*(.*)$/.exec(text);
  if (match === null)
    throw new PackageRError(
      'argument_invalid',
      `The condition ${JSON.stringify(text)} is not of the form part=value, part>=value or part in a,b.`,
    );
  const [, group = '', operator = '', value = ''] = match;
  const op = operator.trim();
  return { group, op, value: op === 'in' ? value.split(',').map((one) => one.trim()) : value };
}

function listQuery(places: readonly string[], options: AddOptions): Query {
  const [source, folder] = splitSourcePath(places[0] ?? '');
  if (places.length !== 1 || folder !== '')
    throw new PackageRError('argument_invalid', 'With --list, name the source alone: its keys are in the list.');
  return { source, to: options.to, onConflict: options.onConflict, copyTexts: options.copyTexts === true ? 'true' : undefined };
}

/** The list as it comes, and what it is: CSV, or one JSON object a line, which shows by its first character. */
async function openList(context: CliContext, file: string): Promise<{ body: ReadableStream<Uint8Array>; contentType: string }> {
  const input: Readable = file === '-' ? context.terminal.stdin : createReadStream(file);
  const chunks = input[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const first = await chunks.next();
  const start = first.done === true ? Buffer.alloc(0) : Buffer.from(first.value);
  const whole = async function* (): AsyncIterable<Buffer> {
    yield start;
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value;
  };
  const contentType = start.toString('latin1').trimStart().startsWith('{') ? 'application/x-ndjson' : 'text/csv';
  return { body: Readable.toWeb(Readable.from(whole())) as unknown as ReadableStream<Uint8Array>, contentType };
}

function addTexts(packages: Command, context: CliContext): void {
  packages
    .command('put <package> <path> [file]')
    .description(
      'put a file, or stdin with “-”; without a file, the path names one here too. A text of at most 1 MiB is kept in the package, anything else goes to the upload source of the namespace and is annexed.',
    )
    .option('--if-match <sha256>', 'only if the text there has this SHA-256')
    .action(async (reference: string, path: string, file: string | undefined, { ifMatch }: { ifMatch?: string }) => {
      const body = file === '-' ? Readable.from(context.terminal.stdin) : await openFile(file ?? path);
      const headers = ifMatch === undefined ? {} : { 'if-match': `"${ifMatch}"` };
      const client = await context.client();
      const edit = await client.call<Edit>('PUT', entryPath(reference, path), {
        body: Readable.toWeb(body) as unknown as ReadableStream<Uint8Array>,
        contentType: 'application/octet-stream',
        headers,
      });
      showEdit(context, edit);
    });
  packages
    .command('cat <package> <path>')
    .description('write a text, or a small object of a text type, to stdout')
    .action(async (reference: string, path: string) => {
      const response = await (await context.client()).send('GET', entryPath(reference, path), { query: { content: true } });
      for await (const chunk of response.body ?? []) context.terminal.stdout.write(chunk);
    });
  packages
    .command('mkdir <package> <folder>')
    .description('make an empty folder in the draft')
    .action((reference: string, path: string) => edit(context, reference, { operation: 'mkdir', path }));
}

/** Open already, so that a file that is not there is told before anything is sent. */
async function openFile(path: string): Promise<Readable> {
  return (await open(path)).createReadStream({ highWaterMark: 262_144 });
}

function addMoves(packages: Command, context: CliContext): void {
  for (const [verb, operation, what] of [
    ['mv', 'move', 'move or rename'],
    ['cp', 'copy', 'copy (pointers and texts, no bytes of objects)'],
  ] as const) {
    packages
      .command(`${verb} <package> <from...>`)
      .usage('[options] <package> <from...> <to>')
      .description(`${what} files and folders; the last path is where to: an existing folder (or one ending in “/”) takes them in`)
      .addOption(conflictOption())
      .action(async (reference: string, paths: string[], { onConflict }: { onConflict?: string }) => {
        const to = paths.pop() ?? '';
        if (paths.length === 0) throw new PackageRError('argument_invalid', 'Name what, and where to.');
        await edit(context, reference, {
          operation,
          from: paths.map(trimmed),
          to: trimmed(to),
          onConflict,
        });
      });
  }
  packages
    .command('rm <package> <path...>')
    .description('take files and folders out of the draft; frozen versions keep them')
    .action((reference: string, paths: string[]) => edit(context, reference, { operation: 'remove', paths: paths.map(trimmed) }));
  packages
    .command('meta <package> [path...]')
    .description('set or remove metadata of entries')
    .option('--set <key=value>', 'repeat', collect)
    .option('--unset <key>', 'repeat', collect)
    .option('--glob <pattern>', 'instead of paths: all that match')
    .action(async (reference: string, paths: string[], options: { set?: string[]; unset?: string[]; glob?: string }) => {
      const patch = { ...parseAssignments(options.set), ...Object.fromEntries((options.unset ?? []).map((key) => [key, null])) };
      const selection = options.glob === undefined ? { paths: paths.map(trimmed) } : { glob: options.glob };
      await edit(context, reference, { operation: 'meta', ...selection, patch });
    });
}

function trimmed(path: string): string {
  return path.replace(/\/$/, '');
}

/** One step. Large ones are jobs, which are followed. */
async function edit(context: CliContext, reference: string, step: Readonly<Record<string, unknown>>): Promise<void> {
  const answer = await (await context.client()).post<Edit | Job>(`${packagePath(reference)}/steps`, step);
  if ('state' in answer) show(context, await followJob(context, answer.id));
  else showEdit(context, answer);
}

function showEdit(context: CliContext, answer: Edit): void {
  if (context.isJson) context.json(answer);
  const skipped = answer.skipped > 0 ? `, ${answer.skipped} skipped` : '';
  const unchanged = answer.unchanged > 0 ? `, ${answer.unchanged} unchanged` : '';
  say(context, `Step ${answer.step}: ${answer.added} added, ${answer.removed} removed${skipped}${unchanged}.`);
}
