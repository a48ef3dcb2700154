/** Work on many items at once, with the answers in the order of the items. */
import { asError } from '#errors/error.ts';
import { Turn } from '#model/turn.ts';

/**
 * At most `limit` under way; an answer is given out as soon as it and all before it are there, also while the next item has not come.
 * `work` does not reject. Stops when the signal aborts or the reader leaves. Errors: those of `items`; cancelled.
 */
export async function* inOrder<T, R>(
  items: AsyncIterable<T>,
  work: (item: T, index: number) => Promise<R>,
  limit: number,
  signal?: AbortSignal,
): AsyncGenerator<R> {
  const iterator = items[Symbol.asyncIterator]();
  const running: Promise<R>[] = [];
  let next: Promise<IteratorResult<T>> | undefined;
  let index = 0;
  let isEnded = false;
  // Items and answers that are there at once would leave others no turn.
  const turn = new Turn();
  try {
    while (!isEnded || running.length > 0) {
      await turn.pause();
      if (signal?.aborted) throw asError(signal.reason, 'exchange.bulk');
      if (!isEnded && running.length < limit) next ??= iterator.next();
      const winner = await firstOf(running[0], next, signal);
      if (winner === 'head') {
        yield (await running.shift()) as R;
      } else if (next !== undefined) {
        const item = await next;
        next = undefined;
        if (item.done === true) isEnded = true;
        else running.push(work(item.value, index++));
      }
    }
  } finally {
    next?.catch(() => undefined);
    if (!isEnded) void Promise.resolve(iterator.return?.()).catch(() => undefined);
  }
}

async function firstOf(
  head: Promise<unknown> | undefined,
  next: Promise<unknown> | undefined,
  signal: AbortSignal | undefined,
): Promise<'head' | 'next'> {
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(asError(signal?.reason, 'exchange.bulk'));
    signal?.addEventListener('abort', stop, { once: true });
  });
  const contenders = [head?.then(() => 'head' as const), next?.then(() => 'next' as const), aborted];
  try {
    return await Promise.race(contenders.filter((one) => one !== undefined));
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}
