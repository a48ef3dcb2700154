/**
 * A PostgreSQL of the tests’ own: Debian’s programs in a temporary folder, on a socket there, so that nothing of the machine is touched. Its
 * texts sort as people sort them, so that an order by bytes must be asked for.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { Client } from 'pg';
import { Secret } from '#model/secret.ts';
import { requireComponent } from './component.ts';

export interface PostgresServer {
  readonly folder: string;
  /** Of its first database; reached by the socket, as the owner. */
  readonly url: string;
  /** The postmaster. */
  readonly pid: number;
  /** Ends it at once, as a power cut would, or with another signal. */
  end(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same data. */
  start(): Promise<void>;
  /** Runs statements in the first database. */
  run(...statements: string[]): Promise<Record<string, unknown>[]>;
  /** Ends it and removes the folder. */
  stop(): Promise<void>;
}

const versionsFolder = '/usr/lib/postgresql';

/** Debian keeps the programs of the server beside the PATH. */
function findPrograms(): void {
  let versions: string[];
  try {
    versions = readdirSync(versionsFolder).sort((a, b) => Number(b) - Number(a));
  } catch {
    return;
  }
  const path = process.env['PATH'] ?? '';
  const [newest] = versions;
  if (newest !== undefined && !path.includes(versionsFolder))
    process.env['PATH'] = `${path}${delimiter}${join(versionsFolder, newest, 'bin')}`;
}

/** False, loudly, where it is not installed; an error where CI=true. */
export function hasPostgres(name: string): boolean {
  findPrograms();
  return requireComponent(name, { command: 'initdb', install: 'apt-get install postgresql' });
}

/** The server refuses to be root: then it is the user that Debian made for it. */
function identity(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  for (const name of ['postgres', 'nobody']) {
    const line = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .find((one) => one.startsWith(`${name}:`));
    if (line !== undefined) return { uid: Number(line.split(':')[2]), gid: Number(line.split(':')[3]) };
  }
  throw new Error('there is no user that PostgreSQL could run as');
}

/** `settings`: of postgresql.conf. `prepare` is told the folder of the data before the first start. */
export async function startPostgres(
  settings: Readonly<Record<string, string>> = {},
  prepare: (data: string, own: (path: string) => void) => void = () => undefined,
): Promise<PostgresServer> {
  findPrograms();
  const who = identity();
  const folder = mkdtempSync(join(tmpdir(), 'package-r-pg-'));
  const own = (path: string): void => {
    if (who.uid !== undefined && who.gid !== undefined) chownSync(path, who.uid, who.gid);
  };
  const data = join(folder, 'data');
  const sockets = join(folder, 's');
  own(folder);
  for (const one of [data, sockets]) {
    mkdirSync(one, { mode: 0o700 });
    own(one);
  }
  const env = { PATH: process.env['PATH'], LANG: 'C.UTF-8', HOME: folder };
  const locale = ['--encoding=UTF8', '--locale=C.UTF-8', '--locale-provider=icu', '--icu-locale=en-US'];
  execFileSync('initdb', ['-D', data, '-U', 'owner', '--auth=trust', '--no-sync', ...locale], { ...who, cwd: folder, env, stdio: 'pipe' });
  prepare(data, own);
  // A killed process loses nothing without fsync, only a machine would.
  const all = { unix_socket_directories: sockets, listen_addresses: '', fsync: 'off', max_connections: '200', ...settings };
  const args = ['-D', data, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  const port = settings['port'] ?? '5432';
  const url = `postgres://owner@socket.invalid/postgres?host=${encodeURIComponent(sockets)}&port=${port}`;
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    const started = spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'postgres', ...args], {
      ...who,
      cwd: folder,
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child = started;
    let log = '';
    started.stderr?.on('data', (chunk) => {
      log = (log + chunk).slice(-10_000);
    });
    for (;;) {
      try {
        await run('select 1');
        return;
      } catch {
        if (started.exitCode !== null || started.signalCode !== null) throw new Error(`PostgreSQL did not start:\n${log}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  async function end(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  async function run(...statements: string[]): Promise<Record<string, unknown>[]> {
    const client = new Client({ host: sockets, port: Number(port), user: 'owner', database: 'postgres' });
    client.on('error', () => undefined);
    await client.connect();
    try {
      let rows: Record<string, unknown>[] = [];
      for (const statement of statements) rows = (await client.query(statement)).rows;
      return rows;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  process.once('exit', () => {
    child?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  await start();
  return {
    folder,
    url,
    get pid() {
      return child?.pid ?? 0;
    },
    start,
    end,
    run,
    async stop() {
      await end('SIGINT');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface TemporarySchema {
  readonly url: Secret;
  readonly name: string;
  remove(): Promise<void>;
}

/** A place for one state in the database of `url`, beside others. */
export async function makeSchema(url: string): Promise<TemporarySchema> {
  const name = `t_${randomUUID().replaceAll('-', '').slice(0, 16)}`;
  const host = new URL(url).searchParams.get('host') ?? '';
  const run = async (statement: string): Promise<void> => {
    const client = new Client({ host, user: 'owner', database: 'postgres' });
    await client.connect();
    try {
      await client.query(statement);
    } finally {
      await client.end();
    }
  };
  await run(`create schema ${name}`);
  return {
    name,
    url: Secret.parse(`${url}&options=${encodeURIComponent(`-c search_path=${name}`)}`),
    remove: () => run(`drop schema ${name} cascade`),
  };
}
