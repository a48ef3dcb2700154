/**
 * Copies a state from one engine to another, table by table in constant memory, all of it or nothing. Both sides count their rows and
 * hash them in the same canonical form and order; a copy whose hashes differ is not kept. Sealed secrets stay sealed.
 */
import { createHash } from 'node:crypto';
import { PackageRError } from '#errors/error.ts';
import type { SqlValue } from '#state/state.ts';

export interface TableShape {
  readonly name: string;
  /** In the order of their names. */
  readonly columns: readonly string[];
  /** Those of its primary key, by which rows are ordered: numbers as such, texts by their bytes. */
  readonly key: readonly string[];
  /** The column whose numbers the engine gives and never gives again. */
  readonly identity?: string | undefined;
  /** Tables whose rows its own refer to. */
  readonly refersTo: readonly string[];
}

type Row = readonly SqlValue[];

/** One consistent view of a state, whatever is written meanwhile. */
export interface RowSource {
  /** Names of the migrations that it has gone through, in order. */
  readonly migrations: readonly string[];
  readonly tables: readonly TableShape[];
  /** Rows in the order of the key, values in the order of the columns, in batches. */
  read(table: TableShape): AsyncIterable<readonly Row[]>;
  /** The highest number that its identity column ever gave; 0 for none. */
  lastIdentity(table: TableShape): Promise<number>;
  close(): Promise<void>;
}

/** An empty state, which is not there for others before `commit`. */
export interface RowTarget extends RowSource {
  load(table: TableShape, batches: AsyncIterable<readonly Row[]>): Promise<void>;
  /** Numbers behind this one are given next. */
  setIdentity(table: TableShape, last: number): Promise<void>;
  /** Makes it durable and visible. Without it, `close` leaves nothing behind. */
  commit(): Promise<void>;
}

export interface TableCopy {
  readonly table: string;
  readonly rows: number;
  /** Hex SHA-256 of the canonical rows. */
  readonly sha256: string;
}

export interface CopyOptions {
  readonly signal?: AbortSignal | undefined;
  /** `rows`: of this table so far; `added`: since it was told last. */
  onProgress?: ((table: string, rows: number, added: number) => void) | undefined;
}

/** These come last: as long as they are not there, no row of theirs counts as frozen, and rows may be loaded. */
const last: readonly string[] = ['version', 'package'];

/**
 * Errors: state_newer where the two are not of one schema, exists where the target holds rows, verify_failed where the copy differs.
 * The caller closes both.
 */
export async function copyRows(source: RowSource, target: RowTarget, options: CopyOptions = {}): Promise<TableCopy[]> {
  checkShapes(source, target);
  await checkEmpty(target);
  const tables = inOrder(source.tables);
  const copies: TableCopy[] = [];
  for (const table of tables) {
    const sent = new RowHash(table.name, options);
    await target.load(table, sent.through(source.read(table)));
    if (table.identity !== undefined) await target.setIdentity(table, await source.lastIdentity(table));
    copies.push(sent.finish());
  }
  for (const [index, table] of tables.entries()) {
    const kept = new RowHash(table.name, { signal: options.signal });
    for await (const _ of kept.through(target.read(table)));
    const { rows, sha256 } = kept.finish();
    const sent = copies[index];
    if (sent?.rows !== rows || sent.sha256 !== sha256)
      throw new PackageRError('verify_failed', `The copy of the table ${table.name} differs: ${rows} rows of ${sent?.rows}.`);
  }
  await target.commit();
  return copies;
}

/** What is referred to comes first. */
function inOrder(tables: readonly TableShape[]): TableShape[] {
  const waiting = tables.filter(({ name }) => !last.includes(name));
  const ordered: TableShape[] = [];
  while (waiting.length > 0) {
    const free = waiting.findIndex(({ refersTo }) => !waiting.some(({ name }) => refersTo.includes(name)));
    ordered.push(...waiting.splice(Math.max(0, free), 1));
  }
  return [...ordered, ...last.flatMap((one) => tables.filter(({ name }) => name === one))];
}

function checkShapes(source: RowSource, target: RowTarget): void {
  const shapeOf = ({ migrations, tables }: RowSource): string =>
    JSON.stringify([migrations, tables.map(({ name, columns }) => [name, columns])]);
  if (shapeOf(source) !== shapeOf(target))
    throw new PackageRError('state_newer', 'The two states are not of one schema: open the older one with this packageR first.');
}

async function checkEmpty(target: RowTarget): Promise<void> {
  for (const table of target.tables) {
    for await (const rows of target.read(table)) {
      if (rows.length > 0)
        throw new PackageRError(
          'exists',
          `The state to copy to is not empty: it has rows in ${table.name}. Empty it, or name another place.`,
        );
    }
  }
}

/** Counts and hashes rows on their way. */
class RowHash {
  readonly #table: string;
  readonly #options: CopyOptions;
  readonly #hash = createHash('sha256');
  #rows = 0;

  constructor(table: string, options: CopyOptions) {
    this.#table = table;
    this.#options = options;
  }

  async *through(batches: AsyncIterable<readonly Row[]>): AsyncGenerator<readonly Row[]> {
    for await (const rows of batches) {
      if (this.#options.signal?.aborted === true) throw new PackageRError('cancelled');
      this.#hash.update(rows.map(canonical).join(''));
      this.#rows += rows.length;
      this.#options.onProgress?.(this.#table, this.#rows, rows.length);
      yield rows;
      // Others get their turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  finish(): TableCopy {
    return { table: this.#table, rows: this.#rows, sha256: this.#hash.digest('hex') };
  }
}

/** A line of JSON: numbers and texts as such, bytes as an object with their hex. */
function canonical(row: Row): string {
  const values = row.map((value) => (value instanceof Uint8Array ? { hex: Buffer.from(value).toString('hex') } : value));
  return `${JSON.stringify(values)}\n`;
}
