/** Values on their way to PostgreSQL and back: what SQLite gives as a number, a text or bytes comes as the same here. */
import { type CustomTypesConfig, types } from 'pg';
import { PackageRError } from '#errors/error.ts';
import type { SqlValue } from '#state/state.ts';

const { BOOL, BYTEA, INT8, NUMERIC } = types.builtins;

function readInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError('the state holds an integer that is not safe');
  return value;
}

/** Sums of integers come as decimals. */
function readNumeric(text: string): number {
  return /^-?\d+$/.test(text) ? readInteger(text) : Number(text);
}

function readBytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.slice(2), 'hex'));
}

/** From the text form. Integers beyond 2^53 − 1 are an error, never rounded. */
export function readValue(type: number, text: string | null): SqlValue {
  if (text === null) return null;
  switch (type) {
    case INT8:
      return readInteger(text);
    case NUMERIC:
      return readNumeric(text);
    case BYTEA:
      return readBytes(text);
    case BOOL:
      return text === 't' ? 1 : 0;
    default:
      return types.getTypeParser(type, 'text')(text) as SqlValue;
  }
}

export const valueTypes: CustomTypesConfig = {
  getTypeParser: (type: number) => (text: string) => readValue(type, text),
} as CustomTypesConfig;

/**
 * A text that PostgreSQL can hold: no NUL, no half of a surrogate pair, which would become another text in silence.
 * Errors: request_invalid.
 */
export function checkText(text: string): string {
  if (text.includes('\0') || !text.isWellFormed())
    throw new PackageRError('request_invalid', 'A text holds a NUL or half of a character, which cannot be kept.', { operation: 'state' });
  return text;
}

/** As the protocol takes it. */
export function writeParameter(value: unknown): string | Buffer | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return checkText(value);
  if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  throw new TypeError(`a value of type ${typeof value} is none of the state`);
}
