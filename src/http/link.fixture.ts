/** For tests: a server with one share of a made-up tree, that notes what was opened. */
import { PackageRError } from '#errors/error.ts';
import type { Action } from '#model/actor.ts';
import type { Leaf } from '#model/entry.ts';
import { encodePath, type Path } from '#model/path.ts';
import type { Tree } from '#model/tree.ts';
import { isolatedServer, type TestServer } from './isolated-server.fixture.ts';

export const id = 'abcdefghijklmnop';
export const view = {
  title: 'Field <b>data</b>',
  note: '',
  terms: '',
  needsAcceptance: false,
  needsSignIn: false,
  needsTicket: false,
  kind: 'version',
  rights: ['view', 'exchange'],
  onDrift: 'refuse',
  expiresAt: Date.UTC(2026, 11, 24),
  maxObjects: undefined,
  maxBytes: undefined,
  version: 3,
  digest: `sha256:${'0'.repeat(64)}`,
  frozenAt: Date.UTC(2026, 10, 23),
  description: 'Stations',
  entries: 4,
  bytes: 1234,
};

export interface LinkSetup {
  readonly files: readonly { readonly leaf: Leaf; readonly bytes: Uint8Array }[];
  /** Of the files. */
  readonly tree: Tree;
  readonly view?: Partial<Omit<typeof view, 'maxObjects'>> & { readonly maxObjects?: number };
  readonly password?: string;
  /** In place of a bulk exchange of its own. */
  readonly bulk?: (body: AsyncIterable<Uint8Array>) => AsyncIterable<object>;
}

export async function linkServer(more: LinkSetup): Promise<{ test: TestServer; asked: [Action, Path][] }> {
  const asked: [Action, Path][] = [];
  const shown = { ...view, needsTicket: more.password !== undefined, ...more.view };
  const { files, tree } = more;
  const handle = (path: Path) => ({
    actor: { kind: 'visitor' },
    tree,
    path,
    about: { title: 'alice/field', version: 3, at: view.frozenAt },
    mayLocate: false,
    view: shown,
  });
  const shares = {
    async open({ share }: { share: string }, action: Action, path: Path) {
      asked.push([action, path]);
      if (!share.startsWith(id)) throw new PackageRError('share_not_found');
      if (more.password !== undefined && share !== `${id}~pageticket`) throw new PackageRError('share_locked');
      if (action === 'download' && shown.needsAcceptance) throw new PackageRError('terms_not_accepted');
      if (action === 'download' && !shown.rights.includes('exchange')) throw new PackageRError('forbidden');
      return handle(path);
    },
    async unlock(_id: string, password: string) {
      if (password !== more.password) throw new PackageRError('share_password_wrong');
      return {
        ticket: 'pageticket',
        expiresAt: view.frozenAt + 3_600_000,
        listTicket: 'listticket',
        listExpiresAt: view.frozenAt + 86_400_000,
      };
    },
    accept: async () => shown,
    listTicket: async () => ({ ticket: 'listticket', expiresAt: view.frozenAt + 86_400_000 }),
  };
  const exchange = {
    async exchange(_handle: unknown, path: Path, { method }: { method: string }) {
      const file = files.find(({ leaf }) => leaf.path === path);
      if (file === undefined) throw new PackageRError('not_found', `There is nothing at ${JSON.stringify(path)}.`);
      const { leaf, bytes } = file;
      if (leaf.kind === 'text')
        return {
          kind: 'text',
          entry: leaf,
          read: async function* (range = { start: 0, end: bytes.length }) {
            yield bytes.subarray(range.start, range.end);
          },
        };
      const temporaryUrl = {
        method,
        url: `https://store.example/${encodePath(path)}?sig=1`,
        headers: {},
        expiresAt: view.frozenAt + 900_000,
      };
      return { kind: 'redirect', temporaryUrl, entry: leaf, linked: { size: leaf.size, etag: leaf.etag, checksums: leaf.checksums } };
    },
    async *bulk(_handle: unknown, body: AsyncIterable<Uint8Array>, { link }: { link: (path: Path) => string }) {
      if (more.bulk !== undefined) return yield* more.bulk(body);
      let number = 0;
      for await (const chunk of body)
        for (const line of String(chunk).split('\n').filter(Boolean)) {
          number += 1;
          yield number === 2
            ? { line: 2, error: { code: 'not_found', message: 'no' } }
            : { path: JSON.parse(line), method: 'GET', url: link(JSON.parse(line)), headers: {}, expiresAt: view.frozenAt, size: 1 };
        }
    },
  };
  const test = await isolatedServer({ shares, exchange, sources: { list: async () => [], names: async () => new Map() } });
  return { test, asked };
}
