/** Jobs: claimed once, ended once. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobContext } from '#jobs/job.ts';
import { Jobs } from '#jobs/jobs.ts';
import { parsePath } from '#model/path.ts';
import { Packages } from '#packages/packages.ts';
import { statObject } from '#sources/presign.ts';
import { codesOf, inAnyOrder } from '../support/races.ts';
import { type House, openHouse, system } from './house.ts';

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

const p = parsePath;

describe('a job', () => {
  it('is run by one of two processes that find it', () =>
    inAnyOrder(15, async (turns) => {
      const ran: string[] = [];
      const process = (name: string) => {
        const jobs = new Jobs(house.parts);
        jobs.register('test.count', { run: async ({ id }: JobContext<unknown>) => ({ ran: ran.push(`${name} ${id}`) }) });
        return jobs;
      };
      const starter = new Jobs({ ...house.parts, concurrency: 0 });
      starter.register('test.count', { run: async () => ({}) });
      const { id } = await starter.start({ kind: 'test.count', subject: 'test:1', ownerId: 'system:test', input: {} });
      const both = [process('one'), process('other')];
      await house.together(turns, ...both.map((jobs) => () => jobs.tend()));
      await Promise.all(both.map((jobs) => jobs.wait(id)));
      expect(ran).toHaveLength(1);
      await Promise.all([...both, starter].map((jobs) => jobs.close()));
    }));

  it('that is cancelled while it begins does not run on', () =>
    inAnyOrder(60, async (turns) => {
      const jobs = new Jobs(house.parts);
      jobs.register('test.endless', {
        run: ({ signal }: JobContext<unknown>) =>
          new Promise((_, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason), { once: true });
            if (signal.aborted) reject(signal.reason);
          }),
      });
      const first = new Jobs({ ...house.parts, concurrency: 0 });
      first.register('test.endless', { run: async () => ({}) });
      const { id } = await first.start({ kind: 'test.endless', subject: 'test:1', ownerId: 'system:test', input: {} });
      const codes = codesOf(
        await house.together(
          turns,
          () => jobs.recover(),
          () => jobs.cancel(system, id),
        ),
      );
      expect(codes).toEqual(['ok', 'ok']);
      await jobs.recover();
      expect((await jobs.wait(id, AbortSignal.timeout(10_000))).state).toBe('cancelled');
      await Promise.all([jobs.close(), first.close()]);
    }));

  it('that edits a draft is done, with its step, or cancelled, without', () =>
    inAnyOrder(60, async (turns) => {
      const jobs = new Jobs(house.parts);
      const packages = new Packages({
        ...house.parts,
        access: house.access,
        sources: house.sources,
        jobs,
        stat: statObject,
        inline: { extensions: [], maxBytes: 0 },
        limits: { jobEntries: 0 },
      });
      const { alice } = house;
      const reference = await house.draft();
      await house.packages.put(alice, reference, p('d/a.txt'), Buffer.from('a'));
      const before = (await packages.get(alice, reference)).head;
      let id = '';
      const started = Promise.withResolvers<void>();
      await house.together(
        turns,
        async () => {
          const outcome = await packages.remove(alice, reference, [p('d')]);
          if ('job' in outcome) id = outcome.job.id;
          started.resolve();
        },
        async () => {
          await started.promise;
          await jobs.cancel(alice, id);
        },
      );
      const { state } = await jobs.wait(id);
      const { head, openJob } = await packages.get(alice, reference);
      expect([state, head === before]).toEqual(state === 'done' ? ['done', false] : ['cancelled', true]);
      expect(openJob).toBeUndefined();
      await expect(packages.put(alice, reference, p('b.txt'), Buffer.from('b'))).resolves.toBeDefined();
      await jobs.close();
    }));

  it('that freezes a draft is done, with its version, or cancelled, without', () =>
    inAnyOrder(50, async (turns) => {
      const jobs = new Jobs(house.parts);
      const packages = new Packages({
        ...house.parts,
        access: house.access,
        sources: house.sources,
        jobs,
        stat: statObject,
        inline: { extensions: [], maxBytes: 0 },
        limits: { freezeEntries: 0 },
      });
      const { alice } = house;
      const reference = await house.draft();
      await house.packages.put(alice, reference, p('d/a.txt'), Buffer.from('a'));
      const started = Promise.withResolvers<string>();
      const freeze = async (): Promise<string> => {
        const outcome = await packages.startFreeze(alice, reference);
        if (!('job' in outcome)) throw new Error('no job was started');
        return outcome.job.id;
      };
      await house.together(
        turns,
        async () => started.resolve(await freeze()),
        async () => void (await jobs.cancel(alice, await started.promise)),
      );
      const { state } = await jobs.wait(await started.promise);
      const { versions } = await packages.versions(alice, reference);
      expect([state, versions.length]).toEqual(state === 'done' ? ['done', 1] : ['cancelled', 0]);
      const ranges = house.state.db.selectFrom('manifest_range').innerJoin('package', 'package.id', 'manifest_range.package');
      const kept = await ranges.select('last_path').where('package.name', '=', reference.name).execute();
      expect(kept).toHaveLength(versions.length);
      await packages.put(alice, reference, p('b.txt'), Buffer.from('b'));
      expect((await jobs.wait(await freeze())).state).toBe('done');
      await jobs.close();
    }));
});
