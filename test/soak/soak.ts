/**
 * A long session of mixed load against a real store: many people browse, exchange, take archives and curate, while keys change and both
 * the store and packageR are restarted. Each answer is compared with what it must be. Errors count as right only while something is down,
 * and then only those that say so.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { openStoreWorld, secretsOf } from '../stores/store-world.ts';
import { roomyRates } from '../support/roomy.ts';
import type { StoreServer } from '../support/stores/store-server.ts';
import { checkArchive, checkBrowse, checkBulk, checkCuration, checkExchange, checkHead, type Duty, SoakScene } from './duties.ts';
import { graceAfterOutage, Tally, type Totals } from './tally.ts';

export interface SoakOptions {
  readonly server: StoreServer;
  readonly seconds: number;
  /** Told of each sample and each event. */
  print(line: string): void;
}

export interface SoakResult extends Totals {
  /** Megabytes of packageR since it was restarted. */
  readonly memory: readonly number[];
  readonly isMemoryFlat: boolean;
}

/** Milliseconds of load after the last event, in which nothing is excused any more. */
const calm: number = graceAfterOutage + 3000;

const duties: Readonly<Record<string, { readonly check: Duty; readonly workers: number /** Milliseconds. */; readonly rest: number }>> = {
  browse: { check: checkBrowse, workers: 2, rest: 60 },
  exchange: { check: checkExchange, workers: 4, rest: 30 },
  head: { check: checkHead, workers: 1, rest: 100 },
  bulk: { check: checkBulk, workers: 1, rest: 300 },
  archive: { check: checkArchive, workers: 1, rest: 400 },
  curate: { check: checkCuration, workers: 1, rest: 800 },
};

export async function soak({ server, seconds, print }: SoakOptions): Promise<SoakResult> {
  const world = await openStoreWorld(server, {
    PACKAGE_R_LOG_LEVEL: 'warn',
    ...roomyRates,
    PACKAGE_R_LIMITS_UPSTREAM_PROBE_IN: '1000',
  });
  const tally = new Tally();
  const memory: number[] = [];
  try {
    const scene = await SoakScene.prepare(world);
    const { packager } = world;
    let ends = Date.now() + seconds * 1000;
    const isOn = (): boolean => Date.now() < ends;
    let isAged = false;
    const work = Object.entries(duties).flatMap(([name, { check, workers, rest }]) =>
      Array.from({ length: workers }, async () => {
        for (let turn = 0; isOn(); turn++) {
          await tally.take(name, () => check(scene, turn));
          await sleep(rest);
        }
      }),
    );
    const sampling = (async () => {
      for (const every = Math.max(500, (seconds * 1000) / 60); isOn(); await sleep(every)) {
        const megabytes = residentMegabytes(packager.pid);
        if (megabytes === undefined) continue;
        if (isAged) memory.push(megabytes);
        print(`${new Date().toISOString().slice(11, 19)}  ${megabytes} MB  ${tally.summary()}`);
      }
    })();
    const events = (async () => {
      const pairs = [await server.otherKeys(), server.keys];
      const plan: readonly (readonly [at: number, name: string, act: () => Promise<unknown>])[] = [
        [0.1, 'packageR restarts', () => tally.outage(() => packager.restart())],
        ...[0.2, 0.4, 0.6, 0.8].map(
          (at, index) => [at, 'keys are rotated', () => rotate(scene, secretsOf(pairs[index % 2] ?? server.keys))] as const,
        ),
        ...[0.3, 0.55, 0.75].map((at) => [at, 'the store restarts', () => tally.outage(() => server.restart())] as const),
      ];
      const began = Date.now();
      for (const [at, name, act] of [...plan].sort(([a], [b]) => a - b)) {
        await sleep(Math.max(0, began + at * seconds * 1000 - Date.now()));
        print(`… ${name}`);
        await act();
        isAged = true;
        ends = Math.max(ends, Date.now() + calm);
      }
    })();
    await Promise.all([...work, sampling, events]);
    await tally.take('listing at the end', () => checkBrowse(scene, 0));
    return { ...tally.result(), memory, isMemoryFlat: isFlat(memory) };
  } finally {
    await world.stop();
  }
}

async function rotate(scene: SoakScene, secrets: string): Promise<void> {
  await scene.api('PATCH', 'sources/lab', { secrets: JSON.parse(secrets) });
  await scene.api('POST', 'keys/rotate', { now: false });
}

function residentMegabytes(pid: number): number | undefined {
  try {
    return Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024);
  } catch {
    return undefined;
  }
}

/** The middle of the last third is not above that of the first by more than a tenth and eight megabytes. */
function isFlat(samples: readonly number[]): boolean {
  const third = Math.floor(samples.length / 3);
  if (third === 0) return false;
  return median(samples.slice(-third)) <= median(samples.slice(0, third)) * 1.1 + 8;
}

function median(samples: readonly number[]): number {
  return samples.toSorted((a, b) => a - b)[Math.floor(samples.length / 2)] ?? 0;
}
