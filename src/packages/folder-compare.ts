/**
 * Whether one folder is another one, moved: both are read side by side, in order, and what differs is named. Imports nothing that is slow
 * to load.
 */
import { compareBytes } from '#model/path.ts';
import type { SqlValue } from '#state/state.ts';
import { isSame, leafColumns, leafOf } from './entry-row.ts';
import { type AskWindow, readWindow, type View } from './entry-windows.ts';

/** A folder at a step; `prefix` ends in a slash. */
export interface FolderSide {
  readonly view: View;
  readonly prefix: string;
}

export interface FolderMatch {
  /** Entries that are the same on both sides. */
  readonly entries: number;
  /** Sum of their sizes. */
  readonly bytes: number;
  /** Paths below both prefixes, in byte order, at which they differ. */
  readonly different: readonly string[];
}

/** A folder with more differences is no moved folder. */
export const mostDifferences = 1000;

const windowRows = 1000;

/** Undefined where too much differs. Reads the values of `leafColumns`. */
export async function compareFolders(
  ask: AskWindow,
  then: FolderSide,
  now: FolderSide,
  pause: () => Promise<void> | void,
): Promise<FolderMatch | undefined> {
  const [old, fresh] = [new Side(ask, then), new Side(ask, now)];
  const different: string[] = [];
  let entries = 0;
  let bytes = 0;
  for (;;) {
    if (old.isUsedUp || fresh.isUsedUp) await pause();
    const a = old.head ?? (await old.refill());
    const b = fresh.head ?? (await fresh.refill());
    if (a === undefined && b === undefined) return { entries, bytes, different };
    const order = a === undefined ? 1 : b === undefined ? -1 : compareBytes(old.name, fresh.name);
    if (order === 0 && isEqual(a as Row, b as Row)) {
      entries += 1;
      bytes += (a as Row)[sizeAt] as number;
    } else {
      different.push(order <= 0 ? old.name : fresh.name);
      if (different.length > mostDifferences) return undefined;
    }
    if (order <= 0) old.take();
    if (order >= 0) fresh.take();
  }
}

type Row = readonly SqlValue[];

/** Places of the columns that say what an entry is: all but path and date. */
const compared = leafColumns.flatMap((column, at) => (column === 'path' || column === 'modified_at' ? [] : [at]));
const sizeAt = leafColumns.indexOf('size');

/** Columns that are written alike say the same; others may. */
function isEqual(a: Row, b: Row): boolean {
  return compared.every((at) => a[at] === b[at]) || isSame(leafOf(a), leafOf(b));
}

class Side {
  readonly #ask: AskWindow;
  readonly #view: View;
  readonly #prefix: string;
  readonly #before: string;
  #rows: readonly Row[] = [];
  #at = 0;
  #next: string | undefined;

  constructor(ask: AskWindow, { view, prefix }: FolderSide) {
    this.#ask = ask;
    this.#view = view;
    this.#prefix = prefix;
    this.#before = `${prefix.slice(0, -1)}0`;
    this.#next = prefix;
  }

  get head(): Row | undefined {
    return this.#rows[this.#at];
  }

  /** Below the prefix. */
  get name(): string {
    return String(this.head?.[0]).slice(this.#prefix.length);
  }

  get isUsedUp(): boolean {
    return this.#at >= this.#rows.length;
  }

  take(): void {
    this.#at += 1;
  }

  async refill(): Promise<Row | undefined> {
    while (this.#next !== undefined) {
      const { rows, next } = await readWindow(this.#ask, this.#view, this.#next, this.#before, windowRows);
      this.#rows = rows;
      this.#at = 0;
      this.#next = next;
      if (rows.length > 0) return rows[0];
    }
    return undefined;
  }
}
