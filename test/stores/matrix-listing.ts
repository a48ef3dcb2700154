/** Checks of listings and versions. */
import type { StoreServer } from '../support/stores/store-server.ts';
import { type Check, codes } from './check.ts';

const foreign = ['b', 'z', 'é', '日', '😀', '\uff01'];
const ofFolders = ['a!', 'a.x', 'a/b', 'a/c/d', 'a0', 'b', 'é'];
const inByteOrder = (keys: readonly string[]): string[] => [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
const isSame = (seen: readonly string[], want: readonly string[]): boolean => seen.join('\n') === want.join('\n');
const exactly = (seen: readonly string[], want: readonly string[]): string => (isSame(seen, want) ? 'exact' : 'wrong');

export const listingChecks: readonly Check[] = [
  {
    name: 'listing in byte order, 5 a page',
    want: 'exact',
    async see({ server }) {
      const keys = ['a b', 'a%20b', 'a+b', 'c/b', 'c/c', 'a!', 'a0', 'a&b<c>', '~', '\u{10ffff}', '\ufffd', ...foreign];
      return exactly((await listRaw(server, await filled(server, keys), { 'max-keys': '5' })).keys, inByteOrder(keys));
    },
  },
  {
    name: '`encoding-type=url`',
    want: 'heeded',
    async see({ server, bucket }) {
      const query = [...listQuery, ['max-keys', '1']] as const;
      const { body } = await server.call({ method: 'GET', bucket, query });
      return texts(body.toString(), 'EncodingType')[0] === 'url' ? 'heeded' : 'not heeded';
    },
  },
  {
    name: 'a control character (U+001B) in a listing',
    want: 'told',
    async see({ server }) {
      const { keys } = await listRaw(server, await filled(server, ['a\u001bb']));
      return keys[0] === 'a\u001bb' ? 'told' : 'spoilt';
    },
  },
  {
    name: 'a folder among names like its own (`a!`, `a/b`, `a0`)',
    want: 'by its slash',
    see: async ({ server }) => folderOrder((await listRaw(server, await filled(server, ofFolders))).keys),
  },
  {
    name: 'the same in a bucket with versions',
    want: 'by its slash',
    async see({ server }) {
      const bucket = await server.makeBucket(undefined, { versioning: true });
      await server.fill(bucket, ofFolders);
      return folderOrder((await listRaw(server, bucket)).keys);
    },
  },
  {
    name: '`start-after` among é, 日, emoji, fullwidth',
    want: 'exact',
    async see({ server }) {
      const bucket = await filled(server, foreign);
      for (const after of [...foreign, 'É', '月', '😁']) {
        const { keys } = await listRaw(server, bucket, { 'start-after': after });
        const sorted = inByteOrder([...foreign, after]);
        if (!isSame(keys, sorted.slice(sorted.lastIndexOf(after) + 1))) return `wrong after ${after}`;
      }
      return 'exact';
    },
  },
  {
    name: 'delimiter with 8 names, 3 a page',
    want: '3 pages, exact',
    async see({ server }) {
      const bucket = await filled(server, ['a', 'b/1', 'b/2', 'c', 'd/1', 'e', 'f/1', 'f/2', 'g', 'h']);
      const { keys, prefixes, pages } = await listRaw(server, bucket, { delimiter: '/', 'max-keys': '3' });
      return `${pages} pages, ${exactly([...keys, ...prefixes], ['a', 'c', 'e', 'g', 'h', 'b/', 'd/', 'f/'])}`;
    },
  },
  {
    name: '2,500 keys, 1,000 a page',
    want: '3 pages, exact',
    async see({ server }) {
      const keys = Array.from({ length: 2500 }, (_, index) => `${index % 7}/${String(index).padStart(5, '0')}`);
      const { keys: seen, pages } = await listRaw(server, await filled(server, keys));
      return `${pages} pages, ${exactly(seen, inByteOrder(keys))}`;
    },
  },
  {
    name: 'an old version: HEAD, GET; a delete marker; an unknown version',
    want: ['200, 200, 405, 400', '200, 200, 405, 404'],
    async see({ server, sign, use }) {
      const bucket = await server.makeBucket(undefined, { versioning: true });
      const { headers } = await server.put(bucket, 'digits', 'old');
      const version = headers['x-amz-version-id'] ?? '';
      await server.put(bucket, 'digits', 'newer');
      const marker = (await server.remove(bucket, 'digits')).headers['x-amz-version-id'] ?? '';
      const head = await use(await sign({ method: 'HEAD', version }, { bucket }), { method: 'HEAD' });
      const get = await use(await sign({ version }, { bucket }));
      const others = [await use(await sign({ version: marker }, { bucket })), await use(await sign({ version: 'never-was' }, { bucket }))];
      return `${codes(head, get)}${get.body.toString() === 'old' ? '' : ' (other bytes)'}, ${codes(...others)}`;
    },
  },
  {
    name: 'an object older than versioning: GET `versionId=null`; version that HEAD tells',
    want: '200, null',
    async see({ server, sign, use }) {
      const bucket = await server.makeBucket();
      await server.put(bucket, 'digits', '0123456789');
      await server.setVersioning(bucket, 'Enabled');
      const get = await use(await sign({ version: 'null' }, { bucket }));
      const head = await use(await sign({ method: 'HEAD' }, { bucket }), { method: 'HEAD' });
      return `${codes(get)}, ${head.headers['x-amz-version-id'] ?? 'none'}`;
    },
  },
  {
    name: 'versions of 4 keys in order, newest first, all in a page; 2 a page',
    want: 'exact; exact',
    async see({ server }) {
      const bucket = await server.makeBucket(undefined, { versioning: true });
      const all: string[] = [];
      for (const key of ['a!', 'a/b', 'b', 'é']) {
        const versions: string[] = [];
        for (const body of ['1', '2', '3']) versions.unshift((await server.put(bucket, key, body)).headers['x-amz-version-id'] ?? '');
        all.push(...versions.map((version, index) => `${key} ${version} ${index === 0}`));
      }
      const tell = (seen: readonly string[]): string => {
        if (isSame(seen, all)) return 'exact';
        if (!all.every((one) => seen.includes(one))) return 'some lost';
        return seen.length > all.length ? 'some repeated' : 'in another order';
      };
      return `${tell(await listVersions(server, bucket, 1000))}; ${tell(await listVersions(server, bucket, 2))}`;
    },
  },
];

function folderOrder(keys: readonly string[]): string {
  if (isSame(keys, ofFolders)) return 'by its slash';
  const byName = [...ofFolders].sort((a, b) =>
    Buffer.compare(Buffer.from(a.replaceAll('/', '\u0001')), Buffer.from(b.replaceAll('/', '\u0001'))),
  );
  return isSame(keys, byName) ? 'by its name alone' : 'otherwise';
}

const listQuery = [
  ['list-type', '2'],
  ['encoding-type', 'url'],
] as const;

interface Listed {
  readonly keys: readonly string[];
  readonly prefixes: readonly string[];
  readonly pages: number;
}

/** All of a bucket, by our tests' own reading of ListObjectsV2. */
export async function listRaw(server: StoreServer, bucket: string, options: Readonly<Record<string, string>> = {}): Promise<Listed> {
  const [keys, prefixes]: [string[], string[]] = [[], []];
  let token: string | undefined;
  for (let pages = 1; pages < 200; pages++) {
    const query = [...listQuery, ...Object.entries({ ...options, ...(token !== undefined && { 'continuation-token': token }) })];
    const text = (await server.call({ method: 'GET', bucket, query })).body.toString();
    const fromUrl = decoderOf(text);
    keys.push(...texts(text, 'Key').map(fromUrl));
    prefixes.push(...texts(text.replace(/^.*?(?=<CommonPrefixes>|$)/s, ''), 'Prefix').map(fromUrl));
    token = texts(text, 'NextContinuationToken')[0];
    if (texts(text, 'IsTruncated')[0] !== 'true') return { keys, prefixes, pages };
  }
  throw new Error('the listing does not end');
}

async function listVersions(server: StoreServer, bucket: string, limit: number): Promise<string[]> {
  const found: string[] = [];
  let next: [string, string][] = [];
  for (let pages = 1; pages < 50; pages++) {
    const query = [['versions', ''], ['max-keys', String(limit)], ['encoding-type', 'url'], ...next] as [string, string][];
    const text = (await server.call({ method: 'GET', bucket, query })).body.toString();
    const fromUrl = decoderOf(text);
    for (const one of texts(text, 'Version')) {
      found.push(`${fromUrl(texts(one, 'Key')[0] ?? '')} ${texts(one, 'VersionId')[0]} ${texts(one, 'IsLatest')[0]}`);
    }
    if (texts(text, 'IsTruncated')[0] !== 'true') return found;
    next = [
      ['key-marker', fromUrl(texts(text, 'NextKeyMarker')[0] ?? '')],
      ['version-id-marker', texts(text, 'NextVersionIdMarker')[0] ?? ''],
    ];
  }
  throw new Error('the listing does not end');
}

function texts(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, 'gs'))].map((match) => fromXml(match[1] ?? '', name === 'Version'));
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** The text of an element; one that holds elements is left as it is. */
function fromXml(text: string, isNested: boolean): string {
  if (isNested) return text;
  return text.replaceAll(/&(?:#(x?)([0-9a-fA-F]+)|(\w+));/g, (_, hex, number, name) =>
    name === undefined ? String.fromCodePoint(Number.parseInt(number, hex === 'x' ? 16 : 10)) : (entities[name] ?? ''),
  );
}

/** Some stores do not heed `encoding-type=url`, and say so. */
function decoderOf(xml: string): (text: string) => string {
  return texts(xml, 'EncodingType')[0] === 'url' ? (text) => decodeURIComponent(text.replaceAll('+', ' ')) : (text) => text;
}

async function filled(server: StoreServer, keys: readonly string[]): Promise<string> {
  const bucket = await server.makeBucket();
  await server.fill(bucket, keys);
  return bucket;
}
