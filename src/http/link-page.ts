/** The page of a link: gathers what may be shown to whoever asks, and nothing that may not. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isError } from '#errors/error.ts';
import type { PastedLine } from '#exports/lines.ts';
import { pastedLines } from '#exports/lines.ts';
import { type Path, parsePath, root } from '#model/path.ts';
import { readAll } from '#model/tree.ts';
import { packageYamlPath, parsePackageYaml } from '#packages/package-yaml.ts';
import { decodeUtf8 } from './body.ts';
import type { Link, OpenedLink } from './link.ts';
import { type LinkPage, writeLinkPage, writeUnlockPage } from './link-page-html.ts';
import { sendPage } from './pages.ts';
import { queryOf } from './raw-path.ts';
import type { Server } from './route.ts';

/** Page tickets live an hour; the lines on their page carry the longer one that was given with it. */
export interface ListTicket {
  readonly ticket: string;
  readonly expiresAt: number;
}

export interface PageOptions {
  readonly link: Link;
  /** The path of the server as browsers see it, ending in a slash. */
  readonly rootPath: string;
  listTicketOf?(request: FastifyRequest): ListTicket | undefined;
}

const mostFiles = 200;
const readmeBytes = 512 * 1024;
const readmeNames = ['README.md', 'README.txt', 'README', 'readme.md'].map(parsePath);

export function registerPage(server: Server, options: PageOptions): void {
  const { link } = options;
  const config = link.isPublic
    ? ({ public: true, audience: 'visitor', page: true } as const)
    : ({ action: 'list', audience: 'user', page: true } as const);
  const schema = { summary: 'The page of the link', tags: ['links'], produces: ['text/html'] };
  server.get(link.pattern, { config, schema }, async (request, reply) => {
    const [last = ''] = (request.raw.url ?? '').split(/[?#]/, 1)[0]?.split('/').slice(-1) ?? [];
    const query = queryOf(request.raw.url ?? '');
    return reply
      .code(308)
      .header('location', `./${last}/${query === '' ? '' : `?${query}`}`)
      .send();
  });
  server.get(`${link.pattern}/`, { config, schema }, async (request, reply) => {
    try {
      return sendPage(reply, writeLinkPage(await gather(request, options)));
    } catch (error) {
      if (isError(error, 'share_locked')) return sendLocked(reply, options);
      throw error;
    }
  });
}

/** 401, the same for every locked share. */
function sendLocked(reply: FastifyReply, options: PageOptions): FastifyReply {
  return sendPage(reply, writeUnlockPage({ root: options.rootPath, action: 'unlock' }), 401);
}

async function gather(request: FastifyRequest, options: PageOptions): Promise<LinkPage> {
  const { link } = options;
  const opened = await link.open(request, 'list', root);
  const { handle, view } = opened;
  const { entries, cursor } = await handle.tree.list(root, { limit: mostFiles, signal: request.gone });
  const mayFetch = view?.rights.includes('exchange') ?? true;
  const terms = view?.needsAcceptance === true ? view.terms : undefined;
  const isReadable = mayFetch && terms === undefined;
  const yaml = isReadable ? await readText(request, link, packageYamlPath) : undefined;
  const { about } = handle;
  return {
    root: options.rootPath,
    title: view?.title || about.title,
    description: view?.description ?? about.description,
    note: view?.note,
    version: view?.version ?? about.version,
    digest: view?.digest ?? about.digest,
    frozenAt: view?.frozenAt ?? (about.version === undefined ? undefined : about.at),
    entries: view?.entries,
    bytes: view?.bytes,
    licence: yaml === undefined ? undefined : readLicence(yaml),
    expiresAt: view?.expiresAt,
    readme: isReadable ? await readReadme(request, link) : undefined,
    files: entries,
    hasMoreFiles: cursor !== undefined,
    terms,
    mayFetch,
    ...writeLines(opened, options.listTicketOf?.(request)),
  };
}

/** With the ticket for lists where there is one. A link that asks for a sign-in has no line to paste. */
function writeLines({ base, view }: OpenedLink, ticket: ListTicket | undefined): { lines: readonly PastedLine[]; linesExpireAt?: number } {
  if (view === undefined) return { lines: [] };
  if (ticket === undefined) return { lines: pastedLines({ base }) };
  return { lines: pastedLines({ base: base.replace(/~[^/]*\/$/, `~${ticket.ticket}/`) }), linesExpireAt: ticket.expiresAt };
}

async function readReadme(request: FastifyRequest, link: Link): Promise<string | undefined> {
  for (const name of readmeNames) {
    const text = await readText(request, link, name);
    if (text !== undefined) return text;
  }
  return undefined;
}

/** Bytes are asked for as a download, whatever the page itself was opened for; what cannot be read is left out. */
async function readText(request: FastifyRequest, link: Link, path: Path): Promise<string | undefined> {
  try {
    const { handle } = await link.open(request, 'download', path);
    const entry = await handle.tree.find(path, { signal: request.gone });
    if (entry === undefined || entry.kind === 'folder' || entry.size > readmeBytes) return undefined;
    if (entry.kind === 'pointer' && !entry.inline) return undefined;
    return decodeUtf8(await readAll(handle.tree.read(path, { signal: request.gone }), readmeBytes));
  } catch {
    return undefined;
  }
}

function readLicence(yaml: string): string | undefined {
  try {
    return parsePackageYaml(Buffer.from(yaml)).licence;
  } catch {
    return undefined;
  }
}
