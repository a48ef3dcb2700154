/** What every State must do, whatever the engine. */
import { CompiledQuery, sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isError, PackageRError } from '#errors/error.ts';
import { insertRows } from '#state/insert.ts';
import { openStep } from '#state/schema.ts';
import { returned, type SqlValue, type State, type Write } from '#state/state.ts';

export interface StateSubject {
  readonly state: State;
  /** Opens the same state again, after a close. */
  reopen(): Promise<State>;
  remove(): Promise<void>;
}

export function testState(name: string, make: () => Promise<StateSubject>): void {
  describe(`state: ${name}`, () => {
    let subject: StateSubject;
    let state: State;
    beforeEach(async () => {
      subject = await make();
      state = subject.state;
    });
    afterEach(async () => {
      await state.close();
      await subject.remove();
    });

    const setting = (key: string, value = '1') => state.db.insertInto('setting').values({ key, value });
    const settings = async () => (await state.db.selectFrom('setting').selectAll().orderBy('key').execute()).map((row) => row.key);

    it('remembers over a reopening', async () => {
      await state.write({ query: setting('a') });
      await state.close();
      state = await subject.reopen();
      expect(await settings()).toEqual(['a']);
    });

    it('does all of a unit or nothing', async () => {
      const unit = state.write({ query: setting('a') }, { query: setting('b') }, { query: setting('a') });
      await expect(unit).rejects.toSatisfy((error) => isError(error, 'exists'));
      expect(await settings()).toEqual([]);
    });

    it('refuses a unit whose expectation breaks, with the error it names', async () => {
      const expectOne = { changes: 1, code: 'precondition_failed', message: 'it changed' } as const;
      const unit = state.write(
        { query: setting('a') },
        { query: state.db.updateTable('setting').set({ value: '2' }).where('key', '=', 'b'), expect: expectOne },
      );
      await expect(unit).rejects.toSatisfy((error) => isError(error, 'precondition_failed') && error.message === 'it changed');
      expect(await settings()).toEqual([]);
    });

    it('keeps a refused unit from its neighbours in a group', async () => {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 50 }, (_, index) => state.write({ query: setting(`k${String(index % 40).padStart(2, '0')}`) })),
      );
      expect(outcomes.filter((outcome) => outcome.status === 'rejected')).toHaveLength(10);
      expect(await settings()).toHaveLength(40);
    });

    it('gives rows that a statement returns, and ids that are never used again', async () => {
      const event = { at: 1, actor: 'a', action: 'b', subject: 'c', outcome: 'ok', address: '', details: '{}' };
      const [first] = await state.write({ query: state.db.insertInto('event').values(event).returning('id') });
      const [second] = await state.write({ query: state.db.insertInto('event').values(event).returning('id') });
      expect(returned<{ id: number }>(second).id).toBeGreaterThan(returned<{ id: number }>(first).id);
    });

    it('runs a statement for many rows', async () => {
      const rows = Array.from({ length: 3000 }, (_, index) => [`key-${index}`, 'v']);
      const [result] = await state.write(insertRows(state, 'setting', ['key', 'value'], rows));
      expect(result?.changes).toBe(3000);
      expect(await settings()).toHaveLength(3000);
    });

    describe('bulk', () => {
      const rowsOf = (batch: number): SqlValue[][] => Array.from({ length: 1000 }, (_, index) => [`${batch}.${index}`, 'x'.repeat(100)]);
      const bulk = (batch: number): Write => ({ ...insertRows(state, 'setting', ['key', 'value'], rowsOf(batch)), isBulk: true });

      it('lets a small write go before, and keeps its own order', async () => {
        const order: string[] = [];
        const told = (name: string) => () => order.push(name);
        const long = Array.from({ length: 30 }, (_, batch) => state.write(bulk(batch)).then(told(`bulk ${batch}`)));
        const small = state.write({ query: setting('small') }).then(told('small'));
        await Promise.all([...long, small]);
        expect(order.indexOf('small')).toBeLessThan(29);
        expect(order.filter((name) => name !== 'small')).toEqual(long.map((_, batch) => `bulk ${batch}`));
        expect(await settings()).toHaveLength(30_001);
      });

      it('that is refused takes all of its rows with it, and leaves its neighbours', async () => {
        const never: Write = {
          query: sql`delete from setting where key = ''`.compile(state.db),
          expect: { changes: 1, code: 'exists', message: 'no' },
        };
        const results = await Promise.allSettled([
          state.write(bulk(1)),
          state.write(bulk(2), never),
          state.write(bulk(3), bulk(1)),
          state.write(bulk(4)),
        ]);
        expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
        expect((await settings()).map((key) => key.split('.')[0])).toEqual([...Array(1000).fill('1'), ...Array(1000).fill('4')]);
      });

      it('of every kind of value is kept as it was given, columns that repeat each other included', async () => {
        const values: SqlValue[] = [null, '', 'x', 'é 😀', 'back\\slash\t\n'];
        const rows = Array.from({ length: 333 }, (_, index): SqlValue[] => {
          const value = values[index % values.length] as SqlValue;
          const bytes = index % 3 === 0 ? null : Uint8Array.of(0, 255, index % 256);
          return [7, `p${String(index).padStart(3, '0')}`, 1, openStep, 1, Number.MAX_SAFE_INTEGER - index, bytes, value, value, 0, 0];
        });
        const columns = [
          'package',
          'path',
          'from_step',
          'to_step',
          'kind',
          'size',
          'key_bytes',
          'etag',
          'meta',
          'inline',
          'ends_range',
        ] as const;
        await state.write({ ...insertRows(state, 'entry', columns, rows), isBulk: true });
        const found = await state.db.selectFrom('entry').select(columns).where('package', '=', 7).orderBy('path').execute();
        const plain = (value: unknown) => (value instanceof Uint8Array ? [...value] : value);
        expect(found.map((row) => columns.map((column) => plain(row[column])))).toEqual(rows.map((row) => row.map(plain)));
      });
    });

    it('does not write through the reading side', async () => {
      await expect(setting('a').execute()).rejects.toThrow();
      expect(await settings()).toEqual([]);
    });

    it('takes values as values', async () => {
      const hostile = `'); drop table setting; -- \u2028 é 😀`;
      await state.write({ query: setting(hostile, hostile) });
      expect(await settings()).toEqual([hostile]);
    });

    it('orders paths by bytes', async () => {
      const paths = ['a/b', 'a!', 'a', 'Z', 'é', '\uffff', '😀', 'a0'];
      const share = (path: string, index: number) => [1, `client-${index}`, 0, path];
      await state.write(insertRows(state, 'share_use_object', ['share', 'client', 'since', 'path'], paths.map(share)));
      const found = await state.db.selectFrom('share_use_object').select('path').orderBy('path').execute();
      const byBytes = [...paths].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect(found.map((row) => row.path)).toEqual(byBytes);
    });

    it('raises its generation by writes that change decisions, not by others', async () => {
      const before = state.generation;
      await state.write({ query: setting('a') });
      expect(state.generation).toBe(before);
      await state.write({ query: state.db.deleteFrom('grant').where('id', '=', 'x') });
      expect(state.generation).toBeGreaterThan(before);
    });

    it('raises its generation for packages and versions, and not where only figures change', async () => {
      const package_ = { namespace_id: 'n', name: 'p', head: 0, top: 0, frozen: 0, generation: 1, created_at: 0 };
      for (const query of [
        state.db.insertInto('package').values(package_),
        state.db.updateTable('version').set({ withdrawn_at: 1 }).where('package', '=', 1),
        state.db.updateTable('share').set({ paused_at: 1 }).where('number', '=', 1),
      ]) {
        const before = state.generation;
        await state.write({ query });
        expect(state.generation).toBeGreaterThan(before);
      }
      const before = state.generation;
      await state.write({ query: state.db.updateTable('share').set({ opened: 1 }).where('number', '=', 1), isCount: true });
      expect(state.generation).toBe(before);
    });

    it('reads what was prepared: the first row, in the order of the columns, and always what is known to be written', async () => {
      const prepared = state.prepare(state.db.selectFrom('setting').select(['value', 'key']).where('key', '=', ''));
      expect(await prepared.first('a')).toBeUndefined();
      for (let round = 0; round < 50; round++) {
        const key = `k${round}`;
        const written = state.write({ query: setting(key) });
        void prepared.first(key);
        await written;
        expect((await prepared.first(key))?.[1]).toBe(key);
      }
    });

    it('fails what is written after it was closed', async () => {
      await state.close();
      await expect(state.write({ query: setting('a') })).rejects.toBeInstanceOf(PackageRError);
    });

    describe('frozen rows', () => {
      const entry = (path: string, from: number, to = openStep) =>
        insertRows(
          state,
          'entry',
          ['package', 'path', 'from_step', 'to_step', 'kind', 'size', 'inline', 'ends_range'],
          [[1, path, from, to, 1, 0, 0, 0]],
        );
      beforeEach(async () => {
        const row = { namespace_id: 'n', name: 'p', head: 0, top: 0, frozen: 0, generation: 1, created_at: 0 };
        await state.write({ query: state.db.insertInto('package').values(row) });
        await state.write(entry('a', 1), entry('b', 1), entry('c', 2));
        await state.write({ query: state.db.updateTable('package').set({ frozen: 2, head: 2 }).where('id', '=', 1) });
      });
      const refused = (write: Promise<unknown>) =>
        expect(write).rejects.toSatisfy((error) => isError(error, 'state_failed') && error.message.startsWith('A protected row'));
      const update = (values: Record<string, number | string>) =>
        state.write({ query: state.db.updateTable('entry').set(values).where('path', '=', 'a') });

      it('are neither changed nor deleted nor joined', async () => {
        await refused(update({ size: 7 }));
        await refused(update({ path: 'z' }));
        await refused(update({ to_step: 2 }));
        await refused(state.write({ query: state.db.deleteFrom('entry').where('path', '=', 'a') }));
        await refused(state.write(entry('d', 2)));
        const detours = {
          sqlite: ["replace into entry select * from entry where path = 'a'"],
          postgres: [
            "insert into entry select * from entry where path = 'a' on conflict (package, path, from_step) do update set size = 7",
            'truncate entry',
            'truncate version, event',
          ],
        };
        for (const detour of detours[state.dialect]) await refused(state.write({ query: CompiledQuery.raw(detour) }));
      });

      it('may end at a later step, and begin again', async () => {
        await update({ to_step: 3 });
        await update({ to_step: openStep });
        await state.write(entry('a', 3));
        await state.write({ query: state.db.deleteFrom('entry').where('from_step', '=', 3) });
      });

      it('do not thaw', async () => {
        await refused(state.write({ query: state.db.updateTable('package').set({ frozen: 1 }).where('id', '=', 1) }));
      });
    });

    it('only appends events', async () => {
      const event = { at: 1, actor: 'a', action: 'b', subject: 'c', outcome: 'ok', address: '', details: '{}' };
      await state.write({ query: state.db.insertInto('event').values(event) });
      await expect(state.write({ query: state.db.deleteFrom('event') })).rejects.toThrow();
      await expect(state.write({ query: state.db.updateTable('event').set({ actor: 'z' }) })).rejects.toThrow();
    });
  });
}
