/**
 * Passwords: Argon2id of Node itself, kept as a PHC string with its parameters. Hashing costs 19 MiB and some 40 ms, so at most one
 * runs per core at a time.
 * Source: OWASP Password Storage Cheat Sheet (m=19 MiB, t=2, p=1); RFC 9106; PHC string format.
 */
import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { PackageRError } from '#errors/error.ts';
import { Secret } from '#model/secret.ts';

/** Bytes of UTF-8. */
export const passwordLimits = { min: 12, minShare: 8, max: 1024 } as const;

const cost = { memory: 19_456, passes: 2, parallelism: 1 } as const;
const tagLength = 32;
const waitingLimit = 256;

const derive = promisify(argon2);

/** Errors: too_large over 1024 bytes, password_weak below `min` bytes (12 where left out), for a NUL and for text that is no Unicode. */
export function checkPasswordPolicy(text: string, { min = passwordLimits.min }: { readonly min?: number } = {}): void {
  const bytes = measure(text);
  if (bytes < min) throw new PackageRError('password_weak', `The password has fewer than ${min} bytes.`);
  if (!isSound(text)) throw new PackageRError('password_weak', 'The password holds a NUL or is not valid Unicode.');
}

/** Does not check the policy, only the upper limit. Errors: too_large, password_weak (NUL), rate_limited while too many wait. */
export async function hashPassword(password: Secret): Promise<string> {
  checkPasswordPolicy(password.reveal(), { min: 1 });
  const salt = randomBytes(16);
  const hash = await compute(password.reveal(), salt, cost);
  return `$argon2id$v=19$m=${cost.memory},t=${cost.passes},p=${cost.parallelism}$${toBase64(salt)}$${toBase64(hash)}`;
}

/**
 * `hash` null (no such account, or one without a password) costs the same work and is false.
 * Errors: too_large, rate_limited while too many wait.
 */
export async function verifyPassword(password: Secret | string, hash: string | null): Promise<boolean> {
  const text = password instanceof Secret ? password.reveal() : password;
  measure(text);
  const stored = hash === null ? undefined : parseHash(hash);
  const { salt, tag, ...parameters } = stored ?? { salt: randomBytes(16), tag: randomBytes(tagLength), ...cost };
  const isEqual = timingSafeEqual(await compute(text, salt, parameters), tag);
  return isEqual && stored !== undefined && text !== '' && isSound(text);
}

function measure(text: string): number {
  const bytes = text.length > passwordLimits.max ? text.length : Buffer.byteLength(text);
  if (bytes > passwordLimits.max) throw new PackageRError('too_large', `A password has at most ${passwordLimits.max} bytes.`);
  return bytes;
}

function isSound(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

interface Cost {
  readonly memory: number;
  readonly passes: number;
  readonly parallelism: number;
}

interface StoredHash extends Cost {
  readonly salt: Buffer;
  readonly tag: Buffer;
}

function parseHash(hash: string): StoredHash | undefined {
  const match = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{43})$/.exec(hash);
  if (match === null) return undefined;
  const [, memory, passes, parallelism, salt = '', tag = ''] = match;
  return {
    memory: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
    salt: Buffer.from(salt, 'base64'),
    tag: Buffer.from(tag, 'base64'),
  };
}

function toBase64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}

const waiting: (() => void)[] = [];
let running = 0;

async function compute(text: string, salt: Buffer, { memory, passes, parallelism }: Cost): Promise<Buffer> {
  if (running >= availableParallelism()) {
    if (waiting.length >= waitingLimit)
      throw new PackageRError('rate_limited', 'Too many passwords are being checked.', { retry: 'temporary', retryAfter: 10 });
    await new Promise<void>((resolve) => waiting.push(resolve));
  } else {
    running++;
  }
  try {
    return await derive('argon2id', { message: Buffer.from(text), nonce: salt, memory, passes, parallelism, tagLength });
  } finally {
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  }
}
