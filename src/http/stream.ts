/** Answers that go on while work does: NDJSON, one value a line, and server-sent events. */
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { toProblem } from './problem.ts';

const ndjson = 'application/x-ndjson; charset=utf-8';

/**
 * One JSON value a line. The first is awaited before the head is sent, so that a refusal has its status; what fails later ends the stream
 * with a line `{"error": {code, message}}`.
 */
export async function sendLines(reply: FastifyReply, values: AsyncIterable<unknown>): Promise<FastifyReply> {
  const iterator = values[Symbol.asyncIterator]();
  const first = await iterator.next();
  return reply.header('content-type', ndjson).send(Readable.from(writeLines(iterator, first), { objectMode: false }));
}

/** Characters of lines that are sent at once. */
const chunkLength = 32 * 1024;

/** Lines that come in one turn of the event loop go out together; none waits for one that does not come. */
async function* writeLines(iterator: AsyncIterator<unknown>, first: IteratorResult<unknown>): AsyncGenerator<string> {
  let text = '';
  let isDone = false;
  try {
    for (let next = first; next.done !== true; ) {
      text += `${JSON.stringify(next.value)}\n`;
      const coming = iterator.next();
      coming.catch(() => undefined);
      if (text.length > chunkLength || !(await isInTurn(coming))) {
        yield text;
        text = '';
      }
      next = await coming;
    }
    isDone = true;
    if (text !== '') yield text;
  } catch (thrown) {
    isDone = true;
    const { problem } = toProblem(thrown, '');
    yield `${text}${JSON.stringify({ error: { code: problem.code, message: problem.detail } })}\n`;
  } finally {
    if (!isDone) void Promise.resolve(iterator.return?.()).catch(() => undefined);
  }
}

/** Whether it settles before this turn of the event loop ends. */
function isInTurn(promise: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (): void => resolve(true);
    promise.then(settle, settle);
    setImmediate(resolve, false);
  });
}

/** Events named `name`, a comment every 15 seconds so that proxies keep the connection, and `event: end` behind the last. */
export function sendEvents(reply: FastifyReply, name: string, values: AsyncIterable<unknown>): FastifyReply {
  reply.headers({ 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' });
  return reply.send(Readable.from(writeEvents(name, values), { objectMode: false }));
}

async function* writeEvents(name: string, values: AsyncIterable<unknown>): AsyncGenerator<string> {
  const iterator = values[Symbol.asyncIterator]();
  try {
    let waiting = iterator.next();
    for (;;) {
      const next = await raceIdle(waiting);
      if (next === 'idle') yield ': still here\n\n';
      else if (next.done === true) break;
      else {
        yield `event: ${name}\ndata: ${JSON.stringify(next.value)}\n\n`;
        waiting = iterator.next();
      }
    }
    yield 'event: end\ndata: {}\n\n';
  } catch (thrown) {
    const { problem } = toProblem(thrown, '');
    yield `event: error\ndata: ${JSON.stringify({ code: problem.code, message: problem.detail })}\n\n`;
  } finally {
    void Promise.resolve(iterator.return?.()).catch(() => undefined);
  }
}

const heartbeat = 15_000;

async function raceIdle<T>(waiting: Promise<T>): Promise<T | 'idle'> {
  let timer: NodeJS.Timeout | undefined;
  const idle = new Promise<'idle'>((resolve) => {
    timer = setTimeout(() => resolve('idle'), heartbeat);
  });
  try {
    return await Promise.race([waiting, idle]);
  } finally {
    clearTimeout(timer);
  }
}
