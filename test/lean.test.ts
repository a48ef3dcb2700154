/**
 * The lean way and the ordinary one: the same requests go down both, and answers are compared byte for byte. What was decided holds no
 * longer than its reason: whatever an owner or administrator takes back is gone at the very next request.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { openApp } from '#app.ts';
import { localClient } from '#cli/run.ts';
import type { Client } from '#client/client.ts';
import { loadConfig } from '#config/config.ts';
import { Exchange } from '#exchange/exchange.ts';
import { freePort } from './support/free-port.ts';

const password = 'correct horse battery';
const names = ['a.txt', 'deep/b c.nc', 'deep/ä+%.bin', 'deep/er/日.tif', "deep/it's (1).csv"];
const keys = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLEEXAMPLE00', AWS_SECRET_ACCESS_KEY: 'anExampleOfASecretAccessKeyOfFortySigns0' };

interface Answer {
  readonly status: number | undefined;
  readonly headers: readonly string[];
  readonly body: string;
}

interface Share {
  readonly id: string;
  readonly number: number;
}

interface Options {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  /** As the proxy in front reports it: guessing is limited by address. */
  readonly peer?: string;
}

type Asked = readonly [path: string, options?: Options];

/** Signatures, ids and the time differ between any two answers. */
function comparable({ status, headers, body }: Answer): unknown {
  const masked = headers.map((text, index) => (/^(date|x-request-id)$/i.test(headers[index - 1] ?? '') ? '…' : text));
  const unsigned = (text: string): string =>
    text.replace(/(X-Amz-(?:Signature|Date)=)[^&"]*/g, '$1…').replace(/"(expiresAt|requestId|instance)":"[^"]*"/g, '"$1":"…"');
  return { status, headers: masked.map(unsigned), body: unsigned(body) };
}

describe('a stable URL', () => {
  let folder: string;
  let app: Awaited<ReturnType<typeof openApp>>;
  let client: Client;
  let ordinary: Server;
  let ports: { readonly lean: number; readonly ordinary: number };
  let redirect: ReturnType<typeof vi.spyOn>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'package-r-lean-'));
    ports = { lean: await freePort(), ordinary: await freePort() };
    const env = {
      PACKAGE_R_DATA_DIR: folder,
      PACKAGE_R_PUBLIC_URL: `http://127.0.0.1:${ports.lean}`,
      PACKAGE_R_TRUSTED_PROXIES: '127.0.0.1',
    };
    app = await openApp(loadConfig({ env, cwd: folder }), 'silent');
    await app.server.listen({ host: '127.0.0.1', port: ports.lean });
    ordinary = createServer((asked, answer) => app.server.routing(asked, answer));
    ordinary.keepAliveTimeout = app.server.server.keepAliveTimeout;
    await new Promise<void>((resolve) => void ordinary.listen(ports.ordinary, '127.0.0.1', resolve));
    client = localClient(app.socketPath);
    const options = { bucket: 'archive', region: 'eu-central-1', endpoint: 'https://objects.example.org', versions: 'on' };
    await client.post('api/v1/sources', { name: 'store', driver: 's3', options, secrets: keys });
    await client.post('api/v1/packages', { reference: 'admin/field' });
    const lines = names.map((key, index) => JSON.stringify({ key, size: index + 1, etag: `e${index}`, version: `v${index}` }));
    const list = { query: { source: 'store' }, body: Buffer.from(lines.join('\n')), contentType: 'application/x-ndjson' };
    const job = await client.call<{ id: string; state: string }>('POST', 'api/v1/packages/admin/field/annex', list);
    await vi.waitUntil(async () => (await client.get<typeof job>(`api/v1/jobs/${job.id}`)).state === 'done', 20_000);
    const text = { body: Buffer.from('# Field'), contentType: 'application/octet-stream' };
    await client.call('PUT', 'api/v1/packages/admin/field/entries/README.md', text);
    await client.post('api/v1/packages/admin/field/versions', { message: 'first' });
  });
  afterAll(async () => {
    await new Promise<void>((resolve) => void ordinary.close(() => resolve()));
    await app.close();
    await rm(folder, { recursive: true });
  });
  beforeEach(() => {
    redirect = vi.spyOn(Exchange.prototype, 'redirect');
  });
  afterEach(() => void vi.restoreAllMocks());

  const share = (more: object = {}) => client.post<Share>('api/v1/shares', { target: 'admin/field@1', ...more });
  const ask = (way: 'lean' | 'ordinary', [path, { method = 'GET', headers = {}, peer = '192.0.2.1' } = {}]: Asked): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const sent = request(
        { port: ports[way], path, method, headers: { ...headers, 'x-forwarded-for': peer } },
        (answer: IncomingMessage) => {
          let body = '';
          answer.setEncoding('utf8').on('data', (chunk: string) => {
            body += chunk;
          });
          answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.rawHeaders, body }));
        },
      );
      sent.once('error', reject);
      sent.end();
    });
  const isLean = async (): Promise<boolean> => (await redirect.mock.results.at(-1)?.value) !== undefined;
  /** Status of one request, and which way it went. */
  const go = async (path: string): Promise<[number | undefined, 'lean' | 'ordinary']> => {
    redirect.mockClear();
    const { status } = await ask('lean', [path]);
    return [status, (await isLean()) ? 'lean' : 'ordinary'];
  };
  const file = ({ id }: Share, ticket = '') => `/s/${id}${ticket}/o/a.txt`;
  /** A share that answers the lean way. */
  const opened = async (more: object = {}) => {
    const made = await share(more);
    expect(await go(file(made))).toEqual([307, 'ordinary']);
    expect(await go(file(made))).toEqual([307, 'lean']);
    return made;
  };
  const ordinaryPost = (path: string, body: object, headers: Record<string, string> = {}) =>
    fetch(`http://127.0.0.1:${ports.ordinary}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': '192.0.2.1', ...headers },
      body: JSON.stringify(body),
    });
  const unlock = async ({ id }: Share) => {
    const answer = await ordinaryPost(`/s/${id}/unlock`, { password });
    return `~${((await answer.json()) as { ticket: string }).ticket}`;
  };

  it('is answered alike down both ways', async () => {
    const made = await opened();
    const base = `/s/${made.id}`;
    const good = names.map((name): Asked => [`${base}/o/${name.split('/').map(encodeURIComponent).join('/')}`]);
    const odd: Asked[] = [
      [`${base}/o/a.txt`, { method: 'HEAD' }],
      [`${base}/o/a.txt`, { headers: { accept: 'text/html,*/*' } }],
      [`${base}/o/a.txt`, { headers: { accept: 'application/json' } }],
      [`${base}/o/a.txt`, { headers: { origin: 'https://elsewhere.example' } }],
      [`${base}/o/a.txt`, { headers: { cookie: 'pr_session=nothing' } }],
      [`${base}/o/a.txt`, { headers: { authorization: 'Bearer nothing' } }],
      [`${base}/o/a.txt`, { headers: { 'x-share-password': 'x' } }],
      [`${base}/o/a.txt`, { headers: { 'content-encoding': 'gzip' } }],
      [`${base}/o/a.txt`, { headers: Object.fromEntries(Array.from({ length: 70 }, (_, index) => [`x-${index}`, '1'])) }],
      [`${base}/o/a.txt?pointer`],
      [`${base}/o/a.txt?expires=60`],
      [`${base}/o/a.txt?expires=0`],
      [`${base}/o/a.txt`, { method: 'POST' }],
      [`${base}/o/a.txt`, { method: 'DELETE' }],
      [`${base}/o/README.md`],
      [`${base}/o/README.md`, { headers: { range: 'bytes=0-2' } }],
      [`${base}/o/deep`],
      [`${base}/o/deep/`],
      [`${base}/o/`],
      [`${base}/o`],
      [`${base}/o/missing`],
      [`${base}/o/a.txt/`],
      [`${base}/o/a.txt/b`],
      [`${base}/o//a.txt`],
      [`${base}//o/a.txt`],
      [`/${base}/o/a.txt`],
      [`${base}/o/./a.txt`],
      [`${base}/o/deep/../a.txt`],
      [`${base}/o/deep/%2e%2e/a.txt`],
      [`${base}/o/deep%2Fb%20c.nc`],
      [`${base}/o/a.txt%00`],
      [`${base}/o/%61.txt`],
      [`${base}/o/a%.txt`],
      [`${base}/o/%ff`],
      [`${base}/o/%5C`],
      [`${base}/o/${'x'.repeat(5000)}`],
      [`${base}/o/${'x'.repeat(9000)}`],
      [`${base}/o/${'a/'.repeat(70)}b`],
      [`${base}/%6f/a.txt`],
      [`/%73/${made.id}/o/a.txt`],
      [`${base.toLowerCase()}x/o/a.txt`],
      [`${base}~nothing/o/a.txt`],
      [`${base}~/o/a.txt`],
      [`${base}~a~b/o/a.txt`],
      [`/s/${'A'.repeat(22)}/o/a.txt`],
      [`/s//o/a.txt`],
      [`/s/o/a.txt`],
      [`/s/${made.id}`],
    ];
    for (const [index, [path, options]] of [...good, ...good, ...odd].entries()) {
      const asked: Asked = [path, { ...options, peer: `198.51.100.${index}` }];
      const before: Asked = [file(made), { peer: `198.51.100.${index}` }];
      await ask('lean', before);
      expect((await ask('lean', before)).status).toBe(307);
      const answers = { lean: comparable(await ask('lean', asked)), ordinary: comparable(await ask('ordinary', asked)) };
      expect([asked, answers.lean]).toEqual([asked, answers.ordinary]);
    }
    for (const [path] of good) expect(await go(path)).toEqual([307, 'lean']);
  });

  it('goes the ordinary way for whoever has limits, terms or a password without a ticket, and with a ticket the lean one', async () => {
    for (const more of [{ maxObjects: 5 }, { maxBytes: 1000 }]) {
      const made = await share(more);
      for (const _ of [1, 2]) expect(await go(file(made))).toEqual([307, 'ordinary']);
    }
    const termed = await share({ terms: 'Say thanks.' });
    for (const _ of [1, 2]) expect((await go(file(termed)))[1]).toEqual('ordinary');
    const locked = await share({ audience: 'password', password });
    for (const _ of [1, 2]) expect(await go(file(locked))).toEqual([401, 'ordinary']);
    const ticket = await unlock(locked);
    expect(await go(file(locked, ticket))).toEqual([307, 'ordinary']);
    expect(await go(file(locked, ticket))).toEqual([307, 'lean']);
    expect(await go(file(locked))).toEqual([401, 'ordinary']);
    expect((await go(file(locked, `${ticket.slice(0, -1)}${ticket.endsWith('A') ? 'B' : 'A'}`)))[0]).toBe(401);
    await client.patch(`api/v1/shares/${locked.number}`, { password: 'another password here' });
    expect(await go(file(locked, ticket))).toEqual([401, 'ordinary']);
  });

  it('ends with pause, revocation and a new id, at once', async () => {
    const paused = await opened();
    await client.post(`api/v1/shares/${paused.number}/pause`);
    expect(await go(file(paused))).toEqual([404, 'ordinary']);
    await client.post(`api/v1/shares/${paused.number}/resume`);
    expect((await go(file(paused)))[0]).toBe(307);
    const revoked = await opened();
    await client.call('DELETE', `api/v1/shares/${revoked.number}`);
    expect(await go(file(revoked))).toEqual([404, 'ordinary']);
    const rotated = await opened();
    await client.post(`api/v1/shares/${rotated.number}/rotate`);
    expect(await go(file(rotated))).toEqual([404, 'ordinary']);
  });

  it('ends when its version is withdrawn, and when its owner loses the right or the account', async () => {
    await client.post('api/v1/users', { name: 'alice', password: 'alice has a long password' });
    const grant = (actions: readonly string[]) =>
      client.put('api/v1/grants', { target: { kind: 'source', name: 'store' }, subject: { kind: 'user', name: 'alice' }, actions });
    await grant(['list', 'stat', 'download', 'share']);
    const signedIn = await ordinaryPost('/api/v1/login', { name: 'alice', password: 'alice has a long password' });
    const token = ((await signedIn.json()) as { token: string }).token;
    const post = async <T>(path: string, body: object): Promise<T> =>
      (await (await ordinaryPost(path, body, { authorization: `Bearer ${token}` })).json()) as T;
    await post('/api/v1/packages', { reference: 'alice/own' });
    const item = { key: 'a.txt', size: 1, etag: 'e', version: 'v' };
    const job = await post<{ id: string }>('/api/v1/packages/alice/own/annex', { source: 'store', list: [item] });
    await vi.waitUntil(async () => (await client.get<{ state: string }>(`api/v1/jobs/${job.id}`)).state === 'done', 20_000);
    await post('/api/v1/packages/alice/own/versions', { message: '' });
    const known = async (made: Share) => {
      await go(file(made));
      expect(await go(file(made))).toEqual([307, 'lean']);
    };
    const made = await post<Share>('/api/v1/shares', { target: 'alice/own@1' });
    const latest = await post<Share>('/api/v1/shares', { target: 'alice/own@latest' });
    await known(made);
    await known(latest);
    await grant(['list', 'stat', 'share']);
    expect(await go(file(made))).toEqual([404, 'ordinary']);
    await grant(['list', 'stat', 'download', 'share']);
    await known(made);
    await client.patch('api/v1/users/alice', { disabled: true });
    expect(await go(file(made))).toEqual([404, 'ordinary']);
    await client.patch('api/v1/users/alice', { disabled: false });
    await known(made);
    await known(latest);
    await client.post('api/v1/packages/alice/own@1/withdraw', { reason: 'wrong' });
    expect(await go(file(made))).toEqual([410, 'ordinary']);
    expect((await go(file(latest)))[0]).toBeGreaterThanOrEqual(404);
  });

  it('signs with the keys of now from the very next request on, and fails for nobody while they are rotated', async () => {
    const made = await opened();
    const keyOf = async () => {
      const { status, headers } = await ask('lean', [file(made)]);
      return [status, /X-Amz-Credential=([^%]*)/.exec(headers[headers.indexOf('location') + 1] ?? '')?.[1]];
    };
    const accessKey = (index: number) => `AKIDEXAMPLEEXAMPLE${String(index).padStart(2, '0')}`;
    const seen = new Set<unknown>();
    let isDone = false;
    const exchanging = Array.from({ length: 8 }, async () => {
      while (!isDone) {
        const [status, key] = await keyOf();
        expect(status).toBe(307);
        seen.add(key);
      }
    });
    for (let index = 1; index <= 12; index++) {
      const secrets = { AWS_ACCESS_KEY_ID: accessKey(index), AWS_SECRET_ACCESS_KEY: keys.AWS_SECRET_ACCESS_KEY };
      await client.patch('api/v1/sources/store', { secrets });
      expect(await keyOf()).toEqual([307, accessKey(index)]);
    }
    isDone = true;
    await Promise.all(exchanging);
    expect(seen.size).toBeGreaterThan(1);
  });

  it('counts and records what was given out down either way, and sums up what comes too fast to be told', async () => {
    const made = await opened();
    for (let index = 0; index < 40; index++) expect((await ask('lean', [file(made)])).status).toBe(307);
    expect((await ask('lean', [file(made), { method: 'HEAD' }])).status).toBe(307);
    await vi.waitUntil(async () => (await client.get<{ exchanged: number }>(`api/v1/shares/${made.number}`)).exchanged === 42, 5000);
    const recorded = async () => {
      const query = { subject: `share:${made.number}`, action: 'share.exchange' };
      const { events } = await client.get<{ events: { details: { objects?: number; path?: string } }[] }>('api/v1/events', query);
      return events.reduce((sum, { details }) => sum + (details.objects ?? 1), 0);
    };
    await vi.waitUntil(async () => (await recorded()) === 42, 5000);
  });
});
