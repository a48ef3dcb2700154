/** The entry of the threads that read packages beside the event loop. It must load fast: no Kysely, statements come as text. */
import { serveReads, type ThreadContext } from '#state/sqlite/reader-thread.ts';
import type { SqlValue } from '#state/state.ts';
import { compareFolders } from './folder-compare.ts';
import { hashSlice } from './range-hash.ts';
import { textCheck } from './text-check.ts';
import type { CompareInput, HashInput, VerifyInput } from './threads.ts';

serveReads({
  next({ all }: ThreadContext, { sql, values }: { readonly sql: string; readonly values: readonly SqlValue[] }) {
    return all(sql, ...values)[0]?.[0];
  },
  async hash({ all, throwIfStopped }: ThreadContext, { texts, view, slices }: HashInput) {
    const hashed = [];
    for (const slice of slices) hashed.push(await hashSlice((name, values) => all(texts[name], ...values), view, slice, throwIfStopped));
    return hashed;
  },
  compare({ all, throwIfStopped }: ThreadContext, { texts, old, fresh }: CompareInput) {
    return compareFolders((name, values) => all(texts[name], ...values), old, fresh, throwIfStopped);
  },
  async verify({ all, throwIfStopped }: ThreadContext, { texts, view, slices, version, textBytes }: VerifyInput) {
    const check = textCheck(version, (sha256) => all(textBytes, view.package, sha256)[0]?.[0]);
    const hashed = [];
    for (const slice of slices)
      hashed.push(await hashSlice((name, values) => all(texts[name], ...values), view, slice, throwIfStopped, check));
    return hashed;
  },
});
