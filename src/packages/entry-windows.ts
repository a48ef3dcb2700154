/**
 * Reading entries by windows of a bounded number of rows, visible or not. Asks by name and values, so that it works where statements are
 * made ready, and in threads that are given them as text; imports nothing that is slow to load.
 */
import type { SqlValue } from '#state/state.ts';

/** What stands just behind a row path, before all others: no path holds a control character. */
export function behind(path: string): string {
  return `${path}\u0001`;
}

export type WindowName = 'bound' | 'boundBefore' | 'upTo' | 'rest' | 'restBefore' | 'next' | 'nextBefore';

/** With the statements that give invisible rows too. */
export type WalkName = WindowName | 'all' | 'allBefore';

/** One window of visible rows. `next`: where the next one begins, absent at the end. */
export interface Window {
  readonly rows: readonly (readonly SqlValue[])[];
  readonly next?: string;
}

/** What is read at: a package, a step, and 0 with folders or 1 without. */
export interface View {
  readonly package: number;
  readonly step: number;
  readonly leastKind: number;
}

type Rows = readonly (readonly SqlValue[])[];

/** One statement by name and values. */
export type AskWindow = (name: WindowName, values: readonly SqlValue[]) => Rows | Promise<Rows>;

type AskWalk = (name: WalkName, values: readonly SqlValue[]) => Rows | Promise<Rows>;

/**
 * As readWindow, in one statement that gives all rows, with no kind where they are not visible: for walks, which as a rule see most of what
 * they look at.
 */
export async function readWhole(ask: AskWalk, view: View, from: string, before: string | undefined, size: number): Promise<Window> {
  const { package: id, step, leastKind } = view;
  const end = before === undefined ? [] : [before];
  const all = await ask(before === undefined ? 'all' : 'allBefore', [step, step, leastKind, id, from, ...end, size]);
  if (all.length < size) return { rows: all.filter(isVisible) };
  const next = all.at(-1)?.[0] as string;
  // Of the last path there may be more rows: it is looked at again, unless there is no other.
  if (all[0]?.[0] === next) return readWindow(ask, view, from, before, size);
  return { rows: all.filter((row) => isVisible(row) && row[0] !== next), next };
}

function isVisible(row: readonly SqlValue[]): boolean {
  return row[1] !== null;
}

/** Looks at `size` rows from `from` on and before `before`. */
export async function readWindow(ask: AskWindow, view: View, from: string, before: string | undefined, size: number): Promise<Window> {
  const { package: id, step, leastKind } = view;
  const end = before === undefined ? [] : [before];
  const bounds = await ask(before === undefined ? 'bound' : 'boundBefore', [id, from, ...end, 1, size - 1]);
  const last = bounds[0]?.[0];
  const values = [id, step, step, leastKind, from] as const;
  if (typeof last === 'string') return { rows: await ask('upTo', [...values, last]), next: behind(last) };
  return { rows: await ask(before === undefined ? 'rest' : 'restBefore', [...values, ...end]) };
}
