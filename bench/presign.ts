/**
 * `presign`: temporary URLs for GET from the keys of a file, on one core, under a frozen clock. Ours is what the s3 driver does for every
 * exchange, with its checks. Each side is a process of its own on core 1. A peer that is slow signs fewer of the same keys, which are of
 * five shapes in turn: short, long, UTF-8, reserved characters, deep.
 *
 * The URLs of `aws-sdk-js` must be ours byte for byte; those of the others once their parameters are sorted, and without the two that
 * only the JavaScript SDK (X-Amz-Content-Sha256) or only AWS's newer SDKs (x-id) have. Flags: --keys N.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Bench, Done, Peer } from './bench.ts';
import { bucket, credentials, instant, region } from './presign/setting.ts';
import { isOnPath, runCommand, SideProcess } from './processes.ts';

const folder = mkdtempSync(join(tmpdir(), 'package-r-presign-'));
const cache = fileURLToPath(new URL('../.cache/bench/', import.meta.url));
const goBinary = join(cache, 'presign-go');
const boto3 = join(cache, 'boto3');
const core = 1;
/** Keys that a peer signs in one run: about two seconds of work. */
const shares = { ours: 1_000_000, 'aws-sdk-js': 20_000, 'go-sdk': 200_000, boto3: 20_000 };
let ours: SideProcess | undefined;
let sdk: SideProcess | undefined;
let keys: readonly string[] = [];

function makeKey(index: number): string {
  const shapes = [
    `obs-${index}.nc`,
    `sentinel-2-l2a/products/2026/11/23/T32TQM/S2B_MSIL2A_20261123T101010_N0511_R022_T32TQM_${index}/GRANULE/IMG_DATA/R10m/B04.tif`,
    `données/日本/été ${index}/emoji-😀.txt`,
    `a b+c#d%e=f[1]:@/${index}?x&y`,
    `l0/l1/l2/l3/l4/l5/l6/l7/l8/l9/l10/l11/l12/part-${index}.parquet`,
  ];
  return shapes[index % shapes.length] as string;
}

function fileOf(count: number): string {
  const file = join(folder, `keys-${count}`);
  if (!existsSync(file))
    writeFileSync(
      file,
      keys
        .slice(0, count)
        .map((key) => `${key}\n`)
        .join(''),
    );
  return file;
}

const environment = { AWS_ACCESS_KEY_ID: credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey, PYTHONPATH: boto3 };
const python = fileURLToPath(new URL('./presign/presign.py', import.meta.url));
const commands = { 'go-sdk': [goBinary], boto3: ['python3', python] } as const;

async function runPeer(peer: keyof typeof commands, count: number, mode: 'measure' | 'print'): Promise<string> {
  const [command, ...args] = commands[peer];
  const output = join(folder, `${peer}-${mode}`);
  const how = mode === 'print' ? [mode] : [];
  await runCommand(command, [...args, fileOf(count), '1', bucket, region, instant, ...how], { env: environment, output, core });
  return readFileSync(output, 'utf8');
}

function commandPeer(name: keyof typeof commands, missing: () => string | undefined): Peer {
  const work = async (): Promise<Done> => {
    const { units, seconds, cpu } = JSON.parse(await runPeer(name, shares[name], 'measure')) as Required<Done>;
    return { units, seconds, cpu };
  };
  return { work, missing };
}

/** The same grant however its parameters are ordered. */
function sorted(url: string): string {
  const [path, query = ''] = url.split('?');
  return `${path}?${query.split('&').sort().join('&')}`;
}

async function urlsOf(side: SideProcess | undefined, form: string): Promise<string[]> {
  await side?.run('write', form);
  return readFileSync(join(folder, form), 'utf8').trimEnd().split('\n');
}

function compareUrls(peer: string, our: readonly string[], their: readonly string[], count: number): void {
  if (our.length < count || their.length !== count) throw new Error(`${peer} signed ${their.length} of ${count} keys.`);
  const index = their.findIndex((url, at) => url !== our[at]);
  if (index !== -1) throw new Error(`The URLs of ${peer} differ from ours: ${their[index]} and ${our[index]}`);
}

function openside(module: string): SideProcess {
  return new SideProcess(new URL(`./presign/${module}`, import.meta.url), { args: [fileOf(keys.length), folder], core });
}

/** Hashing alone, by OpenSSL: SHA-256 of a canonical request, and one HMAC. */
function opensslLimit(): number {
  const rate = (bytes: number, ...args: string[]): number => {
    const told = execFileSync('openssl', ['speed', '-mr', '-seconds', '1', '-bytes', String(bytes), ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return Number(/^\+F:.*:([\d.]+)$/m.exec(told)?.[1]) / bytes;
  };
  return 1 / (1 / rate(350, '-evp', 'sha256') + 1 / rate(150, '-hmac', 'sha256'));
}

export const presign: Bench = {
  name: 'presign',
  unit: 'URLs',
  measure: 'cpu',
  async prepare({ keys: count = String(shares.ours) }) {
    keys = Array.from({ length: Number(count) }, (_, index) => makeKey(index));
    mkdirSync(cache, { recursive: true });
    if (isOnPath('go')) {
      const cwd = fileURLToPath(new URL('./presign/go/', import.meta.url));
      await runCommand('go', ['build', '-o', goBinary, '.'], { cwd }).catch((error: Error) => console.error(error.message));
    }
    ours = openside('ours.ts');
    sdk = openside('aws-sdk-js.ts');
  },
  async verify() {
    const like = async (form: 'sdk' | 'go' | 'boto3') => urlsOf(ours, form);
    compareUrls('aws-sdk-js', await like('sdk'), await urlsOf(sdk, 'theirs'), Math.min(10_000, keys.length));
    const count = Math.min(1000, keys.length);
    const lines = async (peer: keyof typeof commands) => (await runPeer(peer, count, 'print')).trimEnd().split('\n').map(sorted);
    if (existsSync(goBinary)) compareUrls('go-sdk', (await like('go')).map(sorted), await lines('go-sdk'), count);
    if (existsSync(boto3)) compareUrls('boto3', (await like('boto3')).map(sorted), await lines('boto3'), count);
  },
  ours: async () => (ours as SideProcess).run('sign', String(shares.ours)),
  peers: {
    'aws-sdk-js': { work: async () => (sdk as SideProcess).run('sign', String(shares['aws-sdk-js'])) },
    'go-sdk': commandPeer('go-sdk', () => (existsSync(goBinary) ? undefined : 'install Go')),
    boto3: commandPeer('boto3', () => (existsSync(boto3) ? undefined : 'pip install --target .cache/bench/boto3 boto3==1.44.5')),
  },
  limits: () => (isOnPath('openssl') ? { openssl: opensslLimit() } : {}),
  notes: () => [
    `aws-sdk-js ${versionOf('@aws-sdk/s3-request-presigner')}, go-sdk service/s3 v1.107.0, boto3 1.44.5`,
    `keys in one run: ${Object.entries(shares)
      .map(([side, count]) => `${side} ${count}`)
      .join(', ')}`,
  ],
  async close() {
    await Promise.all([ours?.close(), sdk?.close()]);
    rmSync(folder, { recursive: true, force: true });
  },
};

function versionOf(name: string): string {
  const manifest = readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
