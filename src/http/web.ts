/**
 * The web application: one page for all of its addresses, which says nothing of anybody, and its files. What it shows it asks of the API,
 * with the rights of whoever looks.
 */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { PackageRError } from '#errors/error.ts';
import { appPolicy } from './headers.ts';
import type { Server } from './route.ts';
import { builtWeb, WebFiles } from './web-files.ts';

export interface WebOptions {
  /** The path of the server as browsers see it, ending in a slash. */
  readonly rootPath: string;
  /** What was built, where that is not beside the program. */
  readonly webFolder?: URL | undefined;
}

/** Addresses of the application. What lies below them is for the application to know. */
const webPages = ['/', '/login', '/sources', '/packages', '/shares', '/jobs', '/settings', '/admin'] as const;

export function registerWeb(server: Server, { rootPath, webFolder = builtWeb }: WebOptions): void {
  const files = new WebFiles(webFolder);
  const options = { config: { public: true, audience: 'anyone', page: true }, schema: { hide: true } } as const;
  for (const page of webPages) {
    for (const url of page === '/' || page === '/login' ? [page] : [page, `${page}/*`]) {
      server.get(url, options, async (_request, reply) => {
        if (!files.isBuilt) throw new PackageRError('not_found', 'The web application was not built: npm run build.');
        const nonce = randomBytes(16).toString('base64');
        reply.headers({ 'content-type': 'text/html; charset=utf-8', 'content-security-policy': appPolicy(nonce) });
        return reply.serializer(String).send(files.page(rootPath, nonce));
      });
    }
  }
  const asset = { config: { public: true, audience: 'anyone', asset: true }, schema: { hide: true } } as const;
  server.get('/assets/:name', asset, async (request, reply) => {
    const { name } = request.params as { readonly name: string };
    const file = files.find(name, request.headers['accept-encoding']);
    if (file === undefined) throw new PackageRError('not_found');
    const { url, type, encoding } = file;
    // Gone meanwhile where it was built anew.
    const bytes = await readFile(url).catch((cause: unknown) => Promise.reject(new PackageRError('not_found', undefined, { cause })));
    reply.headers({ 'content-type': type, 'cache-control': 'public, max-age=31536000, immutable', vary: 'Accept-Encoding' });
    if (encoding !== undefined) reply.header('content-encoding', encoding);
    return reply.send(bytes);
  });
}
