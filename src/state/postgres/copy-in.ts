/**
 * Bulk loads by COPY … FROM STDIN in its binary form, where nothing is escaped: a length stands before each value.
 * Source: https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.4
 */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type ClientBase, escapeIdentifier, types as pgTypes } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { SqlValue } from '#state/state.ts';
import { checkText } from './values.ts';

/** What the values of a column are; others are not loaded by COPY. */
export type CopyType = 'int' | 'text' | 'bytes';

const copyTypes: Readonly<Record<number, CopyType>> = {
  [pgTypes.builtins.INT8]: 'int',
  [pgTypes.builtins.TEXT]: 'text',
  [pgTypes.builtins.BYTEA]: 'bytes',
};

/** Rows in batches, each of which stays in memory while it is written. */
export type RowBatches = Iterable<readonly (readonly SqlValue[])[]> | AsyncIterable<readonly (readonly SqlValue[])[]>;

const signature = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
const trailer = Buffer.of(0xff, 0xff);
const chunkSize = 64 * 1024;

/** Types of the columns of a table, by name; undefined for a column that COPY cannot load. */
export async function copyTypesOf(client: ClientBase, table: string): Promise<ReadonlyMap<string, CopyType | undefined>> {
  const { rows } = await client.query<{ attname: string; atttypid: number }>({
    text: 'select attname, atttypid from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped',
    values: [escapeIdentifier(table)],
  });
  return new Map(rows.map(({ attname, atttypid }) => [attname, copyTypes[atttypid]]));
}

/**
 * Loads the rows, in constant memory, and gives their number. Identity columns take the values given.
 * Errors: request_invalid for a text that cannot be kept; those of pg.
 */
export async function copyIn(
  client: ClientBase,
  table: string,
  columns: readonly string[],
  columnTypes: readonly CopyType[],
  batches: RowBatches,
): Promise<number> {
  const names = columns.map(escapeIdentifier).join(', ');
  const target = client.query(copyFrom(`copy ${escapeIdentifier(table)} (${names}) from stdin (format binary)`));
  let fault: unknown;
  const bytes = async function* write(): AsyncGenerator<Buffer> {
    try {
      yield* writeCopy(columnTypes, batches);
    } catch (error) {
      fault = error;
      throw error;
    }
  };
  try {
    await pipeline(Readable.from(bytes(), { objectMode: false, highWaterMark: chunkSize }), target);
  } catch (error) {
    // Where the rows could not be had, the database only says that it was told to stop.
    throw fault ?? error;
  }
  return target.rowCount;
}

/** The bytes of a binary COPY, in chunks. */
async function* writeCopy(columnTypes: readonly CopyType[], batches: RowBatches): AsyncGenerator<Buffer> {
  const writer = new CopyWriter(columnTypes);
  yield signature;
  for await (const rows of batches) {
    for (const row of rows) {
      writer.write(row);
      if (writer.size >= chunkSize) yield writer.take();
    }
  }
  yield writer.take();
  yield trailer;
}

class CopyWriter {
  readonly #types: readonly CopyType[];
  #buffer: Buffer = Buffer.allocUnsafe(2 * chunkSize);
  size = 0;

  constructor(columnTypes: readonly CopyType[]) {
    this.#types = columnTypes;
  }

  write(row: readonly SqlValue[]): void {
    const types = this.#types;
    if (row.length !== types.length) throw new TypeError(`a row has ${row.length} values for ${types.length} columns`);
    this.#reserve(2 + types.length * 12);
    this.size = this.#buffer.writeInt16BE(types.length, this.size);
    for (let index = 0; index < types.length; index++) this.#value(types[index] as CopyType, row[index] ?? null);
  }

  /** What was written since; its memory is the caller’s. */
  take(): Buffer {
    const taken = this.#buffer.subarray(0, this.size);
    this.#buffer = Buffer.allocUnsafe(2 * chunkSize);
    this.size = 0;
    return taken;
  }

  #value(type: CopyType, value: SqlValue): void {
    if (value === null) {
      this.#reserve(4);
      this.size = this.#buffer.writeInt32BE(-1, this.size);
    } else if (type === 'int' && typeof value === 'number') this.#integer(value);
    else if (type === 'text' && typeof value === 'string') this.#text(checkText(value));
    else if (type === 'bytes' && value instanceof Uint8Array) this.#bytes(value);
    else throw new TypeError(`a ${typeof value} stands in a column of type ${type}`);
  }

  #integer(value: number): void {
    if (!Number.isSafeInteger(value)) throw new TypeError('an integer is not safe');
    this.#reserve(12);
    const high = Math.floor(value / 2 ** 32);
    this.size = this.#buffer.writeInt32BE(8, this.size);
    this.size = this.#buffer.writeInt32BE(high, this.size);
    this.size = this.#buffer.writeUInt32BE(value - high * 2 ** 32, this.size);
  }

  #text(value: string): void {
    this.#reserve(4 + value.length * 3);
    const length = this.#buffer.write(value, this.size + 4);
    this.#buffer.writeInt32BE(length, this.size);
    this.size += 4 + length;
  }

  #bytes(value: Uint8Array): void {
    this.#reserve(4 + value.length);
    this.size = this.#buffer.writeInt32BE(value.length, this.size);
    this.#buffer.set(value, this.size);
    this.size += value.length;
  }

  #reserve(bytes: number): void {
    if (this.size + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.size + bytes));
    this.#buffer.copy(larger, 0, 0, this.size);
    this.#buffer = larger;
  }
}
