/** How a driver or layer stops when its caller goes away: a signal’s reason becomes one of our errors. */
import { asError, PackageRError } from '#errors/error.ts';

/** Errors: cancelled; timeout where the signal ended by one; the reason itself where it is ours. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal);
}

/** The error that stands for an aborted signal. */
export function abortError(signal: AbortSignal): PackageRError {
  const reason: unknown = signal.reason;
  const known = asError(reason);
  return known.code === 'internal' && known !== reason ? new PackageRError('cancelled', undefined, { cause: reason }) : known;
}

/** Settles as `promise` does, or fails as soon as the signal aborts; what `promise` then gives is dropped. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  promise.catch(() => undefined);
  throwIfAborted(signal);
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(abortError(signal));
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
