/**
 * One line per request, with nothing in it that opens anything: no query on share, package and object links, tickets and tokens masked,
 * no header of identity, control characters escaped.
 */
import { type DestinationStream, type Logger, pino } from 'pino';
import { pathnameOf } from './raw-path.ts';

const longest = 1024;
/** The path of a share without a ticket, and nothing to mask or to escape in it. */
const usual = /^\/s\/[A-Za-z0-9_-]+(?:\/[A-Za-z0-9._-]+)*$/;

/** A logger of the server. Fields that could hold a secret are dropped, wherever they stand. */
export function createLogger(options: { level: string; stream?: DestinationStream }): Logger {
  const names = ['authorization', 'cookie', 'password', 'token', 'ticket', 'secret', 'url', 'temporaryUrl'];
  const paths = names.flatMap((name) => [name, `*.${name}`, `*.*.${name}`, `headers["${name}"]`]).concat('*.headers["set-cookie"]');
  const settings = { level: options.level, base: null, redact: { paths, remove: true }, timestamp: writeTime };
  return options.stream === undefined ? pino(settings) : pino(settings, options.stream);
}

let lastTime = { at: 0, text: '' };

/** The instant of a line, as pino puts it in. Many lines share a millisecond. */
function writeTime(): string {
  const at = Date.now();
  if (at !== lastTime.at) lastTime = { at, text: `,"time":"${new Date(at).toISOString()}"` };
  return lastTime.text;
}

/** For the line of each request: its fields are made by us and hold no secret, so that looking for some is spared (it costs ten times the line). */
export function requestLogger(log: Logger): Logger {
  return log.child({}, { redact: [] });
}

/** A stream that hands on in one piece what was written in one turn of the event loop, at the latest when the process ends. */
export function batched(write: (lines: string) => void): { write(line: string): void } {
  let waiting = '';
  const flush = (): void => {
    const lines = waiting;
    waiting = '';
    if (lines !== '') write(lines);
  };
  process.once('exit', flush);
  return {
    write(line) {
      if (waiting === '') setImmediate(flush);
      waiting += line;
    },
  };
}

/** The path of a request as the log may hold it. */
export function writeLoggedPath(rawUrl: string): string {
  if (rawUrl.length <= longest && usual.test(rawUrl)) return rawUrl;
  const pathname = pathnameOf(rawUrl)
    .replace(/^(\/s\/[^/~]*)~[^/]*/, '$1~[ticket]')
    .replace(/^(\/o\/)[^/]+/, '$1[token]');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  const escaped = pathname.replace(/[\u0000-\u001f\u007f-\uffff]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return escaped.length > longest ? `${escaped.slice(0, longest)}…` : escaped;
}
