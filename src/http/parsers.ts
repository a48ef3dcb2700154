/** Which bodies are taken: JSON within limits, forms where a route says so, streams where a route says so, and nothing compressed. */
import type { FastifyRequest } from 'fastify';
import { PackageRError } from '#errors/error.ts';
import { checkJsonShape, decodeUtf8, readBody } from './body.ts';
import type { HttpLimits } from './limits.ts';
import type { BodyKind, Server } from './route.ts';

export function registerParsers(server: Server, limits: HttpLimits): void {
  const bytesOf: Readonly<Record<Exclude<BodyKind, 'stream'>, number>> = {
    secret: limits.secretBytes,
    json: limits.jsonBytes,
    list: limits.listBytes,
  };
  const read = (request: FastifyRequest): Promise<Buffer> => {
    const kind = request.routeOptions.config.body ?? 'json';
    if (kind === 'stream') throw new PackageRError('internal', 'A streamed body is not to be gathered.');
    return readBody(request.raw, { bytes: bytesOf[kind], timeout: limits.bodyTimeout });
  };
  const parseJson = server.getDefaultJsonParser('error', 'error');

  server.removeAllContentTypeParsers();
  server.addContentTypeParser('application/json', async (request: FastifyRequest) => {
    if (request.routeOptions.config.body === 'stream') return request.raw;
    const text = decodeUtf8(await read(request));
    if (text.trim() === '') return undefined;
    checkJsonShape(text, limits);
    return new Promise((resolve, reject) => {
      void parseJson(request, text, (error, value) => (error === null || error === undefined ? resolve(value) : reject(notJson(error))));
    });
  });
  server.addContentTypeParser('application/x-www-form-urlencoded', async (request: FastifyRequest) => {
    if (request.routeOptions.config.form !== true) throw new PackageRError('media_type_unsupported');
    return parseForm(decodeUtf8(await read(request)));
  });
  server.addContentTypeParser(['application/x-ndjson', 'text/csv'], async (request: FastifyRequest) => {
    const { body, lists } = request.routeOptions.config;
    if (body !== 'stream' && lists !== true) throw new PackageRError('media_type_unsupported');
    return request.raw;
  });
  server.addContentTypeParser('*', async (request: FastifyRequest) => {
    if (request.routeOptions.config.body !== 'stream') throw new PackageRError('media_type_unsupported');
    return request.raw;
  });
}

/** Errors: media_type_unsupported for a compressed body. */
export function checkEncoding(request: FastifyRequest): void {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new PackageRError('media_type_unsupported', 'A compressed body is not accepted.', { operation: 'http.body' });
  }
}

function parseForm(text: string): Record<string, string> {
  const fields: Record<string, string> = Object.create(null);
  for (const [name, value] of new URLSearchParams(text)) {
    if (Object.hasOwn(fields, name)) throw new PackageRError('request_invalid', 'The form names a field twice.');
    fields[name] = value;
  }
  return fields;
}

function notJson(cause: unknown): PackageRError {
  return new PackageRError('request_invalid', 'The body is not valid JSON.', { operation: 'http.body', cause });
}
