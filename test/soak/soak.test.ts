/** The soak in short: half a minute, with every event of the long one. */
import { afterAll, describe, expect, it } from 'vitest';
import { startSeaweedfs } from '../support/stores/seaweedfs.ts';
import { requireStore, type StoreServer } from '../support/stores/store-server.ts';
import { soak } from './soak.ts';

describe.runIf(requireStore('seaweedfs'))('a session of mixed load', () => {
  let server: StoreServer | undefined;
  afterAll(() => server?.stop());

  it('has no wrong answer, whatever restarts and whichever keys change', async () => {
    server = await startSeaweedfs();
    const lines: string[] = [];
    const { right, wrong, memory } = await soak({ server, seconds: 25, print: (line) => lines.push(line) });
    expect(wrong, lines.join('\n')).toEqual([]);
    for (const duty of ['browse', 'exchange', 'head', 'bulk', 'archive', 'curate']) expect(right[duty], duty).toBeGreaterThan(0);
    expect(memory.length).toBeGreaterThan(5);
  }, 120_000);
});
