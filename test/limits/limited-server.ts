/** A real server whose limits are lowered where that is needed to reach them, asked as its administrator, from any peer, byte by byte if wanted. */
import { type IncomingHttpHeaders, request as send } from 'node:http';
import { connect } from 'node:net';
import { type Packager, startPackager } from '../support/packager.ts';
import { roomy } from '../support/roomy.ts';

export interface Asked {
  readonly method?: string;
  /** As it goes over the wire. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON. */
  readonly body?: unknown;
  /** The address that the proxy in front reports. */
  readonly peer?: string;
  /** Left out: as the administrator. */
  readonly token?: string | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** `code` of a problem, '' where there is none. */
  readonly code: string;
  /** `detail` of a problem. */
  readonly says: string;
  json<T = Record<string, unknown>>(): T;
}

export interface LimitedServer {
  readonly packager: Packager;
  ask(asked: Asked): Promise<Answer>;
  /** What came back on a connection of its own, until the server closed it or said all that was announced. */
  raw(chunks: Iterable<string | Buffer>, options?: { readonly pause?: number; readonly milliseconds?: number }): Promise<string>;
  /** A head with the evidence of the administrator, its lines ended. */
  head(line: string, ...lines: string[]): string;
  stop(): Promise<void>;
}

/** `limits`: by key of the setting, `http.urlBytes`. */
export async function startLimited(limits: Readonly<Record<string, number>> = {}, more: Readonly<Record<string, string>> = {}) {
  const lowered = Object.fromEntries(Object.entries(limits).map(([key, value]) => [environmentOf(key), String(value)]));
  const packager = await startPackager({ ...roomy, ...lowered, ...more });
  const { hostname, port } = new URL(packager.url);
  const login = { name: 'admin', password: packager.adminPassword };
  const first = await askAt(hostname, port, { method: 'POST', path: '/api/v1/login', body: login }, undefined);
  const { token } = first.json<{ token: string }>();
  const server: LimitedServer & { readonly token: string } = {
    packager,
    token,
    ask: (asked) => askAt(hostname, port, asked, 'token' in asked ? asked.token : token),
    raw: (chunks, options) => rawAt(hostname, Number(port), chunks, options),
    head: (line, ...lines) => [`${line} HTTP/1.1`, 'Host: x', `Authorization: Bearer ${token}`, ...lines, '', ''].join('\r\n'),
    stop: () => packager.stop(),
  };
  return server;
}

function environmentOf(key: string): string {
  return `PACKAGE_R_LIMITS_${key
    .replace(/[A-Z]/g, (letter) => `_${letter}`)
    .replaceAll('.', '_')
    .toUpperCase()}`;
}

function askAt(hostname: string, port: string, asked: Asked, token: string | undefined): Promise<Answer> {
  const { method = 'GET', path, headers = {}, body, peer = '192.0.2.1' } = asked;
  const isJson = body !== undefined && typeof body !== 'string' && !Buffer.isBuffer(body);
  const sent = isJson ? JSON.stringify(body) : (body as string | Buffer | undefined);
  const given = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(isJson ? { 'content-type': 'application/json' } : {}),
    ...(sent === undefined ? {} : { 'content-length': String(Buffer.byteLength(sent)) }),
    'x-forwarded-for': peer,
    ...headers,
  };
  return new Promise((resolve, reject) => {
    const request = send({ hostname, port, method, path, headers: given, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve(answerOf(response.statusCode ?? 0, response.headers, Buffer.concat(chunks).toString())));
    });
    request.on('error', reject);
    request.end(sent);
  });
}

function answerOf(status: number, headers: IncomingHttpHeaders, text: string): Answer {
  const isProblem = String(headers['content-type'] ?? '').startsWith('application/problem+json');
  const { code = '', detail: says = '' } = isProblem ? (JSON.parse(text) as { code?: string; detail?: string }) : {};
  return { status, headers, text, code, says, json: () => JSON.parse(text) };
}

function rawAt(
  host: string,
  port: number,
  chunks: Iterable<string | Buffer>,
  { pause = 0, milliseconds = 20_000 }: { readonly pause?: number; readonly milliseconds?: number } = {},
): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    const source = chunks[Symbol.iterator]();
    let text = '';
    let timer: NodeJS.Timeout | undefined;
    const end = (): void => {
      clearTimeout(timer);
      clearTimeout(limit);
      socket.destroy();
      resolve(text);
    };
    const limit = setTimeout(end, milliseconds);
    const more = (): void => {
      const next = source.next();
      if (next.done === true || !socket.writable) return;
      const isTaken = socket.write(next.value);
      if (pause > 0) timer = setTimeout(more, pause);
      else if (isTaken) setImmediate(more);
      else socket.once('drain', more);
    };
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (isWhole(text)) end();
    });
    socket.on('error', () => undefined);
    socket.on('close', end);
    socket.on('connect', more);
  });
}

function isWhole(text: string): boolean {
  const head = text.indexOf('\r\n\r\n');
  const length = /\r\ncontent-length: (\d+)\r\n/i.exec(text)?.[1];
  return head >= 0 && length !== undefined && text.length >= head + 4 + Number(length);
}
