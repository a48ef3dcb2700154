/**
 * `npm run soak -- --minutes 30 --store seaweedfs`: prints a series of samples and a line of totals; exit 1 where anything was wrong.
 * `npm run soak -- --races 20`: tries the properties of races and chaos so many times as often as `npm test` does.
 * `npm run soak -- --crash 5000`: kills that many processes at other points of their work each time; --seed repeats a run.
 */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { crash } from '../crash/crash.ts';
import { startRadosgw } from '../support/stores/radosgw.ts';
import { startSeaweedfs } from '../support/stores/seaweedfs.ts';
import { startVersitygw } from '../support/stores/versitygw.ts';
import { soak } from './soak.ts';
import { total } from './tally.ts';

const starters = { radosgw: startRadosgw, seaweedfs: startSeaweedfs, versitygw: startVersitygw };

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    store: { type: 'string', default: 'seaweedfs' },
    crash: { type: 'string' },
    races: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 1e9) },
  },
});
const minutes = Number(values.minutes);
const start = Object.hasOwn(starters, values.store) ? starters[values.store as keyof typeof starters] : undefined;
const print = (line: string): void => void process.stdout.write(`${line}\n`);

async function runCrashes(points: number, seed: number): Promise<void> {
  const { killed, wrong } = await crash({ points, seed, print });
  for (const one of wrong.slice(0, 50)) print(`WRONG ${one}`);
  print(`${total(killed)} processes were killed (seed ${seed}): ${JSON.stringify(killed)}; ${wrong.length} wrong`);
  process.exitCode = wrong.length === 0 ? 0 : 1;
}

/** A failure prints the seed and path that give it again, as PACKAGE_R_SEED and PACKAGE_R_PATH. */
async function runRaces(times: number): Promise<void> {
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', 'test/races', 'test/chaos', '--testTimeout=86400000'];
  const child = spawn(process.execPath, vitest, { stdio: 'inherit', env: { ...process.env, PACKAGE_R_RUNS: String(times) } });
  process.exitCode = await new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}

if (values.races !== undefined && Number(values.races) > 0) {
  await runRaces(Number(values.races));
} else if (values.crash !== undefined && Number(values.crash) > 0) {
  await runCrashes(Number(values.crash), Number(values.seed));
} else if (values.crash !== undefined || start === undefined || !(minutes > 0)) {
  const usage = `npm run soak -- [--minutes 30] [--store ${Object.keys(starters).join('|')}]\nnpm run soak -- --crash 1000 [--seed 1]\nnpm run soak -- --races 20\n`;
  process.stderr.write(usage);
  process.exitCode = 2;
} else {
  const server = await start();
  try {
    const { right, wrong, excused, memory, isMemoryFlat } = await soak({ server, seconds: minutes * 60, print });
    for (const one of wrong.slice(0, 50)) print(`WRONG ${one}`);
    print(`excused while something was down: ${JSON.stringify(excused)}`);
    print(`memory of packageR in MB: ${memory.join(' ')}`);
    print(
      `${minutes} minutes on ${server.name}: ${total(right)} right answers, ${total(excused)} excused, ${wrong.length} wrong; memory ${isMemoryFlat ? 'flat' : 'NOT flat'}`,
    );
    process.exitCode = wrong.length === 0 && isMemoryFlat ? 0 : 1;
  } finally {
    await server.stop();
  }
}
