import { describe, expect, it } from 'vitest';
import type { EntriesAnswer } from '#api/entries.ts';
import { EntryList } from './entry-list.ts';

function pages(count: number): { asked: (string | undefined)[]; fetch(query: { cursor?: string | undefined }): Promise<EntriesAnswer> } {
  const asked: (string | undefined)[] = [];
  return {
    asked,
    async fetch({ cursor }) {
      asked.push(cursor);
      const at = Number(cursor ?? 0);
      const entries = Array.from({ length: 1000 }, (_, row) => ({ kind: 'text' as const, path: `f/${at * 1000 + row}` }));
      return { entry: { kind: 'folder', path: 'f' }, entries, ...(at + 1 < count ? { cursor: String(at + 1) } : {}) };
    },
  };
}

describe('the rows of a folder', () => {
  it('come as far as somebody looks, in order, and the end is known when it was reached', async () => {
    const { asked, fetch } = pages(3);
    const list = new EntryList(fetch);
    await list.load(0);
    expect([list.state.count, list.state.isWhole, asked]).toEqual([1000, false, [undefined]]);
    await list.load(999);
    expect(asked).toHaveLength(1);
    await list.load(2500);
    expect([list.state.count, list.state.isWhole, asked]).toEqual([3000, true, [undefined, '1', '2']]);
    expect(list.rows[2999]?.path).toBe('f/2999');
    await list.load(10_000);
    expect(asked).toHaveLength(3);
  });

  it('keep what is there where a page fails, and go on when asked again', async () => {
    const { fetch } = pages(2);
    let fails = false;
    const list = new EntryList(async (query) => {
      if (fails) throw new Error('away');
      return fetch(query);
    });
    await list.load(0);
    fails = true;
    await list.load(1500);
    expect([list.state.count, String(list.state.error)]).toEqual([1000, 'Error: away']);
    fails = false;
    await list.load(1500);
    expect([list.state.count, list.state.error, list.state.isWhole]).toEqual([2000, undefined, true]);
  });

  it('stop when nobody looks any more', async () => {
    const { asked, fetch } = pages(50);
    const list = new EntryList(async (query) => {
      if (asked.length === 3) list.close();
      return fetch(query);
    });
    await list.load(40_000);
    expect(asked.length).toBeLessThanOrEqual(4);
    expect(list.state.error).toBeUndefined();
  });
});
