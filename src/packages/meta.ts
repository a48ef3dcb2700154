/** Metadata of an entry: flat, at most 4 KiB as JSON. */
import { PackageRError } from '#errors/error.ts';
import type { Meta } from '#model/entry.ts';

/** Sets keys; null removes one. */
export type MetaPatch = Readonly<Record<string, string | number | boolean | null>>;

/** Bytes of the JSON, and of one key. */
const metaLimits = { bytes: 4096, key: 128 } as const;

/** Errors: meta_invalid. */
export function parseMetaPatch(value: unknown): MetaPatch {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('it is no object');
  for (const [key, one] of Object.entries(value)) {
    if (key === '' || Buffer.byteLength(key) > metaLimits.key || !key.isWellFormed())
      throw invalid(`a key has 1 to ${metaLimits.key} bytes`);
    if (key === '__proto__') throw invalid('“__proto__” is no key');
    const isValue = one === null || typeof one === 'boolean' || (typeof one === 'string' && one.isWellFormed()) || isNumber(one);
    if (!isValue) throw invalid(`the value of ${JSON.stringify(key)} is no string, boolean or number`);
  }
  return value as MetaPatch;
}

/** Errors: meta_invalid above 4 KiB. */
export function patchMeta(before: Meta, patch: MetaPatch): Meta {
  const after: Record<string, string | number | boolean> = { ...before };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete after[key];
    else after[key] = value;
  }
  if (Buffer.byteLength(JSON.stringify(after)) > metaLimits.bytes) throw invalid(`it is larger than ${metaLimits.bytes} bytes`);
  return after;
}

function isNumber(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && (Number.isSafeInteger(value) || !Number.isInteger(value));
}

function invalid(why: string): PackageRError {
  return new PackageRError('meta_invalid', `The metadata is not valid: ${why}.`);
}
