import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isError, PackageRError } from '#errors/error.ts';
import type { JobContext, JobView } from '#jobs/job.ts';
import { Jobs } from '#jobs/jobs.ts';
import type { Actor, UserActor } from '#model/actor.ts';
import { randomId } from '#model/clock.ts';
import { parseName } from '#model/name.ts';
import type { Write } from '#state/state.ts';
import { type TemporaryState, temporaryState } from '#testing/temporary-state.ts';

const system: Actor = { kind: 'system', name: 'test' };
const user = (id: string, more: Partial<UserActor> = {}): UserActor => ({ kind: 'user', id, name: parseName(id), admin: false, ...more });
const aborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason));
  });

describe('jobs', () => {
  let place: TemporaryState;
  let jobs: Jobs;
  const faults: object[] = [];
  const make = (concurrency = 2) =>
    new Jobs({ state: place.state, clock: Date.now, makeId: randomId, concurrency, log: { error: (context) => faults.push(context) } });
  const start = (kind: string, input: unknown = {}, ownerId = 'alice') => jobs.start({ kind, subject: 'package:1', ownerId, input });
  beforeEach(async () => {
    faults.length = 0;
    place = await temporaryState();
    jobs = make();
    jobs.register('wait', { run: ({ signal }) => aborted(signal) });
    jobs.register<{ a: number }>('add', { run: async ({ input }) => ({ sum: input.a + 1 }) });
  });
  afterEach(async () => {
    await jobs.close();
    await place.close();
  });

  it('runs and tells what came out', async () => {
    const { id, state } = await start('add', { a: 1 });
    expect(state).toBe('queued');
    expect(await jobs.wait(id)).toMatchObject({ state: 'done', result: { sum: 2 }, subject: 'package:1', ownerId: 'alice' });
  });

  it('starts together with the writes alongside, or not at all', async () => {
    const write = () => place.state.db.insertInto('setting').values({ key: 'open', value: '1' });
    const begin = () =>
      jobs.start({
        kind: 'add',
        subject: 's',
        ownerId: 'o',
        input: { a: 1 },
        alongside: (id) => [{ query: write() }, { query: place.state.db.updateTable('setting').set({ value: id }) }],
      });
    const { id } = await begin();
    expect((await place.state.db.selectFrom('setting').selectAll().executeTakeFirst())?.value).toBe(id);
    await expect(begin()).rejects.toSatisfy((error) => isError(error, 'exists'));
    expect((await jobs.list(system)).jobs).toHaveLength(1);
    await expect(start('unknown')).rejects.toSatisfy((error) => isError(error, 'unsupported'));
  });

  it('keeps code and message of our errors and hides all others', async () => {
    jobs.register('ours', { run: () => Promise.reject(new PackageRError('drifted', 'a/b changed')) });
    jobs.register('theirs', { run: () => Promise.reject(new Error('CANARY-DETAIL')) });
    const [ours, theirs] = await Promise.all([start('ours'), start('theirs')]);
    expect((await jobs.wait(ours.id)).error).toEqual({ code: 'drifted', message: 'a/b changed' });
    const failed = await jobs.wait(theirs.id);
    expect(failed.error?.code).toBe('internal');
    expect(JSON.stringify(failed)).not.toContain('CANARY');
    expect(faults).toHaveLength(1);
  });

  it('shows jobs to their owner, administrators and the system only', async () => {
    const { id } = await start('add', { a: 1 });
    await jobs.wait(id);
    const narrowed = user('root', { admin: true, only: ['list'] });
    const visitor: Actor = { kind: 'visitor', share: 's', client: 'alice' };
    for (const actor of [user('bob'), narrowed, visitor]) {
      await expect(jobs.get(actor, id)).rejects.toSatisfy((error) => isError(error, 'not_found'));
      await expect(jobs.cancel(actor, id)).rejects.toSatisfy((error) => isError(error, 'not_found'));
      await expect(jobs.watch(actor, id, new AbortController().signal).next()).rejects.toSatisfy((error) => isError(error, 'not_found'));
      expect((await jobs.list(actor)).jobs).toEqual([]);
    }
    for (const actor of [user('alice'), user('root', { admin: true }), system]) {
      expect((await jobs.get(actor, id)).id).toBe(id);
      expect((await jobs.list(actor)).jobs).toHaveLength(1);
      const own = actor.kind === 'user' && actor.id === 'alice' ? 1 : 0;
      expect((await jobs.list(actor, { mine: true })).jobs).toHaveLength(own);
    }
  });

  it('cancels a running job, and its runner puts its work away', async () => {
    let cleaned = false;
    jobs.register('clean', {
      run: async ({ signal, isCancelled }) => {
        await aborted(signal).finally(() => {
          cleaned = isCancelled();
        });
        return {};
      },
    });
    const { id } = await start('clean');
    await expect.poll(async () => (await jobs.get(system, id)).state).toBe('running');
    await Promise.all([jobs.cancel(user('alice'), id), jobs.cancel(user('alice'), id)]);
    expect((await jobs.wait(id)).state).toBe('cancelled');
    expect(cleaned).toBe(true);
    expect((await jobs.cancel(system, id)).state).toBe('cancelled');
  });

  it('cancels a queued job at once, although others fill the room', async () => {
    const running = [await start('wait'), await start('wait')];
    let seen: JobContext<unknown> | undefined;
    jobs.register('late', {
      run: async (context) => {
        seen = context;
        context.signal.throwIfAborted();
        return {};
      },
    });
    const { id } = await start('late');
    await jobs.cancel(system, id);
    expect((await jobs.wait(id)).state).toBe('cancelled');
    expect(seen?.signal.aborted).toBe(true);
    expect((await jobs.get(system, running[0]?.id ?? '')).state).toBe('running');
  });

  it('runs no more at once than it may', async () => {
    let now = 0;
    let most = 0;
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    jobs.register('count', {
      run: async () => {
        most = Math.max(most, ++now);
        await opened;
        now--;
        return {};
      },
    });
    const started = await Promise.all(Array.from({ length: 8 }, () => start('count')));
    await expect.poll(() => now).toBe(2);
    open();
    await Promise.all(started.map(({ id }) => jobs.wait(id)));
    expect(most).toBe(2);
  });

  it('resumes after a stop from its checkpoint, and is not cancelled by it', async () => {
    const seen: unknown[] = [];
    const runner = {
      run: async ({ checkpoint, save, progress, signal }: JobContext<unknown>) => {
        seen.push(checkpoint);
        if (checkpoint !== undefined) return { from: checkpoint };
        progress({ done: 7, total: 10, note: 'half' });
        await save({ at: 7 });
        return aborted(signal);
      },
    };
    jobs.register('long', runner);
    const { id } = await start('long');
    await expect.poll(async () => (await jobs.get(system, id)).progress.done).toBe(7);
    await jobs.close();
    expect((await jobs.get(system, id)).state).toBe('queued');
    await place.reopen();
    jobs = make();
    jobs.register('long', runner);
    await jobs.recover();
    expect(await jobs.wait(id)).toMatchObject({
      state: 'done',
      result: { from: { at: 7 } },
      progress: { done: 7, total: 10, note: 'half' },
    });
    expect(seen).toEqual([undefined, { at: 7 }]);
  });

  it('takes over what a dead process ran, once, and lets a cancelled one clean up', async () => {
    const row = {
      kind: 'add',
      subject: 's',
      owner_id: 'alice',
      state: 'running' as const,
      input: '{"a":1}',
      progress: '{"done":0}',
      checkpoint: null,
      result: null,
      error_code: null,
      error_message: null,
      lease_owner: 'dead',
      leased_until: Date.now() + 1e6,
      created_at: 1,
      started_at: 1,
      finished_at: null,
    };
    await place.state.write(
      { query: place.state.db.insertInto('job').values({ ...row, id: 'a', cancel_asked: 0, attempts: 0 }) },
      { query: place.state.db.insertInto('job').values({ ...row, id: 'b', kind: 'wait', cancel_asked: 1, attempts: 0 }) },
      { query: place.state.db.insertInto('job').values({ ...row, id: 'c', kind: 'gone', cancel_asked: 0, attempts: 0 }) },
    );
    await Promise.all([jobs.recover(), jobs.recover()]);
    expect((await jobs.wait('a')).state).toBe('done');
    expect((await jobs.wait('b')).state).toBe('cancelled');
    expect((await jobs.wait('c')).error?.code).toBe('unsupported');
  });

  it('leaves its own running jobs alone when it recovers', async () => {
    const { id } = await start('wait');
    await expect.poll(async () => (await jobs.get(system, id)).state).toBe('running');
    await jobs.recover();
    expect((await jobs.get(system, id)).state).toBe('running');
  });

  it('does not write over a job that another process holds', async () => {
    let go: (() => void) | undefined;
    let saved: unknown;
    jobs.register('stolen', {
      run: async ({ save }) => {
        await new Promise<void>((resolve) => (go = resolve));
        saved = await save({}).catch((error: unknown) => error);
        return { mine: true };
      },
    });
    const { id } = await start('stolen');
    await expect.poll(async () => (await jobs.get(system, id)).state).toBe('running');
    await expect.poll(() => go).toBeDefined();
    await place.state.write({ query: place.state.db.updateTable('job').set({ lease_owner: 'other' }).where('id', '=', id) });
    go?.();
    await expect.poll(() => isError(saved, 'cancelled')).toBe(true);
    await jobs.close();
    expect((await place.state.db.selectFrom('job').selectAll().executeTakeFirst())?.state).toBe('running');
  });

  it('saves a checkpoint in the unit of the work, and none behind one that was refused', async () => {
    const { state } = place;
    const refused: Write = {
      query: state.db.deleteFrom('setting').where('key', '=', 'none'),
      expect: { changes: 1, code: 'exists', message: 'no' },
    };
    const outcomes: string[] = [];
    jobs.register('ahead', {
      run: async ({ saving }) => {
        const units = [[saving({ at: 1 })], [saving({ at: 2 }), refused], [saving({ at: 3 })]];
        const writes = await Promise.allSettled(units.map((unit) => state.write(...unit)));
        for (const { status } of writes) outcomes.push(status);
        throw new PackageRError('cancelled');
      },
    });
    const { id } = await start('ahead');
    expect((await jobs.wait(id)).state).toBe('failed');
    expect(outcomes).toEqual(['fulfilled', 'rejected', 'rejected']);
    const row = await state.db.selectFrom('job').select('checkpoint').where('id', '=', id).executeTakeFirst();
    expect(row?.checkpoint).toBe('{"at":1}');
  });

  it('streams the present state, changes and the end', async () => {
    let go = (): void => undefined;
    jobs.register('steps', {
      run: async ({ progress }) => {
        progress({ done: 1 });
        await new Promise<void>((resolve) => (go = resolve));
        for (let i = 2; i < 1000; i++) progress({ done: i });
        return { ok: true };
      },
    });
    const { id } = await start('steps');
    const seen: JobView[] = [];
    for await (const view of jobs.watch(user('alice'), id, new AbortController().signal)) {
      seen.push(view);
      if (view.progress.done === 1) go();
    }
    expect(seen.length).toBeLessThan(12);
    expect(seen.at(-1)).toMatchObject({ state: 'done', result: { ok: true }, progress: { done: 999 } });
    for await (const view of jobs.watch(system, id, new AbortController().signal)) expect(view.state).toBe('done');
  });

  it('ends a stream with its signal', async () => {
    const { id } = await start('wait');
    const controller = new AbortController();
    const stream = jobs.watch(system, id, controller.signal);
    await stream.next();
    const rest = (async () => {
      let last: IteratorResult<JobView, void>;
      do last = await stream.next();
      while (last.done !== true);
      return last.done;
    })();
    controller.abort();
    expect(await rest).toBe(true);
  });

  it('pages newest first and filters', async () => {
    for (let i = 0; i < 5; i++) await jobs.wait((await start('add', { a: i })).id);
    const { id } = await start('wait');
    await expect.poll(async () => (await jobs.list(system, { state: 'running' })).jobs.map((job) => job.id)).toEqual([id]);
    const first = await jobs.list(user('alice'), { limit: 4, subject: 'package:1' });
    const rest = await jobs.list(user('alice'), { limit: 4, cursor: first.cursor });
    expect(new Set([...first.jobs, ...rest.jobs].map((job) => job.id)).size).toBe(6);
    expect(rest.cursor).toBeUndefined();
    await expect(jobs.list(system, { cursor: "1.'; --" })).rejects.toSatisfy((error) => isError(error, 'cursor_invalid'));
  });
});
