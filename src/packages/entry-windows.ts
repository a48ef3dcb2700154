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
