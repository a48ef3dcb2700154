/**
 * The second source of the demo: a tree as a field campaign leaves it. Over 2,000 small files by station and day, a notebook, a
 * Cloud-Optimised GeoTIFF, and names that break careless tools. The same files every time.
 */
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeCog } from './cog.ts';

const stations = ['arolla', 'davos', 'zermatt'] as const;
const days = 730;

const licenceName = 'LICENSE.txt';

/** Every file, made when it is asked for. The licence comes last. */
export function* fieldFiles(): Generator<readonly [name: string, content: string | Buffer], void> {
  yield* files();
  yield [licenceName, 'Made up for the demo of packageR. CC0-1.0: do with it what you like.\n'];
}

/** Written where the licence is missing, so that a second start is quick and an interrupted first one is mended. */
export async function writeFieldData(folder: string, signal: AbortSignal): Promise<void> {
  if (await stat(join(folder, licenceName)).catch(() => undefined)) return;
  for (const [name, content] of fieldFiles()) {
    signal.throwIfAborted();
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }
}

function* files(): Iterable<[string, string | Buffer]> {
  for (const [index, station] of stations.entries()) yield* seriesOf(station, index);
  yield ['notebooks/snow-depth.ipynb', notebook()];
  yield ['elevation/alps.tif', writeCog(1024, { west: 6.5, north: 47, degrees: 2 }, elevationAt)];
  for (const name of awkwardNames) yield [`awkward/${name}`, `This file is named ${JSON.stringify(name)}.\n`];
}

/** Each breaks some tool: shells, URL decoders, globs, XML, line formats, sorting by UTF-16. */
export const awkwardNames: readonly string[] = [
  'a space and two  spaces.txt',
  ' leading space.txt',
  '-rf.txt',
  '100%25 sure.txt',
  'plus+and&ampersand.txt',
  'question?mark#hash.txt',
  'brackets[1]{a,b}.txt',
  `quotes "double" and 'single'.txt`,
  'dollar$HOME`and`ticks;ls.txt',
  'back\\slash.txt',
  'Zürich – Höhe.txt',
  '日本/東京の雪.txt',
  'Ελλάδα.txt',
  'snow ❄ and 🏔.txt',
  'CON.txt',
];

/** One CSV a day: 24 hours of temperature and snow depth. */
function* seriesOf(station: string, index: number): Iterable<[string, string]> {
  const random = makeRandom(index + 1);
  let depth = 20 + index * 15;
  for (let day = 0; day < days; day++) {
    const date = new Date(Date.UTC(2024, 0, 1 + day)).toISOString().slice(0, 10);
    const season = Math.cos((day / 365.25) * 2 * Math.PI);
    const lines = ['time,temperature_c,snow_depth_cm'];
    for (let hour = 0; hour < 24; hour++) {
      const temperature = -8 * season + 4 * Math.sin(((hour - 8) / 24) * 2 * Math.PI) + 4 * (random() - 0.5) - index * 2;
      depth = Math.max(0, depth + (temperature < 0 ? random() * 0.6 : -temperature * 0.08));
      lines.push(`${date}T${String(hour).padStart(2, '0')}:00:00Z,${temperature.toFixed(1)},${depth.toFixed(1)}`);
    }
    yield [
      `stations/${station}/${date.slice(0, 4)}/${date.slice(5, 7)}/${station}_${date.replaceAll('-', '')}.csv`,
      `${lines.join('\n')}\n`,
    ];
  }
}

function elevationAt(x: number, y: number): number {
  const ridge = Math.sin(x / 83) + Math.cos(y / 61) + 0.5 * Math.sin((x + y) / 29) + 0.25 * Math.cos((x - 2 * y) / 13);
  return Math.round(128 + 44 * ridge);
}

/** mulberry32: the same numbers everywhere. */
function makeRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function notebook(): string {
  const source = (text: string): string[] => text.split(/(?<=\n)/);
  const cells = [
    {
      cell_type: 'markdown',
      id: 'intro',
      metadata: {},
      source: source('# Snow depth by station\n\nReads the daily files and plots the mean depth.\n'),
    },
    {
      cell_type: 'code',
      id: 'read',
      execution_count: 1,
      metadata: {},
      outputs: [{ name: 'stdout', output_type: 'stream', text: ['3 stations, 2190 days\n'] }],
      source: source(
        "import csv, glob\n\ndepths = {}\nfor path in sorted(glob.glob('stations/*/*/*/*.csv')):\n    with open(path) as f:\n        rows = list(csv.DictReader(f))\n    station = path.split('/')[1]\n    depths.setdefault(station, []).append(sum(float(r['snow_depth_cm']) for r in rows) / len(rows))\nprint(len(depths), 'stations,', sum(map(len, depths.values())), 'days')\n",
      ),
    },
  ];
  const metadata = { kernelspec: { display_name: 'Python 3', language: 'python', name: 'python3' }, language_info: { name: 'python' } };
  return `${JSON.stringify({ cells, metadata, nbformat: 4, nbformat_minor: 5 }, null, 1)}\n`;
}
