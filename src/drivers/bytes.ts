/** Rules about bytes that every driver keeps alike: which range is meant, and that a body is as long as was said. */
import { abortable, throwIfAborted } from '#drivers/abort.ts';
import type { ReadObjectOptions, WriteOptions } from '#drivers/driver.ts';
import { PackageRError } from '#errors/error.ts';

/**
 * Bytes [start, end) of an object of `size` bytes, cut at its end; all where no range is asked.
 * Errors: range_invalid for an empty or negative range, and for one that begins at or behind the end.
 */
export function clipRange(range: ReadObjectOptions['range'], size: number): { readonly start: number; readonly end: number } {
  if (range === undefined) return { start: 0, end: size };
  const { start, end } = range;
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end <= start || start >= size) {
    throw new PackageRError('range_invalid', `Bytes ${start} to ${end} do not lie in an object of ${size} bytes.`, {
      operation: 'driver.read',
    });
  }
  return { start, end: Math.min(end, size) };
}

/** The body, checked against the announced size while it flows. Errors: request_invalid for another size; cancelled. */
export async function* sizedBody(body: AsyncIterable<Uint8Array>, options: WriteOptions = {}): AsyncGenerator<Uint8Array> {
  let seen = 0;
  const iterator = body[Symbol.asyncIterator]();
  let done = false;
  try {
    for (;;) {
      const next = await abortable(Promise.resolve(iterator.next()), options.signal);
      if (next.done === true) break;
      seen += next.value.length;
      if (options.size !== undefined && seen > options.size) throw wrongSize(options.size, 'longer');
      yield next.value;
    }
    done = true;
  } finally {
    if (!done) void iterator.return?.()?.catch(() => undefined);
  }
  throwIfAborted(options.signal);
  if (options.size !== undefined && seen < options.size) throw wrongSize(options.size, `shorter (${seen})`);
}

function wrongSize(size: number, how: string): PackageRError {
  return new PackageRError('request_invalid', `The body is ${how} than the ${size} bytes that were announced.`, {
    operation: 'driver.write',
  });
}
