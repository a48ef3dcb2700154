import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Access } from '#access/access.ts';
import { Handle } from '#access/handle.ts';
import { memoryDriver } from '#drivers/memory/definition.ts';
import { isError, type PackageRError } from '#errors/error.ts';
import type { ErrorCode } from '#errors/table.ts';
import { Events } from '#events/events.ts';
import { Exchange } from '#exchange/exchange.ts';
import type { BulkLine, Redirect } from '#exchange/result.ts';
import { type ContentRequest, serveSigned } from '#exchange/serve.ts';
import { SigningKeys } from '#exchange/url-signer.ts';
import type { Action, UserActor } from '#model/actor.ts';
import { randomId } from '#model/clock.ts';
import { parseKey } from '#model/key.ts';
import { parseName } from '#model/name.ts';
import { encodePath, type Path, parsePath, root } from '#model/path.ts';
import { writePointerFile } from '#model/pointer-file.ts';
import { Secret } from '#model/secret.ts';
import { readAll } from '#model/tree.ts';
import type { NewShare } from '#shares/share.ts';
import { Shares, type SharesOptions } from '#shares/shares.ts';
import { Sources } from '#sources/sources.ts';
import { Vault } from '#state/vault.ts';
import { fakeClock } from '#testing/fake-clock.ts';
import { type MemoryFile, memoryTree, pointerFile, textFile } from '#testing/memory-tree.ts';
import { temporaryState } from '#testing/temporary-state.ts';

type Driver = Awaited<ReturnType<typeof memoryDriver.open>>;
const system = { kind: 'system', name: 'test' } as const;

/** Two memory sources, `plain` (1) without and `kept` (2) with object versions, and alice, who may all of both. */
async function house() {
  const temporary = await temporaryState();
  const { state } = temporary;
  const clock = fakeClock();
  const events = new Events({ state, clock: clock.now });
  const parts = { state, clock: clock.now, makeId: randomId, events };
  const access = new Access(parts);
  const vault = await Vault.open({ state, folder: temporary.folder });
  const keys = await SigningKeys.open({ ...parts, vault, base: () => 'http://content' });
  const drivers: Driver[] = [];
  const definition: typeof memoryDriver = {
    ...memoryDriver,
    async open(options, context) {
      const driver = await memoryDriver.open(options, context);
      if (context.source !== '0') drivers.push(driver);
      return driver;
    },
  };
  const connector = { request: () => Promise.reject(new Error('offline')), close: async () => undefined };
  const inline = { extensions: ['.txt'], maxBytes: 1024 };
  const sources = new Sources({ state, access, events, vault, drivers: [definition], connector, signer: keys, clock: clock.now, inline });
  await access.ensureAdmin();
  const { id } = await access.users.create(system, { name: 'alice', password: Secret.parse('alice has a long password') });
  const alice: UserActor = await access.actorOf(id);
  for (const [name, versions] of [
    ['plain', false],
    ['kept', true],
  ] as const) {
    await sources.add(system, { name: parseName(name), driver: 'memory', options: { versions } });
    await sources.get(system, parseName(name));
  }
  const grant = (source: string, actions: readonly Action[]) =>
    access.grants.set(system, { subject: { kind: 'user', name: 'alice' }, target: { kind: 'source', id: source }, actions: [...actions] });
  for (const source of ['1', '2']) await grant(source, ['list', 'stat', 'download', 'share']);
  const packages = { onDelete: () => undefined } as unknown as SharesOptions['packages'];
  const shares = new Shares({ ...parts, access, sources, packages, hashKey: Buffer.alloc(32, 1) });
  const exchange = new Exchange({ sources, shares, events, clock: clock.now });
  const driver = (source: 1 | 2): Driver => drivers[source - 1] as Driver;
  const write = (source: 1 | 2, key: string, text: string) => driver(source).write?.(parseKey(key), chunks(text));
  return { temporary, clock, events, access, keys, sources, alice, grant, shares, exchange, driver, write };
}

async function* chunks(...texts: string[]) {
  for (const text of texts) yield Buffer.from(text);
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

const refuses = (code: ErrorCode) => expect.toSatisfy((error: unknown) => isError(error, code), `is ${code}`);
const fails = (work: Promise<unknown>, code: ErrorCode) => expect(work).rejects.toEqual(refuses(code));

describe('exchange', () => {
  let h: Awaited<ReturnType<typeof house>>;
  beforeEach(async () => {
    h = await house();
  });
  afterEach(async () => {
    await h.shares.close();
    await h.events.close();
    await h.sources.close();
    await h.temporary.close();
  });

  /** A version that alice froze, with these files. */
  const version = async (
    files: readonly MemoryFile[],
    more: Partial<ConstructorParameters<typeof Handle>[0]> = {},
    action: Action = 'download',
  ) => {
    const proof = await h.access.authorize(system, action, { kind: 'source', id: '1', path: root });
    const about = { title: 'alice/p', at: 0 };
    return new Handle({ proof, tree: memoryTree(files), path: root, about, subject: 'package:1@1', curator: h.alice, ...more });
  };
  const pinned = async (source: 1 | 2, path: string, text: string) => {
    const info = await h.write(source, `in/${path}`, text);
    const known = { etag: info?.etag ?? '', ...(info?.version === undefined ? {} : { version: info.version }) };
    return pointerFile(path, text, { source: String(source), key: parseKey(`in/${path}`), ...known });
  };
  const get = { method: 'GET' } as const;
  const redirect = async (
    handle: Handle,
    path: string,
    request: { method: 'GET' | 'HEAD'; expiresIn?: number } = get,
  ): Promise<Redirect> => {
    const result = await h.exchange.exchange(handle, parsePath(path), request);
    if (result.kind !== 'redirect') throw new TypeError('a redirect was expected');
    return result;
  };
  const fetchUrl = async (url: string, request: Partial<ContentRequest> = {}) => {
    const answer = await serveSigned(
      { method: 'GET', headers: {}, url, ...request },
      { keys: h.keys, sources: h.sources, maxPutBytes: 1000 },
    );
    return { ...answer, text: answer.body === undefined ? '' : (await readAll(answer.body, 1000)).toString() };
  };
  const share = async (more: Partial<NewShare> = {}) => h.shares.create(h.alice, { target: 'source:plain', ...more });
  const openShare = async (more: Partial<NewShare> = {}, address = '192.0.2.1') =>
    h.shares.open({ share: (await share(more)).id, address }, 'download', root);

  describe('of a version', () => {
    it('signs for GET and HEAD apart, to be saved under the name in the package, as an inert type', async () => {
      const handle = await version([{ ...(await pinned(1, 'é page.html', 'hello')) }]);
      const { temporaryUrl, linked } = await redirect(handle, 'é page.html');
      expect(temporaryUrl).toMatchObject({ method: 'GET', headers: {}, expiresAt: h.clock.now() + 900_000 });
      expect(linked).toMatchObject({ size: 5, checksums: [] });
      const answer = await fetchUrl(temporaryUrl.url);
      expect([answer.status, answer.text]).toEqual([200, 'hello']);
      expect(answer.headers).toMatchObject({
        'content-type': 'application/octet-stream',
        'content-disposition': `attachment; filename="_ page.html"; filename*=UTF-8''%C3%A9%20page.html`,
        'x-content-type-options': 'nosniff',
        'content-security-policy': "sandbox; default-src 'none'",
      });
      const head = await redirect(handle, 'é page.html', { method: 'HEAD' });
      await fails(fetchUrl(head.temporaryUrl.url), 'signature_invalid');
      await fails(fetchUrl(temporaryUrl.url, { method: 'HEAD' }), 'signature_invalid');
      expect(await fetchUrl(head.temporaryUrl.url, { method: 'HEAD' })).toMatchObject({
        status: 200,
        text: '',
        headers: { 'content-length': '5' },
      });
    });

    it('gives the pinned object version where the store keeps them', async () => {
      const handle = await version([await pinned(2, 'x.bin', 'old')]);
      await h.write(2, 'in/x.bin', 'new!');
      const { temporaryUrl, drift } = await redirect(handle, 'x.bin');
      expect([(await fetchUrl(temporaryUrl.url)).text, drift]).toEqual(['old', undefined]);
    });

    it('never gives other bytes where the store keeps no versions, unless the policy says so', async () => {
      const files = [await pinned(1, 'x.bin', 'old'), await pinned(1, 'same-size.bin', 'old'), await pinned(1, 'gone.bin', 'old')];
      const handle = await version(files);
      await h.write(1, 'in/x.bin', 'newer');
      await h.write(1, 'in/same-size.bin', 'new');
      await h.driver(1).delete?.(parseKey('in/gone.bin'));
      for (const method of ['GET', 'HEAD'] as const) {
        await fails(h.exchange.exchange(handle, parsePath('x.bin'), { method }), 'drifted');
        await fails(h.exchange.exchange(handle, parsePath('same-size.bin'), { method }), 'drifted');
        await fails(h.exchange.exchange(handle, parsePath('gone.bin'), { method }), 'object_gone');
      }
      const warned = await redirect(await version(files, { onDrift: 'warn' }), 'x.bin');
      expect(warned).toMatchObject({ drift: { size: 5 }, linked: { size: 5, checksums: [] }, entry: { size: 3 } });
      const followed = await redirect(await version(files, { onDrift: 'follow' }), 'x.bin');
      expect([followed.drift, followed.linked.size, (await fetchUrl(followed.temporaryUrl.url)).text]).toEqual([undefined, 5, 'newer']);
      await fails(redirect(await version(files, { onDrift: 'follow' }), 'gone.bin'), 'object_gone');
    });

    it('acts with the rights that the curator has now', async () => {
      const handle = await version([await pinned(1, 'x.bin', 'x'), await pinned(2, 'y.bin', 'y')]);
      await redirect(handle, 'x.bin');
      await h.grant('1', ['list', 'stat', 'share']);
      await fails(redirect(handle, 'x.bin'), 'not_found');
      await redirect(handle, 'y.bin');
      await h.sources.remove(system, parseName('kept'), { force: true });
      await fails(redirect(handle, 'y.bin'), 'not_found');
      await fails(redirect(await version([pointerFile('z', 'z', { source: '99' })]), 'z'), 'not_found');
    });

    it('signs keys that are no path byte for byte', async () => {
      for (const key of ['a//b', 'x/', 'a b+c#d%e=f[1]é日.txt', '../q', '\udcff\u0001']) {
        const info = await h.write(1, key, key);
        const handle = await version([pointerFile('f', key, { source: '1', key: parseKey(key), etag: info?.etag ?? '' })]);
        expect((await fetchUrl((await redirect(handle, 'f')).temporaryUrl.url)).status).toBe(200);
      }
    });

    it('gives a text by its bytes and refuses folders, strangers and what was not opened for download', async () => {
      const handle = await version([textFile('d/README.md', '# hello')]);
      const result = await h.exchange.exchange(handle, parsePath('d/README.md'), get);
      if (result.kind !== 'text') throw new TypeError();
      expect((await readAll(result.read({ start: 2, end: 7 }), 100)).toString()).toBe('hello');
      await fails(h.exchange.exchange(handle, parsePath('d'), get), 'unsupported');
      await fails(h.exchange.exchange(handle, root, get), 'unsupported');
      await fails(h.exchange.exchange(handle, parsePath('nothing'), get), 'not_found');
      for (const action of ['list', 'stat'] as const) {
        await fails(h.exchange.exchange(await version([textFile('a', 'a')], {}, action), parsePath('a'), get), 'forbidden');
      }
      const inner = await version([textFile('d/a', 'a'), textFile('da', 'a')], { path: parsePath('d') });
      await h.exchange.exchange(inner, parsePath('d/a'), get);
      await fails(h.exchange.exchange(inner, parsePath('da'), get), 'forbidden');
    });

    it.each([-1, 0, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 604_801, 99_999_999, 1e9])(
      'refuses a life of %s seconds',
      async (expiresIn) => {
        const handle = await version([await pinned(1, 'x', 'x')]);
        await fails(h.exchange.exchange(handle, parsePath('x'), { ...get, expiresIn }), 'request_invalid');
      },
    );

    it('lives as long as was asked, the cap allows and the share has left', async () => {
      const file = await pinned(1, 'x', 'x');
      const life = async (expiresIn: number, endsAt?: number) =>
        ((await redirect(await version([file], { endsAt }), 'x', { ...get, expiresIn })).temporaryUrl.expiresAt ?? 0) - h.clock.now();
      expect([await life(5), await life(3600), await life(604_800)]).toEqual([5000, 3_600_000, 3_600_000]);
      expect([await life(3600, h.clock.now() + 60_999), await life(30, h.clock.now() + 60_000)]).toEqual([60_000, 30_000]);
      await fails(life(5, h.clock.now() + 14_999), 'share_not_found');
      await fails(life(5, h.clock.now() - 1), 'share_not_found');
    });
  });

  describe('by a share', () => {
    it('counts what is given out once, before it is, and not a HEAD', async () => {
      await h.write(1, 'a.bin', 'a');
      await h.write(1, 'b.bin', 'b');
      const handle = await openShare({ maxObjects: 1 });
      for (const path of ['a.bin', 'b.bin']) await redirect(handle, path, { method: 'HEAD' });
      const all = await Promise.allSettled(['a.bin', 'b.bin'].flatMap((path) => Array.from({ length: 25 }, () => redirect(handle, path))));
      const given = all.flatMap((one) => (one.status === 'fulfilled' ? [one.value.entry.path] : []));
      expect([given.length, new Set(given).size]).toEqual([25, 1]);
      for (const one of all) if (one.status === 'rejected') expect((one.reason as PackageRError).code).toBe('share_limit_reached');
    });

    it('notes the horizon, ends with the share, and follows live objects', async () => {
      await h.write(1, 'a.bin', 'a');
      const handle = await openShare();
      await h.write(1, 'a.bin', 'changed');
      const { temporaryUrl } = await redirect(handle, 'a.bin', { ...get, expiresIn: 600 });
      expect((await fetchUrl(temporaryUrl.url)).text).toBe('changed');
      expect(await h.shares.get(h.alice, 1)).toMatchObject({ horizonAt: h.clock.now() + 600_000, exchanged: 1 });
      await h.shares.revoke(h.alice, 1);
      await fails(redirect(handle, 'a.bin'), 'share_not_found');
      await fails(redirect(handle, 'a.bin', { method: 'HEAD' }), 'share_not_found');
      const { events } = await h.events.list({ action: 'share.exchange' });
      expect(events).toMatchObject([{ subject: 'share:1', address: '192.0.2.1', details: { path: 'a.bin', bytes: 7 } }]);
    });
  });

  describe('in bulk', () => {
    const base = 'https://host/s/ID~TICKET';
    const link = (path: Path) => `${base}/o/${encodePath(path)}`;
    const bulk = async (handle: Handle, body: AsyncIterable<Uint8Array>, more: { signal?: AbortSignal } = {}): Promise<BulkLine[]> =>
      collect(h.exchange.bulk(handle, body, { ...get, link, ...more }));
    const pointer = (path: string, more: { etag?: string; url?: string } = {}) =>
      writePointerFile({
        url: `https://host/s/ID/o/${encodePath(parsePath(path))}`,
        path: parsePath(path),
        size: 1,
        checksums: [],
        ...more,
      });
    const said = (line: BulkLine) => ('error' in line ? `${line.line} ${line.error.code}` : line.path);

    it('answers each line in order; a bad one stops no other', async () => {
      const handle = await version([await pinned(1, 'a', '1'), await pinned(1, 'b c', '2'), textFile('t.txt', 'text')]);
      const lines = [
        '"a"',
        '{"path":"b c"}',
        '',
        '"t.txt"',
        '"nothing"',
        '"../a"',
        'a',
        '{"path":"a","x":1}',
        'null',
        '[]',
        '{"pointer":"x"}',
        JSON.stringify({ pointer: pointer('a') }),
        JSON.stringify({ pointer: pointer('a', { etag: 'other' }) }),
        JSON.stringify({ pointer: pointer('a', { url: 'https://host/s/OTHER/o/a' }) }),
        JSON.stringify({ pointer: pointer('a', { url: 'https://evil/s/ID/o/a' }) }),
        '"a"',
      ];
      const found = await bulk(handle, chunks(lines.join('\n')));
      expect(found.map(said)).toEqual([
        'a',
        'b c',
        't.txt',
        '4 not_found',
        '5 path_invalid',
        '6 request_invalid',
        '7 request_invalid',
        '8 request_invalid',
        '9 request_invalid',
        '10 pointer_invalid',
        'a',
        '12 drifted',
        '13 pointer_invalid',
        '14 pointer_invalid',
        'a',
      ]);
      expect(found[2]).toMatchObject({ url: link(parsePath('t.txt')), expiresAt: undefined });
      expect((await fetchUrl((found[0] as { url: string }).url)).text).toBe('1');
      const { events } = await h.events.list({ action: 'package.exchange' });
      expect(events).toMatchObject([{ details: { objects: 5, failed: 10, bulk: true } }]);
    });

    it('takes bytes as they come: cut anywhere, no UTF-8, too long a line', async () => {
      const handle = await version([textFile('é', '1')]);
      const bytes = Buffer.from('"é"\r\n"é"\n');
      const cut = async function* () {
        for (const byte of bytes) yield Buffer.of(byte);
        yield Buffer.from([0x22, 0xff, 0x22, 0x0a]);
        for (let i = 0; i < 80; i++) yield Buffer.alloc(1024, 0x20);
        yield Buffer.from('\n"é"');
      };
      expect((await bulk(handle, cut())).map(said)).toEqual(['é', 'é', '3 request_invalid', '4 too_large', 'é']);
    });

    it('takes lines up to the limit that it is given', async () => {
      const handle = await version([textFile('t.txt', 'x')]);
      const lines = [63, 64, 65].map((bytes) => `${' '.repeat(bytes - 7)}"t.txt"`);
      const body = async function* () {
        yield Buffer.from(lines.join('\n'));
      };
      const found: BulkLine[] = [];
      const request = { method: 'GET', lineBytes: 64, link: (path: Path) => `https://host/${path}` } as const;
      for await (const line of h.exchange.bulk(handle, body(), request)) found.push(line);
      expect(found.map(said)).toEqual(['t.txt', 't.txt', '3 too_large']);
    });

    it('answers before the next line comes, keeps the order, and bounds what is under way', async () => {
      const handle = await version(Array.from({ length: 300 }, (_, index) => textFile(`f${index}`, 'x')));
      let asked = 0;
      let answered = 0;
      let most = 0;
      const body = async function* () {
        for (; asked < 300; asked++) {
          most = Math.max(most, asked - answered);
          yield Buffer.from(`"f${asked}"\n`);
        }
      };
      for await (const line of h.exchange.bulk(handle, body(), { ...get, link })) expect(said(line)).toBe(`f${answered++}`);
      expect(answered).toBe(300);
      expect(most).toBeLessThanOrEqual(66);
      let release = (): void => undefined;
      const slow = async function* () {
        yield Buffer.from('"f1"\n');
        await new Promise<void>((resolve) => {
          release = resolve;
        });
      };
      const answers = h.exchange.bulk(handle, slow(), { ...get, link });
      expect((await answers.next()).value).toMatchObject({ path: 'f1' });
      release();
      expect((await answers.next()).done).toBe(true);
    });

    it('stops with the signal and with the reader', async () => {
      const handle = await version([textFile('a', 'x')]);
      let returned = 0;
      const endless = async function* () {
        try {
          for (;;) yield Buffer.from('"a"\n');
        } finally {
          returned++;
        }
      };
      const controller = new AbortController();
      const answers = h.exchange.bulk(handle, endless(), { ...get, link, signal: controller.signal });
      await answers.next();
      controller.abort();
      await fails(collect(answers), 'cancelled');
      for await (const _ of h.exchange.bulk(handle, endless(), { ...get, link })) break;
      await new Promise((resolve) => setImmediate(resolve));
      expect(returned).toBe(2);
    });

    it('stops giving out once the share is revoked, and refuses a handle without the right at once', async () => {
      await h.write(1, 'a', 'x');
      const handle = await openShare();
      const lines = async function* () {
        yield Buffer.from('"a"\n');
        await h.shares.revoke(h.alice, 1);
        yield Buffer.from('"a"\n');
      };
      expect((await bulk(handle, lines())).map(said)).toEqual(['a', '2 share_not_found']);
      await fails(bulk(await version([], {}, 'list'), chunks('"a"')), 'forbidden');
    });
  });

  describe('serving', () => {
    const sign = (method: 'GET' | 'HEAD' | 'PUT', key = 'o.bin', more: object = {}) =>
      h.keys.sign({ source: '1', key: parseKey(key), method, expiresAt: h.clock.now() + 1000, ...more });
    const body = '0123456789';
    const etag = async () => `"${(await h.driver(1).stat(parseKey('o.bin'))).etag}"`;
    beforeEach(async () => {
      await h.write(1, 'o.bin', body);
    });

    it.each([
      ['bytes=0-0', 206, '0', 'bytes 0-0/10'],
      ['bytes=2-5', 206, '2345', 'bytes 2-5/10'],
      ['bytes=7-', 206, '789', 'bytes 7-9/10'],
      ['bytes=-3', 206, '789', 'bytes 7-9/10'],
      ['bytes=-99', 206, body, 'bytes 0-9/10'],
      ['bytes=5-99', 206, '56789', 'bytes 5-9/10'],
      ['bytes=10-', 416, '', 'bytes */10'],
      ['bytes=-0', 416, '', 'bytes */10'],
      ['bytes=5-2', 200, body, undefined],
      ['bytes=0-1,3-4', 200, body, undefined],
      ['lines=0-1', 200, body, undefined],
      ['bytes=a-b', 200, body, undefined],
      ['bytes=-', 200, body, undefined],
      ['bytes=0-99999999999999999999', 200, body, undefined],
    ])('answers Range %s', async (range, status, text, contentRange) => {
      const answer = await fetchUrl(sign('GET'), { headers: { range } });
      expect([answer.status, answer.text, answer.headers['content-range']]).toEqual([status, text, contentRange]);
      expect(answer.headers['content-length']).toBe(String(text.length));
      expect(answer.headers).toMatchObject({ 'accept-ranges': 'bytes', etag: await etag(), 'access-control-allow-origin': '*' });
    });

    it('continues only the same bytes', async () => {
      const url = sign('GET');
      const range = 'bytes=5-';
      expect((await fetchUrl(url, { headers: { range, 'if-range': await etag() } })).status).toBe(206);
      for (const ifRange of ['"other"', `W/${await etag()}`, new Date(h.clock.now()).toUTCString(), '']) {
        expect(await fetchUrl(url, { headers: { range, 'if-range': ifRange } })).toMatchObject({ status: 200, text: body });
      }
      for (const ifNoneMatch of [await etag(), `"x", W/${await etag()}`, '*']) {
        expect(await fetchUrl(url, { headers: { 'if-none-match': ifNoneMatch, range } })).toMatchObject({ status: 304, text: '' });
      }
      expect((await fetchUrl(url, { headers: { 'if-none-match': '"x"' } })).status).toBe(200);
      expect((await fetchUrl(sign('HEAD'), { method: 'HEAD', headers: { 'if-none-match': await etag() } })).status).toBe(304);
    });

    it('refuses other methods, ends and objects', async () => {
      const url = sign('GET');
      for (const method of ['HEAD', 'PUT', 'POST', 'DELETE', 'get']) await fails(fetchUrl(url, { method }), 'signature_invalid');
      await fails(fetchUrl(sign('GET', 'nothing')), 'object_not_found');
      await fails(fetchUrl(sign('GET', 'o.bin', { source: '99' })), 'not_found');
      expect(await fetchUrl(url, { method: 'OPTIONS' })).toMatchObject({
        status: 204,
        headers: { 'access-control-allow-methods': 'GET, HEAD' },
      });
      await fails(fetchUrl('http://content/o/a.b.c/d', { method: 'OPTIONS' }), 'signature_invalid');
      h.clock.advance(1000);
      await fails(fetchUrl(url), 'signature_expired');
    });

    it('opens the bytes that it was made for, and no others that came in their place', async () => {
      const pinned = (await etag()).replaceAll('"', '');
      const [get, head] = [sign('GET', 'o.bin', { etag: pinned }), sign('HEAD', 'o.bin', { etag: pinned })];
      expect((await fetchUrl(get)).text).toBe(body);
      await h.write(1, 'o.bin', 'other bytes');
      await fails(fetchUrl(get), 'drifted');
      await fails(fetchUrl(get, { headers: { range: 'bytes=0-1' } }), 'drifted');
      await fails(fetchUrl(head, { method: 'HEAD' }), 'drifted');
    });

    it('stops with the client', async () => {
      await h.write(1, 'big.bin', 'x'.repeat(200_000));
      const controller = new AbortController();
      const request = { method: 'GET', headers: {}, url: sign('GET', 'big.bin'), signal: controller.signal };
      const answer = await serveSigned(request, { keys: h.keys, sources: h.sources });
      const iterator = (answer.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
      await iterator.next();
      controller.abort();
      await fails(Promise.resolve(iterator.next()), 'cancelled');
    });

    it('takes a PUT of the stated size, bounded', async () => {
      const put = (url: string, text: string, headers: ContentRequest['headers'] = {}) =>
        fetchUrl(url, { method: 'PUT', headers, body: chunks(text) });
      expect(await put(sign('PUT', 'new'), 'hello', { 'content-length': '5' })).toMatchObject({ status: 200, text: '' });
      expect((await fetchUrl(sign('GET', 'new'))).text).toBe('hello');
      await fails(put(sign('PUT', 'new'), 'hello', { 'content-length': '4' }), 'request_invalid');
      await fails(put(sign('PUT', 'new'), 'hello', { 'content-length': '1001' }), 'too_large');
      await fails(put(sign('PUT', 'new'), 'hello', { 'content-length': '-1' }), 'request_invalid');
      await fails(put(sign('PUT', 'new'), 'x'.repeat(1001)), 'too_large');
      await fails(put(sign('PUT', 'new'), 'hello', { 'content-encoding': 'gzip' }), 'media_type_unsupported');
      await fails(put(sign('PUT', 'new'), 'hello', { 'if-none-match': '*' }), 'exists');
      await fails(put(sign('GET', 'new'), 'hello'), 'signature_invalid');
      expect((await fetchUrl(sign('GET', 'new'))).text).toBe('hello');
      const key = parseKey('parts');
      const upload = (await h.driver(1).multipart?.create(key)) ?? '';
      const answer = await put(sign('PUT', 'parts', { part: { upload, number: 1 } }), 'part');
      expect(answer.headers['etag']).toMatch(/^"[0-9a-f]{32}"$/);
      expect(await h.driver(1).multipart?.list(key, upload)).toMatchObject([{ number: 1, size: 4 }]);
    });
  });
});
