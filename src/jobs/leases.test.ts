/** Leases: who holds a job while processes die, sleep and wake, and while clocks jump. */
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isError } from '#errors/error.ts';
import { isEnded } from '#jobs/job.ts';
import { Jobs } from '#jobs/jobs.ts';
import type { Actor } from '#model/actor.ts';
import { randomId } from '#model/clock.ts';
import type { JobRow } from '#state/schema.ts';
import type { State } from '#state/state.ts';
import { fakeClock } from '#testing/fake-clock.ts';
import { type TemporaryState, temporaryState } from '#testing/temporary-state.ts';

const system: Actor = { kind: 'system', name: 'test' };
const steps = 4;

let place: TemporaryState;
const clock = fakeClock();
/** Milliseconds that no jump of the clock reaches. */
let elapsed = 0;
/** What was saved of each job, in the order in which it became durable. */
const saved = new Map<string, number[]>();

/** One process among others on the same state: it can sleep, and it can end without a word. */
class Process {
  readonly jobs: Jobs;
  #gates: (() => void)[] = [];
  #asleep: Promise<void> | undefined;
  #wake = (): void => undefined;
  #isDead = false;

  constructor(state: State) {
    const write: State['write'] = async (...unit) => {
      await this.#asleep;
      if (this.#isDead) return new Promise<never>(() => undefined);
      return state.write(...unit);
    };
    const shared = Object.create(state, { write: { value: write }, dialect: { value: 'postgres' } }) as State;
    this.jobs = new Jobs({ state: shared, clock: clock.now, makeId: randomId, concurrency: 3, monotonic: () => elapsed });
    this.jobs.register('count', {
      run: async ({ id, checkpoint, save, signal }) => {
        for (let at = ((checkpoint as { at: number } | undefined)?.at ?? 0) + 1; at <= steps; at++) {
          await new Promise<void>((resolve) => {
            if (signal.aborted) resolve();
            this.#gates.push(resolve);
            signal.addEventListener('abort', () => resolve());
          });
          signal.throwIfAborted();
          await save({ at });
          saved.set(id, [...(saved.get(id) ?? []), at]);
        }
        return { steps };
      },
    });
  }

  /** Lets each job that waits do one step. */
  go(): void {
    for (const open of this.#gates.splice(0)) open();
  }

  sleep(): void {
    this.#asleep ??= new Promise((resolve) => (this.#wake = resolve));
  }

  wake(): void {
    this.#wake();
    this.#asleep = undefined;
  }

  async close(): Promise<void> {
    this.wake();
    const closed = this.jobs.close();
    this.go();
    await closed;
  }

  kill(): void {
    this.#isDead = true;
    this.wake();
    void this.jobs.close();
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) {
    await place.state.write({ query: place.state.db.deleteFrom('setting').where('key', '=', 'none') });
    await setImmediate();
  }
}

const rows = (): Promise<JobRow[]> => place.state.db.selectFrom('job').selectAll().execute();

beforeEach(async () => {
  place = await temporaryState();
  clock.set(Date.UTC(2026, 0, 1));
  elapsed = 0;
  saved.clear();
});
afterEach(() => place.close());

const start = (process: Process) => process.jobs.start({ kind: 'count', subject: 's', ownerId: 'o', input: {} });

describe('leases', () => {
  it('pass on while others run: of a process that sleeps, which then writes nothing more', async () => {
    const [first, second] = [new Process(place.state), new Process(place.state)];
    const { id } = await start(first);
    await settle();
    first.go();
    await settle();
    first.sleep();
    for (let turn = 0; turn < 5; turn++) {
      elapsed += 20_000;
      await second.jobs.tend();
    }
    await settle();
    first.wake();
    first.go();
    await settle();
    await first.jobs.tend();
    for (let at = 0; at < steps; at++) {
      second.go();
      await settle();
    }
    expect(await second.jobs.wait(id)).toMatchObject({ state: 'done' });
    expect(saved.get(id)).toEqual([1, 2, 3, 4]);
    await Promise.all([first.close(), second.close()]);
  });

  it('stay with those that renew them, however the clock jumps', async () => {
    const [first, second] = [new Process(place.state), new Process(place.state)];
    await start(first);
    await settle();
    const owner = (await rows())[0]?.lease_owner;
    for (const jump of [1e12, -2e12, 36e5, -36e5, 3e11]) {
      clock.advance(jump);
      for (let turn = 0; turn < 5; turn++) {
        elapsed += 20_000;
        await second.jobs.tend();
        await first.jobs.tend();
      }
    }
    expect((await rows())[0]).toMatchObject({ state: 'running', lease_owner: owner });
    await Promise.all([first.close(), second.close()]);
  });

  it('are taken up again by who could not write the end', async () => {
    let isFull = false;
    const write: State['write'] = (...unit) => (isFull ? Promise.reject(new Error('disk full')) : place.state.write(...unit));
    const state = Object.create(place.state, { write: { value: write } }) as State;
    const jobs = new Jobs({ state, clock: clock.now, makeId: randomId, monotonic: () => elapsed });
    let go = (): void => undefined;
    let runs = 0;
    jobs.register('once', {
      run: async () => {
        runs++;
        await new Promise<void>((resolve) => (go = resolve));
        return { runs };
      },
    });
    const { id } = await jobs.start({ kind: 'once', subject: 's', ownerId: 'o', input: {} });
    await expect.poll(() => runs).toBe(1);
    isFull = true;
    go();
    await settle();
    await jobs.tend();
    isFull = false;
    expect((await rows())[0]?.state).toBe('running');
    await jobs.tend();
    await jobs.tend();
    await expect.poll(() => runs).toBe(2);
    go();
    expect(await jobs.wait(id)).toMatchObject({ state: 'done', result: { runs: 2 } });
    await jobs.close();
  });

  it('end with the job where it ends its process again and again, unless it gets on', async () => {
    const crashes = async (times: number, isMoving: boolean): Promise<JobRow | undefined> => {
      let process = new Process(place.state);
      const { id } = await start(process);
      for (let at = 0; at < times; at++) {
        await settle();
        if (isMoving) process.go();
        await settle();
        process.kill();
        await place.state.write({ query: place.state.db.updateTable('job').set({ leased_until: 0 }).where('state', '=', 'running') });
        process = new Process(place.state);
        await process.jobs.recover();
      }
      await settle();
      await process.close();
      return (await rows()).find((row) => row.id === id);
    };
    expect(await crashes(2, false)).toMatchObject({ state: 'queued' });
    expect(await crashes(3, true)).toMatchObject({ state: 'queued' });
    expect(await crashes(3, false)).toMatchObject({
      state: 'failed',
      error_code: 'internal',
      error_message: expect.stringContaining('3 times'),
    });
  });

  it('do not count stops that were in order', async () => {
    let process = new Process(place.state);
    const { id } = await start(process);
    for (let at = 0; at < 6; at++) {
      await settle();
      await process.close();
      process = new Process(place.state);
      await process.jobs.recover();
    }
    await settle();
    expect((await process.jobs.get(system, id)).state).toBe('running');
    await process.close();
  });

  it('let every job end, each step once, whatever happens to processes and clocks', async () => {
    const act = fc.oneof(
      fc.record({ kind: fc.constantFrom('start', 'go', 'kill', 'sleep', 'wake', 'tend', 'close'), who: fc.nat(1) }),
      fc.record({ kind: fc.constant('wait'), milliseconds: fc.integer({ min: 0, max: 80_000 }) }),
      fc.record({ kind: fc.constant('jump'), milliseconds: fc.integer({ min: -1e12, max: 1e12 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 5, maxLength: 30 }), async (acts) => {
        saved.clear();
        await place.state.write({ query: place.state.db.deleteFrom('job') });
        const processes = [new Process(place.state), new Process(place.state)];
        const replace = async (who: number): Promise<void> => {
          const next = new Process(place.state);
          processes[who] = next;
          await next.jobs.recover();
        };
        for (const one of acts) {
          const who = 'who' in one ? one.who : 0;
          const process = processes[who] as Process;
          if (one.kind === 'wait' && 'milliseconds' in one) elapsed += one.milliseconds;
          else if (one.kind === 'jump' && 'milliseconds' in one) clock.advance(one.milliseconds);
          else if (one.kind === 'start') void start(process);
          else if (one.kind === 'go') process.go();
          else if (one.kind === 'sleep') process.sleep();
          else if (one.kind === 'wake') process.wake();
          else if (one.kind === 'tend') void process.jobs.tend();
          else {
            if (one.kind === 'kill') process.kill();
            else {
              await process.close();
            }
            await replace(who);
          }
          await settle();
        }
        for (const process of processes) process.wake();
        for (let turn = 0; turn < 40 && (await rows()).some((row) => !isEnded(row.state)); turn++) {
          elapsed += 20_000;
          for (const process of processes) {
            await process.jobs.tend();
            await settle();
            process.go();
          }
          await settle();
        }
        for (const row of await rows()) {
          const all = saved.get(row.id) ?? [];
          expect(all).toEqual(Array.from({ length: all.length }, (_, index) => index + 1));
          if (row.state === 'done') expect(all).toHaveLength(steps);
          else expect([row.state, row.error_code, row.attempts]).toEqual(['failed', 'internal', 4]);
        }
        for (const process of processes) {
          await process.close();
        }
      }),
      { numRuns: 25 },
    );
  }, 120_000);
});

it('a checkpoint is refused to whoever lost the job', async () => {
  const [first, second] = [new Process(place.state), new Process(place.state)];
  let refusal: unknown;
  let go = (): void => undefined;
  first.jobs.register('lost', {
    run: async ({ save }) => {
      await new Promise<void>((resolve) => (go = resolve));
      refusal = await save({ at: 1 }).catch((error: unknown) => error);
      return {};
    },
  });
  await first.jobs.start({ kind: 'lost', subject: 's', ownerId: 'o', input: {} });
  await settle();
  for (let turn = 0; turn < 5; turn++) {
    elapsed += 20_000;
    await second.jobs.tend();
  }
  await settle();
  go();
  await expect.poll(() => isError(refusal, 'cancelled')).toBe(true);
  await Promise.all([first.close(), second.close()]);
});
