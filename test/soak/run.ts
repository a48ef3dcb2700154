/** `npm run soak -- --minutes 30 --store seaweedfs`: prints a series of samples and a line of totals; exit 1 where anything was wrong. */
import { parseArgs } from 'node:util';
import { startRadosgw } from '../support/stores/radosgw.ts';
import { startSeaweedfs } from '../support/stores/seaweedfs.ts';
import { startVersitygw } from '../support/stores/versitygw.ts';
import { soak } from './soak.ts';
import { total } from './tally.ts';

const starters = { radosgw: startRadosgw, seaweedfs: startSeaweedfs, versitygw: startVersitygw };

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '30' }, store: { type: 'string', default: 'seaweedfs' } } });
const minutes = Number(values.minutes);
const start = Object.hasOwn(starters, values.store) ? starters[values.store as keyof typeof starters] : undefined;
const print = (line: string): void => void process.stdout.write(`${line}\n`);

if (start === undefined || !(minutes > 0)) {
  process.stderr.write(`npm run soak -- [--minutes 30] [--store ${Object.keys(starters).join('|')}]\n`);
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
