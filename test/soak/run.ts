/** `npm run soak`: the long forms of what `npm test` does in short. Its usage says which; exit 1 where anything was wrong. */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { hasPostgres, startPostgres } from '#testing/postgres.ts';
import { crash } from '../crash/crash.ts';
import { crashWhole } from '../crash/whole.ts';
import { startRadosgw } from '../support/stores/radosgw.ts';
import { startSeaweedfs } from '../support/stores/seaweedfs.ts';
import { startVersitygw } from '../support/stores/versitygw.ts';
import { soak } from './soak.ts';
import { total } from './tally.ts';

const starters = { radosgw: startRadosgw, seaweedfs: startSeaweedfs, versitygw: startVersitygw };
const stores = Object.keys(starters);

const usage = `npm run soak -- [--minutes 30] [--store ${stores.join('|')}]
  A long session of mixed load on a real store, each answer checked: a series of samples, and a line of totals.
npm run soak -- --crash 1000 [--seed 1]
  Kills that many processes at other points of their work each time, and a tenth as many that restore or copy a
  whole state, and looks at what they leave. The seed that is printed repeats a run.
npm run soak -- --races 20
  Tries the properties of races and chaos so many times as often as npm test does. A failure prints seed and path:
  PACKAGE_R_SEED=… PACKAGE_R_PATH=… npm test -- FILE -t NAME gives the same order again.
`;

const print = (line: string): void => void process.stdout.write(`${line}\n`);

interface Asked {
  readonly minutes: number;
  readonly store: keyof typeof starters;
  readonly crash?: number;
  readonly races?: number;
  readonly seed: number;
}

/** Undefined where it is not what the usage says. */
function readArgs(args: readonly string[]): Asked | 'help' | undefined {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        help: { type: 'boolean', short: 'h' },
        minutes: { type: 'string', default: '30' },
        store: { type: 'string', default: 'seaweedfs' },
        crash: { type: 'string' },
        races: { type: 'string' },
        seed: { type: 'string', default: String(Date.now() % 1e9) },
      },
    });
    if (values.help === true) return 'help';
    const { minutes, crash: points, races, seed, store } = values;
    const numbers = [minutes, points ?? '1', races ?? '1'].map(Number);
    const isRight = numbers.every((number) => number > 0 && Number.isFinite(number)) && /^\d+$/.test(seed) && stores.includes(store);
    if (!isRight || (points !== undefined && races !== undefined)) return undefined;
    return {
      minutes: Number(minutes),
      store: store as keyof typeof starters,
      ...(points === undefined ? {} : { crash: Number(points) }),
      ...(races === undefined ? {} : { races: Number(races) }),
      seed: Number(seed),
    };
  } catch {
    return undefined;
  }
}

async function runCrashes(points: number, seed: number): Promise<number> {
  const edits = await crash({ points, seed, print });
  const postgres = hasPostgres('copies of states to PostgreSQL and from it') ? await startPostgres() : undefined;
  try {
    const whole = await crashWhole({ points: Math.ceil(points / 10), seed, postgres, print });
    const killed = {
      ...edits.killed,
      ...Object.fromEntries(Object.entries(whole.killed).map(([name, count]) => [`whole: ${name}`, count])),
    };
    const wrong = [...edits.wrong, ...whole.wrong];
    for (const one of wrong.slice(0, 50)) print(`WRONG ${one}`);
    print(`${total(killed)} processes were killed (seed ${seed}): ${JSON.stringify(killed)}; ${wrong.length} wrong`);
    return wrong.length === 0 ? 0 : 1;
  } finally {
    await postgres?.stop();
  }
}

async function runRaces(times: number): Promise<number> {
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', 'test/races', 'test/chaos', '--testTimeout=86400000'];
  const child = spawn(process.execPath, vitest, { stdio: 'inherit', env: { ...process.env, PACKAGE_R_RUNS: String(times) } });
  return new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}

async function runSession(minutes: number, store: keyof typeof starters): Promise<number> {
  const server = await starters[store]();
  try {
    const { right, wrong, excused, memory, isMemoryFlat } = await soak({ server, seconds: minutes * 60, print });
    for (const one of wrong.slice(0, 50)) print(`WRONG ${one}`);
    print(`excused while something was down: ${JSON.stringify(excused)}`);
    print(`memory of packageR in MB: ${memory.join(' ')}`);
    print(
      `${minutes} minutes on ${server.name}: ${total(right)} right answers, ${total(excused)} excused, ${wrong.length} wrong; memory ${isMemoryFlat ? 'flat' : 'NOT flat'}`,
    );
    return wrong.length === 0 && isMemoryFlat ? 0 : 1;
  } finally {
    await server.stop();
  }
}

async function main(): Promise<number> {
  const asked = readArgs(process.argv.slice(2));
  if (asked === 'help') {
    process.stdout.write(usage);
    return 0;
  }
  if (asked === undefined) {
    process.stderr.write(usage);
    return 2;
  }
  if (asked.races !== undefined) return runRaces(asked.races);
  if (asked.crash !== undefined) return runCrashes(asked.crash, asked.seed);
  return runSession(asked.minutes, asked.store);
}

process.exitCode = await main();
