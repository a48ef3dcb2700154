/**
 * A process that is to be killed. It is ready when its modules are loaded; told a duty, a folder and a point by a line of JSON, it does the
 * duty and says on its way what it promised. Some points kill it from inside: before a unit is sent to the writer, while it is written, or
 * when it is durable and nobody knows it yet.
 */

import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import type { State } from '#state/state.ts';
import { duties } from './duties.ts';
import { openWorld } from './world.ts';

export interface Order {
  readonly duty: string;
  readonly folder: string;
  readonly point?: Point | undefined;
}

/** The `at`th unit, or the `at`th statement of this thread (which a migration consists of). */
export interface Point {
  readonly at: number;
  readonly when: 'before' | 'during' | 'after' | 'statement';
  /** Milliseconds into the writing of the unit. */
  readonly delay?: number;
}

const say = (word: string): void => void writeSync(1, `${word}\n`);
const die = (): boolean => process.kill(process.pid, 'SIGKILL');
const sleep = (milliseconds: number): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);

let point: Point | undefined;
let units = 0;
let statements = 0;

function countWrites(state: State): State {
  const write: State['write'] = async (...unit) => {
    const index = units++;
    const isHere = point?.at === index;
    if (isHere && point?.when === 'before') die();
    const written = state.write(...unit);
    if (isHere && point?.when === 'during') {
      sleep(point.delay ?? 0);
      die();
    }
    const results = await written;
    if (isHere && point?.when === 'after') die();
    return results;
  };
  return new Proxy(state, { get: (target, name) => (name === 'write' ? write : Reflect.get(target, name)) });
}

function countStatements(): void {
  const count = (): void => {
    if (point?.when === 'statement' && statements === point.at) die();
    statements++;
  };
  for (const [owner, names] of [
    [DatabaseSync.prototype, ['exec']],
    [StatementSync.prototype, ['run', 'all', 'get']],
  ] as const) {
    for (const name of names) {
      const own = Reflect.get(owner, name) as (...given: unknown[]) => unknown;
      Reflect.set(owner, name, function counted(this: unknown, ...given: unknown[]) {
        count();
        return Reflect.apply(own, this, given);
      });
    }
  }
}

async function obey(order: Order): Promise<void> {
  const duty = duties.find(({ name }) => name === order.duty);
  if (duty === undefined) throw new TypeError(`no duty ${order.duty}`);
  // A migration is its own opening of the folder.
  const world = duty.name === 'migration' ? undefined : await openWorld(order.folder, { wrap: countWrites });
  if (world === undefined) countStatements();
  units = 0;
  point = order.point;
  say('began');
  await duty.run(world as NonNullable<typeof world>, order.folder, say);
  point = undefined;
  say(`counted ${world === undefined ? statements : units}`);
  await world?.close();
}

process.stdout.on('error', () => undefined);
say('ready');
for await (const line of createInterface({ input: process.stdin })) {
  await obey(JSON.parse(line) as Order);
  say('ended');
  break;
}
process.exit(0);
