/** What packages let threads of the state do: the questions, as they are asked from the event loop. */
import type { ReadThreads, SqlValue } from '#state/state.ts';
import type { View, WindowName } from './entry-windows.ts';
import type { FolderMatch, FolderSide } from './folder-compare.ts';
import type { HashedSlice, Slice } from './range-hash.ts';

const isSource = import.meta.url.endsWith('.ts');

/** The module of the threads. */
const entry = new URL(isSource ? './thread.ts' : './thread.js', import.meta.url);

/** A statement that finds the first visible row path, however many rows it has to look at. */
export async function nextInThread(
  threads: ReadThreads,
  sql: string,
  values: readonly SqlValue[],
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  return threads.run<string | undefined>({ entry, name: 'next', input: { sql, values }, isShort: true, signal });
}

/** Milliseconds: less than the thread stays without work. */
const warmFor = 60_000;
const warmed = new WeakMap<ReadThreads, number>();

/** Has the thread of short questions start before somebody waits for it. At once, and never fails. */
export function warmThread(threads: ReadThreads): void {
  const now = performance.now();
  if (now - (warmed.get(threads) ?? -warmFor) < warmFor) return;
  warmed.set(threads, now);
  nextInThread(threads, 'select null', [], undefined).catch(() => warmed.delete(threads));
}

/** The statements of windows over `hashColumns`, as text. */
export type WindowTexts = Readonly<Record<WindowName, string>>;

export interface HashInput {
  readonly texts: WindowTexts;
  readonly view: View;
  readonly slices: readonly Slice[];
}

export interface VerifyInput extends HashInput {
  /** Number of the version, for what is said of it. */
  readonly version: number;
  /** The statement that gives the bytes of a text: package, SHA-256. */
  readonly textBytes: string;
}

/** `texts`: of windows over the columns of leaves. */
export type CompareInput = Omit<HashInput, 'slices' | 'view'> & { readonly old: FolderSide; readonly fresh: FolderSide };

export function compareInThread(
  threads: ReadThreads,
  input: CompareInput,
  signal: AbortSignal | undefined,
): Promise<FolderMatch | undefined> {
  return threads.run<FolderMatch | undefined>({ entry, name: 'compare', input, signal });
}

/** As hashing, with a look at the texts. Errors: verify_failed. */
export function verifyInThread(threads: ReadThreads, input: VerifyInput, signal: AbortSignal | undefined): Promise<readonly HashedSlice[]> {
  return threads.run<readonly HashedSlice[]>({ entry, name: 'verify', input, signal });
}

export function hashInThread(threads: ReadThreads, input: HashInput, signal: AbortSignal | undefined): Promise<readonly HashedSlice[]> {
  return threads.run<readonly HashedSlice[]>({ entry, name: 'hash', input, signal });
}
