/** The page of a link: gathers what may be shown to whoever asks, and nothing that may not. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Handle } from '#access/handle.ts';
import { isError, PackageRError } from '#errors/error.ts';
import { joinPath, type Path, parsePath, root } from '#model/path.ts';
import { getEntry, readAll } from '#model/tree.ts';
import { PackageHandle } from '#packages/package-handle.ts';
import { packageYamlPath, parsePackageYaml } from '#packages/package-yaml.ts';
import { decodeUtf8 } from './body.ts';
import type { Link, OpenedLink } from './link.ts';
import { type LinkPage, writeLinkPage, writeUnlockPage } from './link-page-html.ts';
import { sendPage } from './pages.ts';
import { queryOf } from './raw-path.ts';
import type { Server } from './route.ts';

export interface PageOptions {
  readonly link: Link;
  /** The path of the server as browsers see it, ending in a slash. */
  readonly rootPath: string;
}

const mostFiles = 200;
const readmeBytes = 512 * 1024;
const readmeNames = ['README.md', 'README.txt', 'README', 'readme.md'].map(parsePath);

export function registerPage(server: Server, options: PageOptions): void {
  const { link } = options;
  const config = link.isPublic
    ? ({ public: true, audience: 'visitor', page: true } as const)
    : ({ action: 'list', audience: 'user', page: true } as const);
  const schema = { summary: 'The page of the link; `?folder=` shows one folder', tags: ['links'], produces: ['text/html'] };
  const answer = async (request: FastifyRequest, reply: FastifyReply, base: string | undefined): Promise<FastifyReply> => {
    const hasBase = base !== undefined;
    try {
      return sendPage(reply, writeLinkPage({ ...(await gather(request, options)), base }), { hasBase });
    } catch (error) {
      if (!isError(error, 'share_locked')) throw error;
      // The same for every locked share.
      return sendPage(reply, writeUnlockPage({ root: options.rootPath, action: 'unlock', base }), { status: 401, hasBase });
    }
  };
  // The link as it is given away has no slash at its end, and is the page itself: no client has to follow anything.
  server.get(link.pattern, { config, schema }, async (request, reply) => answer(request, reply, `./${lastOf(request)}/`));
  server.get(`${link.pattern}/`, { config, schema }, async (request, reply) => answer(request, reply, undefined));
}

/** The last segment of the address as it was sent. */
function lastOf(request: FastifyRequest): string {
  return (request.raw.url ?? '').split(/[?#]/, 1)[0]?.split('/').at(-1) ?? '';
}

async function gather(request: FastifyRequest, options: PageOptions): Promise<LinkPage> {
  const { link } = options;
  const query = new URLSearchParams(queryOf(request.raw.url ?? ''));
  const folder = parsePath(query.get('folder') ?? '');
  const opened = await link.open(request, 'list', folder);
  const { handle, view } = opened;
  const entry = await getEntry(handle.tree, folder, request.gone);
  if (entry.kind !== 'folder') throw new PackageRError('not_found', `${JSON.stringify(folder)} is no folder.`);
  const given = query.get('cursor') ?? undefined;
  const { entries, cursor } = await handle.tree.list(folder, { cursor: given, limit: mostFiles, signal: request.gone });
  const mayFetch = view?.rights.includes('exchange') ?? true;
  const terms = view?.needsAcceptance === true ? view.terms : undefined;
  const isReadable = mayFetch && terms === undefined && given === undefined;
  return {
    ...describe(opened),
    root: options.rootPath,
    folder,
    licence: isReadable && !isLimited(view) ? await readLicence(request, link) : undefined,
    readme: isReadable ? await readReadme(request, link, folder) : undefined,
    files: entries,
    cursor,
    terms,
    mayFetch,
    ...(await findLines(request, link, { opened, folder })),
  };
}

function describe({ handle, view }: OpenedLink) {
  const { about } = handle;
  const frozen = handle instanceof PackageHandle ? handle.version : undefined;
  return {
    title: view?.title || about.title,
    description: view?.description ?? about.description,
    note: view?.note,
    version: view?.version ?? about.version,
    digest: view?.digest ?? about.digest,
    frozenAt: view?.frozenAt ?? (about.version === undefined ? undefined : about.at),
    entries: view?.entries ?? frozen?.entries,
    bytes: view?.bytes ?? frozen?.bytes,
    expiresAt: view?.expiresAt,
    maxObjects: view?.maxObjects,
    maxBytes: view?.maxBytes,
  };
}

/** Under a limit nothing is read, and so counted, that nobody asked for. */
function isLimited(view: OpenedLink['view']): boolean {
  return view?.maxObjects !== undefined || view?.maxBytes !== undefined;
}

type FoundLines = Pick<LinkPage, 'lines' | 'linesExpireAt' | 'listBase' | 'own'>;

/** A link that asks for a sign-in has no line to paste. */
async function findLines(
  request: FastifyRequest,
  link: Link,
  { opened, folder }: { readonly opened: OpenedLink; readonly folder: Path },
): Promise<FoundLines> {
  const { base, view, handle } = opened;
  const ofFolder = folder === root ? {} : { query: new URLSearchParams({ folder }).toString() };
  if (view === undefined) return { lines: [], own: { url: base.slice(0, -1), reference: referenceOf(handle) } };
  const found = await link.findLines?.(request, { view, ...ofFolder });
  return { lines: found?.lines ?? [], linesExpireAt: found?.expiresAt, listBase: found?.listBase };
}

function referenceOf({ about }: Handle): string {
  return about.version === undefined ? about.title : `${about.title}@${about.version}`;
}

async function readReadme(request: FastifyRequest, link: Link, folder: Path): Promise<LinkPage['readme']> {
  for (const name of readmeNames) {
    const path = joinPath(folder, name);
    const text = await readText(request, link, path);
    if (text !== undefined) return { path, text };
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

async function readLicence(request: FastifyRequest, link: Link): Promise<string | undefined> {
  const yaml = await readText(request, link, packageYamlPath);
  try {
    return yaml === undefined ? undefined : parsePackageYaml(Buffer.from(yaml)).licence;
  } catch {
    return undefined;
  }
}
