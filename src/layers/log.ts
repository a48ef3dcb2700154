/** One structured event for each call of a driver: what, how long, how it ended. Never a URL, a query, a secret or upstream text. */
import type { Driver } from '#drivers/driver.ts';
import { asError } from '#errors/error.ts';
import type { ErrorCode } from '#errors/table.ts';
import { intercept, type Verb, watched } from '#layers/intercept.ts';
import { type Clock, systemClock } from '#model/clock.ts';

export interface DriverEvent {
  readonly event: 'driver.call';
  readonly kind: string;
  readonly verb: Verb;
  /** Key or prefix, escaped, at most 1 KiB. */
  readonly key?: string;
  /** Until the answer; for `read`, until the end of its body. */
  readonly milliseconds: number;
  /** Of a body that was read. */
  readonly bytes?: number;
  readonly error?: ErrorCode;
}

export interface LogOptions {
  readonly write: (event: DriverEvent) => void;
  readonly clock?: Clock;
}

export function log(driver: Driver, { write, clock = systemClock }: LogOptions): Driver {
  const begin = (verb: Verb, key: string | undefined) => {
    const began = clock();
    const place = key === undefined ? {} : { key: escapeKey(key) };
    return (more: { bytes?: number; error?: unknown } = {}): void => {
      const { bytes, error } = more;
      write({
        event: 'driver.call',
        kind: driver.kind,
        verb,
        ...place,
        milliseconds: clock() - began,
        ...(bytes !== undefined && { bytes }),
        ...(error !== undefined && { error: asError(error).code }),
      });
    };
  };
  return intercept(driver, {
    async call({ verb, key }, run) {
      const end = begin(verb, key);
      try {
        const result = await run();
        end();
        return result;
      } catch (error) {
        end({ error });
        throw error;
      }
    },
    async read({ verb, key }, asked, run) {
      const end = begin(verb, key);
      try {
        const { info, body } = await run(asked);
        let bytes = 0;
        return {
          info,
          body: watched(body, {
            chunk: (length) => {
              bytes += length;
            },
            end: (error) => end(error === undefined ? { bytes } : { bytes, error }),
          }),
        };
      } catch (error) {
        end({ error });
        throw error;
      }
    },
  });
}

/** One line that a terminal shows as it is: control, bidirectional and separator characters become \\uXXXX. */
function escapeKey(key: string): string {
  const escaped = key
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`);
  return escaped.length > 1024 ? `${escaped.slice(0, 1023)}…` : escaped;
}
