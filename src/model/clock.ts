/** Time and randomness are passed in, so that expiry and ids can be tested. */
import { randomFillSync } from 'node:crypto';

/** Milliseconds since 1970-01-01T00:00:00Z. */
export type Clock = () => number;

export const systemClock: Clock = Date.now;

/** A random id of 128 bits, 22 characters of A–Z a–z 0–9 - _ . */
export type MakeId = () => string;

export const randomId: MakeId = () => {
  if (usedBytes === pool.length) {
    randomFillSync(pool);
    usedBytes = 0;
  }
  usedBytes += idBytes;
  return pool.toString('base64url', usedBytes - idBytes, usedBytes);
};

const idBytes = 16;
/** Random bytes are asked of the system for many ids at once; each is used once. */
const pool = Buffer.alloc(256 * idBytes);
let usedBytes = pool.length;

/** RFC 3339 in UTC with milliseconds. */
export function toInstant(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
