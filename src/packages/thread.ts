/**
 * The entry of the threads that read packages beside the event loop. It must load fast, since somebody waits for `next`: no Kysely, statements
 * come as text, and what only longer work needs comes with that.
 */
import { serveReads, type ThreadContext } from '#state/sqlite/reader-thread.ts';
import type { SqlValue } from '#state/state.ts';
import type { CompareInput, HashInput, VerifyInput } from './threads.ts';

/** Bytes of the file that are mapped while a million rows are passed over: half of that is reading pages. Given back at once. */
const mappedBytes = 2 ** 31 - 65_536;

serveReads({
  next({ all }: ThreadContext, { sql, values }: { readonly sql: string; readonly values: readonly SqlValue[] }) {
    all(`pragma mmap_size = ${mappedBytes}`);
    try {
      return all(sql, ...values)[0]?.[0];
    } finally {
      all('pragma mmap_size = 0');
    }
  },
  async hash({ all, throwIfStopped }: ThreadContext, { texts, view, slices }: HashInput) {
    const { hashSlice } = await import('./range-hash.ts');
    const hashed = [];
    for (const slice of slices) hashed.push(await hashSlice((name, values) => all(texts[name], ...values), view, slice, throwIfStopped));
    return hashed;
  },
  async compare({ all, throwIfStopped }: ThreadContext, { texts, old, fresh }: CompareInput) {
    const { compareFolders } = await import('./folder-compare.ts');
    return compareFolders((name, values) => all(texts[name], ...values), old, fresh, throwIfStopped);
  },
  async verify({ all, throwIfStopped }: ThreadContext, { texts, view, slices, version, textBytes }: VerifyInput) {
    const [{ hashSlice }, { textCheck }] = await Promise.all([import('./range-hash.ts'), import('./text-check.ts')]);
    const check = textCheck(version, (sha256) => all(textBytes, view.package, sha256)[0]?.[0]);
    const hashed = [];
    for (const slice of slices)
      hashed.push(await hashSlice((name, values) => all(texts[name], ...values), view, slice, throwIfStopped, check));
    return hashed;
  },
});
