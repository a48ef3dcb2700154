/** `package-r sources`: connected places. `add-source` and `remove-source` are the names that the Go packageR had. */
import type { Command } from 'commander';
import type { EntriesAnswer, EntryAnswer } from '#api/entries.ts';
import type { Driver, Source, SourceTest } from '#api/sources.ts';
import type { CliContext } from '#cli/context.ts';
import { parseSubject } from '#cli/namespaces.ts';
import { collect } from '#cli/options.ts';
import { parseAssignments, splitSourcePath } from '#cli/places.ts';
import { say, show, showList, writeTime } from '#cli/show.ts';
import { printable, readSecret, readStdin, writeSize } from '#cli/terminal.ts';
import { apiPath } from '#client/client.ts';
import { PackageRError } from '#errors/error.ts';

interface ChangeOptions {
  readonly set?: readonly string[];
  readonly secret?: readonly string[];
  readonly secrets?: string;
  readonly title?: string;
  readonly rename?: string;
}

export function addSources(program: Command, context: CliContext): void {
  const sources = program
    .command('sources')
    .summary('connected places: folders, buckets')
    .description('Connected places: folders, and buckets.');
  addList(sources, context);
  addChanges(sources, context);
  addBrowsing(sources, context);
  program
    .command('add-source <name> <driver>', { hidden: true })
    .option('--set <key=value>', '', collect)
    .option('--secret <name>', '', collect)
    .option('--secrets <->')
    .option('--title <text>')
    .action((name: string, driver: string, options: ChangeOptions) => add(context, name, driver, options));
  program
    .command('remove-source <name>', { hidden: true })
    .option('--force')
    .action((name: string, options: { force?: true }) => remove(context, name, options));
}

function addList(sources: Command, context: CliContext): void {
  sources
    .command('ls')
    .description('list sources')
    .action(async () => {
      const client = await context.client();
      await showList(context, client.pages<Source>('api/v1/sources', 'sources'), {
        name: (one) => one.name,
        driver: (one) => one.driver,
        state: (one) => one.state,
        title: (one) => one.title,
      });
    });
  sources
    .command('drivers')
    .description('kinds of stores, and their options')
    .action(async () => {
      const { drivers } = await (await context.client()).get<{ drivers: Driver[] }>('api/v1/drivers');
      if (context.isJson) return await showList(context, drivers, {});
      for (const driver of drivers) context.print(writeDriver(driver));
    });
  sources
    .command('show <name>')
    .description('one source; of secrets, only that they are set')
    .action(async (name: string) => show(context, await (await context.client()).get(apiPath`api/v1/sources/${name}`)));
}

function addChanges(sources: Command, context: CliContext): void {
  const withOptions = (command: Command): Command =>
    command
      .option('--set <key=value>', 'an option of the driver; repeat', collect)
      .option('--secret <name>', 'ask for this secret; repeat', collect)
      .option('--secrets <->', 'read the secrets from stdin, as one JSON object')
      .option('--title <text>', 'what people see');
  withOptions(sources.command('add <name> <driver>'))
    .description('connect a place, and test it')
    .action((name: string, driver: string, options: ChangeOptions) => add(context, name, driver, options));
  withOptions(sources.command('update <name>'))
    .description('change options, secrets, title or name')
    .option('--rename <name>', 'another name; packages and shares keep working')
    .action(async (name: string, options: ChangeOptions) => {
      const change = {
        name: options.rename,
        title: options.title,
        options: parseAssignments(options.set),
        secrets: await readSecrets(context, options),
      };
      show(context, await (await context.client()).patch(apiPath`api/v1/sources/${name}`, change));
    });
  sources
    .command('test <name>')
    .description('say in plain words what works and how to mend what does not')
    .option('--set-cors', 'put the CORS rule that is missing on the store')
    .action((name: string, options: { setCors?: true }) => test(context, name, options));
  sources
    .command('grant <name> <member> [action...]')
    .description('let a user, group:NAME or everyone do these (list, stat, download, …; none: take all away)')
    .action(async (name: string, member: string, actions: string[]) => {
      const client = await context.client();
      const grant = { target: { kind: 'source', name }, subject: parseSubject(member) };
      if (actions.length === 0 || actions[0] === 'none') await client.call('DELETE', 'api/v1/grants', { json: grant });
      else await client.put('api/v1/grants', { ...grant, actions });
      say(context, 'Done.');
    });
  sources
    .command('rm <name>')
    .description('disconnect; nothing in the store is touched')
    .option('--force', 'even while packages point to it: those pointers stop working')
    .action((name: string, options: { force?: true }) => remove(context, name, options));
}

function addBrowsing(sources: Command, context: CliContext): void {
  sources
    .command('browse <source[/path]>')
    .description('list a folder')
    .action(async (place: string) => {
      const [name, path] = splitSourcePath(place);
      await showEntries(context, apiPath`api/v1/sources/${name}/entries/${path}`);
    });
  sources
    .command('search <source[/path]> <text>')
    .description('names that hold the text, or match it as a glob')
    .action(async (place: string, text: string) => {
      const [name, path] = splitSourcePath(place);
      await showFound(context, apiPath`api/v1/sources/${name}/search/${path}`, text);
    });
}

const entryColumns = {
  kind: (one: EntryAnswer) => one.kind,
  size: (one: EntryAnswer) => (one.size === undefined ? '' : writeSize(one.size)),
  modified: (one: EntryAnswer) => (one.modifiedAt === undefined ? '' : writeTime(one.modifiedAt)),
  path: (one: EntryAnswer) => (one.kind === 'folder' ? `${one.path ?? ''}/` : (one.path ?? one.key)),
};

/** Hits as they come. The last line tells how the search ended: a limit that was reached is said. */
export async function showFound(context: CliContext, path: string, text: string): Promise<void> {
  const client = await context.client();
  let end: string | undefined;
  const hits = async function* (): AsyncIterable<EntryAnswer> {
    for await (const line of client.lines<EntryAnswer | { readonly end: string }>('GET', path, { query: { text } })) {
      if ('end' in line) end = line.end;
      else yield line;
    }
  };
  await showList(context, hits(), entryColumns);
  if (end !== undefined && end !== 'complete') context.fail(`The search ended at its ${end}; there may be more.`);
}

/** The children of a folder, or the one file. */
export async function showEntries(context: CliContext, path: string): Promise<void> {
  const client = await context.client();
  const first = await client.get<EntriesAnswer>(path);
  if (first.entries === undefined) return await showList(context, [first.entry], entryColumns);
  await showList(context, client.pages<EntryAnswer>(path, 'entries', { limit: 1000 }), entryColumns);
}

async function add(context: CliContext, name: string, driver: string, options: ChangeOptions): Promise<void> {
  const source = {
    name,
    driver,
    title: options.title,
    options: parseAssignments(options.set),
    secrets: await readSecrets(context, options),
  };
  show(context, await (await context.client()).post('api/v1/sources', source));
  if (!context.isJson) {
    context.print('\n');
    await test(context, name);
  }
}

async function test(context: CliContext, name: string, { setCors }: { readonly setCors?: true } = {}): Promise<void> {
  const client = await context.client();
  const answer = await client.call<SourceTest>('POST', apiPath`api/v1/sources/${name}/test`, { query: { setCors } });
  if (context.isJson) context.json(answer);
  else {
    const marks = { ok: '✓', warning: '!', failed: '✗', skipped: '·' } as const;
    for (const { outcome, says, remedy, paste } of answer.checks) {
      context.print(`${marks[outcome]} ${printable(says)}\n${remedy === undefined ? '' : `  → ${printable(remedy)}\n`}`);
      for (const line of paste?.split('\n') ?? []) context.print(`      ${printable(line)}\n`);
    }
  }
  if (!answer.works) context.fail(`The source ${name} does not work as it should.`);
}

async function remove(context: CliContext, name: string, { force }: { readonly force?: true }): Promise<void> {
  await (await context.client()).delete(apiPath`api/v1/sources/${name}`, { force });
  say(context, `Disconnected ${name}.`);
}

async function readSecrets(context: CliContext, options: ChangeOptions): Promise<Record<string, string> | undefined> {
  if (options.secrets === '-') {
    try {
      return JSON.parse((await readStdin(context.terminal, 256 * 1024)).toString()) as Record<string, string>;
    } catch {
      throw new PackageRError('secret_invalid', 'What came on stdin is no JSON object of secrets.');
    }
  }
  if (options.secrets !== undefined)
    throw new PackageRError('secret_invalid', 'Secrets are not taken from the command line: --secrets - reads them from stdin.');
  if (options.secret === undefined) return undefined;
  const secrets: Record<string, string> = {};
  for (const name of options.secret) {
    if (name.includes('='))
      throw new PackageRError('secret_invalid', 'A secret is not taken from the command line; --secret NAME asks for it.');
    secrets[name] = (await readSecret(context.terminal, undefined, `${name}: `)).reveal();
  }
  return secrets;
}

function writeDriver({ kind, title, optionsSchema, secrets }: Driver): string {
  const properties = (optionsSchema['properties'] ?? {}) as Record<string, { type?: string; description?: string; default?: unknown }>;
  const required = new Set((optionsSchema['required'] ?? []) as string[]);
  const options = Object.entries(properties).map(([name, { description, default: preset }]) => {
    const note = required.has(name) ? ' (required)' : preset === undefined ? '' : ` (default ${String(preset)})`;
    return `    --set ${name}=…  ${description ?? ''}${note}\n`;
  });
  const asked = secrets.map((one) => `    --secret ${one.name}  ${one.description}${one.required ? ' (required)' : ''}\n`);
  return `${kind}  ${title}\n${options.join('')}${asked.join('')}`;
}
