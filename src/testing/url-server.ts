/**
 * Signed URLs for tests of drivers that packageR serves itself, and the small server that honours them: HMAC over all that was
 * asked, expiry by the clock, GET, HEAD, PUT, one Range. A model of `exchange/serve.ts`, not a replacement.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Driver, UrlSigner } from '#drivers/driver.ts';
import { isError } from '#errors/error.ts';
import type { Clock } from '#model/clock.ts';
import type { SignedObject } from '#model/temporary-url.ts';

export class TestUrlSigner implements UrlSigner {
  base = 'http://127.0.0.1:0';
  readonly #key = randomBytes(32);
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  sign(request: SignedObject): string {
    const asked = Buffer.from(JSON.stringify(request)).toString('base64url');
    return `${this.base}/?asked=${asked}&signature=${this.#mac(asked)}`;
  }

  /** What was asked, or undefined for a wrong signature, another method, or the time past. */
  verify(url: URL, method: string): SignedObject | undefined {
    const asked = url.searchParams.get('asked') ?? '';
    const given = Buffer.from(url.searchParams.get('signature') ?? '');
    const expected = Buffer.from(this.#mac(asked));
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
    const request = JSON.parse(Buffer.from(asked, 'base64url').toString()) as SignedObject;
    return request.method === method && request.expiresAt > this.#clock() ? request : undefined;
  }

  #mac(text: string): string {
    return createHmac('sha256', this.#key).update(text).digest('base64url');
  }
}

export interface UrlServer {
  close(): Promise<void>;
}

/** Listens on a free port of 127.0.0.1, tells the signer, and serves one driver. */
export async function openUrlServer(signer: TestUrlSigner, driver: () => Driver): Promise<UrlServer> {
  const server = createServer((request, response) => {
    answer(signer, driver(), request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  signer.base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(signer: TestUrlSigner, driver: Driver, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const asked = signer.verify(new URL(request.url ?? '/', signer.base), request.method ?? '');
  if (asked === undefined) return end(response, 403);
  try {
    if (asked.method === 'PUT') await put(driver, asked, request, response);
    else await get(driver, asked, request, response);
  } catch (error) {
    end(response, isError(error, 'object_not_found') ? 404 : isError(error, 'range_invalid') ? 416 : 500);
  }
}

async function put(driver: Driver, asked: SignedObject, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { key, part } = asked;
  const done = part
    ? await driver.multipart?.write(key, part.upload, part.number, request)
    : await driver.write?.(key, request as AsyncIterable<Uint8Array>);
  response.setHeader('etag', `"${done?.etag}"`);
  end(response, 200);
}

async function get(driver: Driver, asked: SignedObject, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { key, version, responseHeaders = {} } = asked;
  const info = await driver.stat(key, { version });
  const match = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const range = match === null ? undefined : { start: Number(match[1]), end: match[2] === '' ? info.size : Number(match[2]) + 1 };
  const { body } = await driver.read(key, { version, range });
  const end_ = Math.min(range?.end ?? info.size, info.size);
  response.statusCode = range === undefined ? 200 : 206;
  response.setHeader('content-length', end_ - (range?.start ?? 0));
  response.setHeader('content-type', responseHeaders.contentType ?? 'application/octet-stream');
  if (responseHeaders.contentDisposition !== undefined) response.setHeader('content-disposition', responseHeaders.contentDisposition);
  if (responseHeaders.cacheControl !== undefined) response.setHeader('cache-control', responseHeaders.cacheControl);
  if (range !== undefined) response.setHeader('content-range', `bytes ${range.start}-${end_ - 1}/${info.size}`);
  if (asked.method === 'GET') for await (const chunk of body) response.write(chunk);
  else await body[Symbol.asyncIterator]().return?.();
  response.end();
}

function end(response: ServerResponse, status: number): void {
  response.statusCode = status;
  response.end();
}
