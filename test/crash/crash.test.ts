/** Processes are killed at more than 200 points of their work. `npm run soak -- --crash 5000` does the same for longer. */
import { describe, expect, it } from 'vitest';
import { crash } from './crash.ts';

describe('a process that is killed', () => {
  it('loses and changes nothing, wherever it was', async () => {
    const { killed, wrong } = await crash({ points: 210, seed: 4 });
    expect(wrong).toEqual([]);
    expect(Object.values(killed).reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(200);
    for (const duty of ['annex', 'put', 'move', 'undo', 'freeze', 'freeze by a job', 'withdraw', 'migration', 'backup'])
      expect(killed[duty], duty).toBeGreaterThan(5);
  }, 600_000);
});
