/** Where credentials come from while a source is open: fixed ones, none, or ones that are renewed. */
import { abortable } from '#drivers/abort.ts';
import type { Credentials } from '#drivers/s3/sign.ts';
import { PackageRError } from '#errors/error.ts';
import { type Clock, systemClock } from '#model/clock.ts';

export interface CredentialSource {
  /** anonymous: requests are not signed. */
  readonly kind: 'keys' | 'anonymous' | 'ambient';
  /** What is at hand and fresh enough to sign with now. */
  readonly current: Credentials | undefined;
  /** Those at hand, or new ones; undefined where anonymous. Errors: source_credentials, endpoint_refused, source_unavailable. */
  get(signal?: AbortSignal): Promise<Credentials | undefined>;
  /** Ends the refreshing. May be called twice. */
  close(): void;
}

/** Asks for credentials anew. Errors: source_credentials, endpoint_refused, source_unavailable. */
export type CredentialProvider = (signal: AbortSignal) => Promise<Credentials>;

/** Milliseconds: credentials with less left are not signed with any more. */
const least = 60_000;
/** Milliseconds between two attempts in the background. */
const pause = 60_000;

/** Always the same, until they end; undefined for none. */
export function fixedCredentials(credentials: Credentials | undefined, clock: Clock = systemClock): CredentialSource {
  const expiresAt = credentials?.expiresAt ?? Number.POSITIVE_INFINITY;
  return {
    kind: credentials === undefined ? 'anonymous' : 'keys',
    get current() {
      return clock() < expiresAt ? credentials : undefined;
    },
    async get() {
      if (clock() < expiresAt) return credentials;
      throw noCredentials('The session of the source’s keys has ended: set new keys.');
    },
    close: () => undefined,
  };
}

/**
 * Asked for once for all who wait, and again when half of their life has gone by, so that no request waits and URLs have life left. What
 * cannot be renewed is used until shortly before its end.
 */
export function refreshedCredentials(provider: CredentialProvider, clock: Clock): CredentialSource {
  const closing = new AbortController();
  let held: Credentials | undefined;
  let pending: Promise<Credentials> | undefined;
  let timer: NodeJS.Timeout | undefined;

  const isFresh = ({ expiresAt }: Credentials): boolean => expiresAt === undefined || expiresAt - clock() > least;
  const plan = (wait: number): void => {
    clearTimeout(timer);
    if (closing.signal.aborted) return;
    timer = setTimeout(() => void renew().catch(() => plan(pause)), Math.min(Math.max(wait, pause), 2 ** 31 - 1));
    timer.unref();
  };
  const renew = (): Promise<Credentials> => {
    pending ??= provider(closing.signal)
      .then((credentials) => {
        held = credentials;
        if (credentials.expiresAt !== undefined) plan((credentials.expiresAt - clock()) / 2);
        return credentials;
      })
      .finally(() => {
        pending = undefined;
      });
    return pending;
  };
  return {
    kind: 'ambient',
    get current() {
      return held !== undefined && isFresh(held) ? held : undefined;
    },
    async get(signal) {
      if (held !== undefined && isFresh(held)) return held;
      const credentials = await abortable(renew(), signal);
      if (credentials.expiresAt !== undefined && credentials.expiresAt <= clock())
        throw noCredentials('The credentials that were given have ended.');
      return credentials;
    },
    close() {
      closing.abort();
      clearTimeout(timer);
    },
  };
}

export function noCredentials(message: string, cause?: unknown): PackageRError {
  return new PackageRError('source_credentials', message, { operation: 'driver.open', ...(cause !== undefined && { cause }) });
}
