/** Readers of answers that go on: lines of JSON, and server-sent events. */
import { ClientError } from './error.ts';

const longestLine = 1024 * 1024;

async function* readLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > longestLine) throw malformed();
    yield* lines;
  }
  rest += decoder.decode();
  if (rest !== '') yield rest;
}

/** One value a line. A last line `{"error": …}` without a `line` says that the stream broke off: it is thrown. */
export async function* readNdjson<T>(body: AsyncIterable<Uint8Array>): AsyncGenerator<T> {
  for await (const line of readLines(body)) {
    if (line.trim() === '') continue;
    const value = parse(line);
    if (isBreak(value)) {
      const { code, message } = value.error;
      throw new ClientError(200, code, message, { help: 'What came before it is right; ask for the rest again.' });
    }
    yield value as T;
  }
}

export interface ServerEvent {
  readonly event: string;
  readonly data: unknown;
}

/** Comments are dropped. Errors: the code of an `error` event. */
export async function* readEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  let event = 'message';
  let data: string[] = [];
  for await (const raw of readLines(body)) {
    const line = raw.replace(/\r$/, '');
    if (line === '') {
      if (data.length > 0) yield checked({ event, data: parse(data.join('\n')) });
      event = 'message';
      data = [];
    } else if (line.startsWith('event:')) event = line.slice(6).trim();
    else if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''));
  }
}

function checked(event: ServerEvent): ServerEvent {
  if (event.event !== 'error') return event;
  const { code = 'unknown', message = 'The stream broke off.' } = event.data as { code?: string; message?: string };
  throw new ClientError(200, code, message, { help: 'Ask again.' });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformed();
  }
}

function isBreak(value: unknown): value is { readonly error: { readonly code: string; readonly message: string } } {
  return typeof value === 'object' && value !== null && 'error' in value && !('line' in value);
}

function malformed(): ClientError {
  const help = 'Check that the address is that of packageR.';
  return new ClientError(200, 'store_response', 'The server gave an answer that cannot be understood.', { help });
}
