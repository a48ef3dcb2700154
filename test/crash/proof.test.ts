/** The proof that the crash tests would see what must not happen: faults are put into the code, and each is found. */
import { describe, expect, it } from 'vitest';
import { crash, type Mutation } from './crash.ts';

describe('a process that is killed', () => {
  const faults: readonly (readonly [what: string, only: readonly string[], mutation: Mutation])[] = [
    [
      'the head moves before the step is told',
      ['put', 'move a little'],
      {
        module: 'src/packages/draft-step.ts',
        from: "      { query: this.#state.db.insertInto('step')",
        to: "    ); await this.#state.write(\n      { query: this.#state.db.insertInto('step')",
      },
    ],
    [
      'the checkpoint is saved before its batch',
      ['annex', 'move'],
      {
        module: 'src/packages/draft-step.ts',
        from: 'const writes = [...batch.writes(), ...(alongside?.() ?? [])];',
        to: 'for (const early of alongside?.() ?? []) await this.#state.write(early); const writes = batch.writes();',
      },
    ],
    [
      'an upload is remembered under another source',
      ['upload'],
      { module: 'src/packages/pending-uploads.ts', from: 'const row = { id, ...place,', to: 'const row = { id, ...place, source: 99,' },
    ],
    [
      'nobody remembers what is gone',
      ['put after a large undo'],
      { module: 'src/packages/open-step.ts', from: 'gone_from = least.gone,', to: 'gone_from = null,' },
    ],
    [
      'a migration is done statement by statement',
      ['migration'],
      { module: 'src/state/sqlite/dialect.ts', from: 'return true;', to: 'return false;' },
    ],
  ];

  it.each(faults)(
    'would be found out where %s',
    async (_what, only, mutation) => {
      const { wrong } = await crash({ points: 60, seed: 7, only, mutation, untilWrong: true });
      expect(wrong.length).toBeGreaterThan(0);
    },
    600_000,
  );
});
