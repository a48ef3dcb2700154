/**
 * A Secret holds a value that must not be printed, logged, serialised or compared by accident. Only `reveal()` opens it; it is
 * called in drivers, in access, and where secrets are sealed, nowhere else.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { inspect } from 'node:util';
import { PackageRError } from '#errors/error.ts';

export class Secret {
  readonly #value: string;

  private constructor(value: string) {
    this.#value = value;
  }

  /** Refuses an empty value and a NUL; one trailing line break (of a file or stdin) is dropped. Errors: secret_invalid. */
  static parse(text: string): Secret {
    const value = text.replace(/\r?\n$/, '');
    if (value === '') throw new PackageRError('secret_invalid', 'The secret is empty.');
    if (value.includes('\0')) throw new PackageRError('secret_invalid', 'The secret holds a NUL.');
    return new Secret(value);
  }

  reveal(): string {
    return this.#value;
  }

  /** Constant-time; a missing or empty value equals nothing. */
  equals(other: string | undefined): boolean {
    return other !== undefined && other !== '' && equalSecrets(this.#value, other);
  }

  toJSON(): string {
    return '[secret]';
  }

  toString(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}

/** Compares two secrets as digests of equal length, in constant time. Two empty ones are not equal. */
export function equalSecrets(a: string, b: string): boolean {
  if (a === '' || b === '') return false;
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());
}
