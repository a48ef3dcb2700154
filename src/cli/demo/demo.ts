/** `package-r demo`: a server with two sources, a curated package, a share, and the lines to paste. A second start keeps everything. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import type { CreatedToken, SignedIn } from '#api/access.ts';
import type { PastedLine, PublicShare } from '#api/links.ts';
import type { Version } from '#api/packages.ts';
import type { CliContext, RunningServer } from '#cli/context.ts';
import { curateDemo, demoPackage } from '#cli/demo/curate.ts';
import { writeFieldData } from '#cli/demo/field-data.ts';
import { apiPath, Client } from '#client/client.ts';
import { ClientError } from '#client/error.ts';
import { PackageRError } from '#errors/error.ts';
import { actions } from '#model/actor.ts';

/** What a second start needs, in `<data>/demo.json`, 0600. */
interface Kept {
  readonly admin: { readonly name: string; readonly password: string };
  readonly token: string;
}

export function addDemo(program: Command, context: CliContext): void {
  program
    .command('demo')
    .summary('start with data to play with')
    .description(
      'Starts a server on http://127.0.0.1:8080 with two sources of real and made-up data, a frozen package and a share, and prints lines to\npaste into another terminal. PORT and DATA_DIR are honoured. Ctrl-C stops it; a second start keeps everything.',
    )
    .action(async () => {
      const loaded = await context.loadConfig({
        dataDir: program.opts<{ dataDir?: string }>().dataDir ?? context.env['DATA_DIR'] ?? 'demo-data',
        'log.level': 'warn',
      });
      await context.serve(loaded, (server) => present(context, server, loaded.config.dataDir));
    });
}

async function present(context: CliContext, server: RunningServer, dataDir: string): Promise<void> {
  if (!context.isJson) context.terminal.stderr.write('preparing the demo …\n');
  const kept = await signIn(server, join(dataDir, 'demo.json'));
  const client = new Client({ base: new URL(`${server.url}/`), token: kept.token, signal: context.signal });
  const fieldFolder = join(dataDir, 'demo', 'field');
  await writeFieldData(fieldFolder, context.signal);
  const { share, version } = await curateDemo(client, { vega: vegaFolder(), field: fieldFolder });
  const answer = {
    url: server.url,
    admin: kept.admin,
    token: kept.token,
    share: share.url,
    package: demoPackage,
    version: version.number,
    digest: version.digest,
  };
  if (context.isJson) context.json(answer);
  else {
    const { lines } = await server.client.get<PublicShare>(apiPath`s/${share.id}/api`);
    context.print(writeWelcome(answer, lines, share.warning));
  }
}

/** The folder of the npm package `vega-datasets`; undefined where it is not installed. */
function vegaFolder(): string | undefined {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('vega-datasets')), '..', 'data');
  } catch {
    return undefined;
  }
}

/** Signs in with the password of the first start, or goes on with what an earlier start kept. */
async function signIn(server: RunningServer, path: string): Promise<Kept> {
  const before = readKept(path);
  const works = before !== undefined && (await isAccepted(server, before.token));
  if (before !== undefined && works) return before;
  const admin = server.admin === undefined ? before?.admin : { name: server.admin.name, password: server.admin.password.reveal() };
  if (admin === undefined) {
    throw new PackageRError(
      'unauthenticated',
      `${path} is missing: this data folder was not made by the demo. Choose another one with DATA_DIR.`,
    );
  }
  const stranger = new Client({ base: new URL(`${server.url}/`) });
  const session = await stranger.post<SignedIn>('api/v1/login', admin);
  const client = new Client({ base: new URL(`${server.url}/`), token: session.token });
  const { token } = await client.post<CreatedToken>('api/v1/tokens', { name: 'demo', actions, expiresIn: 365 * 86_400 });
  await client.post('api/v1/logout');
  const kept = { admin, token };
  const part = `${path}.part`;
  writeFileSync(part, `${JSON.stringify(kept, null, 2)}\n`, { mode: 0o600 });
  renameSync(part, path);
  return kept;
}

function readKept(path: string): Kept | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Kept;
  } catch {
    return undefined;
  }
}

async function isAccepted(server: RunningServer, token: string): Promise<boolean> {
  try {
    await new Client({ base: new URL(`${server.url}/`), token }).get('api/v1/me');
    return true;
  } catch (error) {
    if (error instanceof ClientError && error.status === 401) return false;
    throw error;
  }
}

interface Answer {
  readonly url: string;
  readonly admin: { readonly name: string; readonly password: string };
  readonly share: string;
  readonly package: string;
  readonly version: Version['number'];
  readonly digest: string;
}

/** How people get a client that they do not have; curl is everywhere. */
const installs: Readonly<Record<PastedLine['client'], string>> = {
  curl: 'curl alone',
  wget: 'wget (apt install wget, brew install wget)',
  aria2: 'aria2 (apt install aria2, brew install aria2)',
  rclone: 'rclone (apt install rclone, brew install rclone)',
};

function writeWelcome(
  { url, admin, share, package: name, version, digest }: Answer,
  lines: readonly PastedLine[],
  warning?: string,
): string {
  const pasted = lines.map(({ client, line }) => `  ${installs[client]}:\n    ${line}\n`);
  return `
packageR is at   ${url}
sign in as       ${admin.name}
password         ${admin.password}

The package ${name}@${version} is frozen:
${digest}

Its share, for whoever has the link:

    ${share}

Paste one of these into another terminal, in an empty folder.

${pasted.join('\n')}
  packageR’s own, which goes on where it stopped and checks every file:
    bin/package-r get ${share} -o snow
${warning === undefined ? '' : `\n${warning}\n`}
Ctrl-C stops; a second start keeps everything.
`;
}
