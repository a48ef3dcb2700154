import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Connector, OutboundRequest, OutboundResponse } from '#drivers/connector.ts';
import type { CorsRule, Driver, StoreFacts } from '#drivers/driver.ts';
import { memoryDriver } from '#drivers/memory/definition.ts';
import { openMemory } from '#drivers/memory/driver.ts';
import { PackageRError } from '#errors/error.ts';
import { createConnector } from '#layers/connector.ts';
import type { Key } from '#model/key.ts';
import { type ProbeOptions, probeSource } from '#sources/probe/probe.ts';
import type { SourceCheck, SourceTest } from '#sources/source.ts';
import { bodyOf, expectError } from '#testing/driver-subject.ts';
import { openUrlServer, TestUrlSigner } from '#testing/url-server.ts';

const origin = 'https://data.example.org';
const allOk = ['open', 'list', 'read', 'range', 'presign', 'clock', 'presign-range', 'presign-head', 'presign-method', 'tampered'];

interface Found extends SourceTest {
  readonly outcomes: Readonly<Record<string, string>>;
  find(name: string): SourceCheck | undefined;
}

type Answer = (answer: OutboundResponse, request: OutboundRequest) => Partial<OutboundResponse> | undefined;

interface ProbeWorld {
  readonly driver: Driver;
  readonly signer: TestUrlSigner;
  /** How often the driver was closed. */
  readonly closed: number;
  probe(change?: Partial<Driver>, more?: Partial<ProbeOptions>): Promise<Found>;
  /** A store that answers temporary URLs otherwise. */
  answering(change: Answer): { readonly connector: Connector };
  without(...names: (keyof Driver['capabilities'])[]): Pick<Driver, 'capabilities'>;
  close(): Promise<void>;
}

const facts = (known: StoreFacts): Partial<Driver> => ({ inspect: async () => known });

/** It holds `a.txt`. */
async function openProbeWorld(): Promise<ProbeWorld> {
  let [closed, ahead] = [0, 0];
  // Time goes on by itself, and where the probe waits.
  const clock = (): number => Date.now() + ahead;
  const wait = async (milliseconds: number): Promise<void> => {
    ahead += milliseconds;
  };
  const signer = new TestUrlSigner(clock);
  const connector = createConnector({ allow: ['127.0.0.1'] });
  const memory = openMemory({ versions: true }, { source: '1', clock, connector, signer });
  const driver: Driver = { ...memory, close: async () => void closed++ };
  await driver.write?.('a.txt' as Key, bodyOf('some bytes to read'));
  const server = await openUrlServer(signer, () => memory);
  return {
    driver,
    signer,
    get closed() {
      return closed;
    },
    async probe(change = {}, more = {}) {
      const open = async () => ({ ...driver, ...change });
      const hooks = { wait, ...more.hooks };
      const test = await probeSource({ definition: memoryDriver, options: {}, open, connector, clock, ...more, hooks });
      const outcomes = Object.fromEntries(test.checks.map((check) => [check.name, check.outcome]));
      return { ...test, outcomes, find: (name) => test.checks.find((check) => check.name === name) };
    },
    answering: (change) => ({
      connector: {
        ...connector,
        async request(request) {
          const answer = await connector.request(request);
          return { ...answer, ...change(answer, request) };
        },
      },
    }),
    without: (...names) => ({
      capabilities: { ...driver.capabilities, ...Object.fromEntries(names.map((name) => [name, name === 'presign' ? 'no' : false])) },
    }),
    async close() {
      await connector.close();
      await server.close();
    },
  };
}

let world: ProbeWorld;
let driver: Driver;
const probe: ProbeWorld['probe'] = (...args) => world.probe(...args);
const answering: ProbeWorld['answering'] = (change) => world.answering(change);
const without: ProbeWorld['without'] = (...names) => world.without(...names);
beforeEach(async () => {
  world = await openProbeWorld();
  ({ driver } = world);
});
afterEach(() => world.close());

const unreachable = (error: Error) => ({
  connector: { request: () => Promise.reject(error), close: async () => undefined } satisfies Connector,
});

describe('the test of a source', () => {
  it('tries all that is declared, and leaves nothing behind', async () => {
    const { works, outcomes } = await probe();
    const names = [...allOk, 'expired', 'write', 'old-version', 'versions', 'checksums', 'unsigned'];
    expect([works, outcomes]).toEqual([true, Object.fromEntries(names.map((name) => [name, 'ok']))]);
    expect((await driver.list({ prefix: '' })).objects.map((object) => object.key)).toEqual(['a.txt']);
    expect(world.closed).toBe(1);
  });

  it('says only what is known where little is there', async () => {
    await driver.delete?.('a.txt' as Key);
    const { works, outcomes } = await probe(without('write', 'versions'));
    const little = { list: 'warning', read: 'skipped', presign: 'skipped', write: 'ok' };
    expect([works, outcomes]).toEqual([true, expect.objectContaining(little)]);
    expect((await probe(without('presign'))).outcomes).toMatchObject({ presign: 'warning' });
  });

  it('ends with what keeps it from opening', async () => {
    const { works, checks } = await probe({}, { open: () => Promise.reject(new PackageRError('source_credentials')) });
    const check = { name: 'open', outcome: 'failed', says: expect.any(String), remedy: expect.stringContaining('secrets') };
    expect([works, checks]).toEqual([false, [check]]);
  });

  it('finds a store that may not be listed or read', async () => {
    const refused = () => Promise.reject(new PackageRError('forbidden', 'The store refused it.'));
    expect(await probe({ list: refused })).toMatchObject({ works: false, outcomes: { list: 'failed', read: 'skipped' } });
    const { find, works } = await probe({ read: refused });
    expect(works).toBe(false);
    expect(find('read')).toMatchObject({ outcome: 'failed', remedy: expect.stringContaining('identity') });
  });

  it('finds objects that are cut short, of another size, or given whole for a part', async () => {
    const info = await driver.stat('a.txt' as Key);
    const giving = (text: string): Partial<Driver> => ({ read: async () => ({ info, body: bodyOf(text) }) });
    expect((await probe(giving('some'))).outcomes).toMatchObject({ read: 'failed' });
    expect((await probe(giving('some bytes to read'))).outcomes).toMatchObject({ read: 'ok', range: 'failed' });
    expect((await probe({ stat: async () => ({ ...info, size: 1 }) })).outcomes).toMatchObject({ read: 'failed' });
  });

  it('counts what lies in an archive, and reads what does not', async () => {
    const { objects } = await driver.list({ prefix: '' });
    const frozen = objects.map((one) => ({ ...one, key: 'frozen' as Key, availability: 'archived' as const }));
    const { find, outcomes } = await probe({ list: async () => ({ objects: [...frozen, ...objects], prefixes: [], cursor: 'next' }) });
    expect(find('archive')).toMatchObject({ outcome: 'warning', says: expect.stringMatching(/^1 of the first 2 objects/) });
    expect(outcomes).toMatchObject({ read: 'ok', presign: 'ok' });
    const all = await probe({ list: async () => ({ objects: frozen, prefixes: [] }) });
    expect(all.outcomes).toMatchObject({ archive: 'warning', read: 'skipped' });
  });

  it('finds a source that cannot be written as declared', async () => {
    const refused = () => Promise.reject(new PackageRError('forbidden'));
    const unwritten = await probe({ write: refused, delete: () => Promise.reject(new Error('nothing was written')) });
    expect(unwritten.find('write')).toMatchObject({ outcome: 'failed', remedy: expect.stringContaining('read-only') });
    expect((await probe({ delete: refused })).find('write')).toMatchObject({ outcome: 'failed' });
    const broken: Driver['write'] = async (...args) => {
      await driver.write?.(...args);
      throw new PackageRError('source_unavailable');
    };
    expect((await probe({ write: broken })).find('write')).toMatchObject({ outcome: 'failed' });
  });

  it('deletes the object where its versions may not be deleted', async () => {
    const remove: Driver['delete'] = async (key, options) => {
      if (options?.version !== undefined) throw new PackageRError('forbidden');
      await driver.delete?.(key);
    };
    const { find } = await probe({ delete: remove });
    expect(find('write')).toMatchObject({ outcome: 'ok', says: expect.stringContaining('old versions of it stay') });
    expect((await driver.list({ prefix: '' })).objects.map((object) => object.key)).toEqual(['a.txt']);
  });

  it('can be cancelled', async () => {
    await expectError(probe({}, { signal: AbortSignal.abort() }), 'cancelled');
    const caller = new AbortController();
    const write: Driver['write'] = async (...args) => {
      const written = await driver.write?.(...args);
      caller.abort();
      throw written === undefined ? new Error('no write') : caller.signal.reason;
    };
    await expectError(probe({ write }, { signal: caller.signal }), 'cancelled');
    expect((await driver.list({ prefix: '' })).objects.map((object) => object.key)).toEqual(['a.txt']);
    expect(world.closed).toBe(2);
  });
});

describe('the test of versions and rights', () => {
  it('finds a store without versions, and versions that cannot be signed for', async () => {
    const { version: _, ...bare } = await driver.stat('a.txt' as Key);
    expect((await probe({ stat: async () => bare })).outcomes).toMatchObject({ versions: 'warning' });
    expect((await probe({ stat: async () => bare, ...facts({ versioning: 'on' }) })).outcomes).toMatchObject({ versions: 'ok' });
    expect((await probe(facts({ versioning: 'suspended' }))).outcomes).toMatchObject({ versions: 'warning' });
    expect((await probe({ ...without('versions'), ...facts({ versioning: 'off' }) })).outcomes).toMatchObject({ versions: 'warning' });
    const versioned = ({ searchParams }: URL): boolean =>
      Buffer.from(searchParams.get('asked') ?? '', 'base64url')
        .toString()
        .includes('"version":"');
    const refusing = await probe(
      facts({ leastPolicy: '{}' }),
      answering((_, { url }) => (versioned(url) ? { status: 403 } : {})),
    );
    expect(refusing).toMatchObject({ works: false, outcomes: { presign: 'ok', versions: 'failed', 'old-version': 'failed' } });
    expect(refusing.find('versions')).toMatchObject({ paste: '{}' });
  });

  it('finds a wrong region, as bad as it is', async () => {
    const region = { signed: 'us-east-1', actual: 'eu-central-1' };
    const refused = await probe(
      facts({ region }),
      answering(() => ({ status: 403 })),
    );
    expect(refused.find('region')).toMatchObject({ outcome: 'failed', remedy: 'Set the option region to eu-central-1.' });
    expect((await probe(facts({ region }))).find('region')).toMatchObject({ outcome: 'ok', says: expect.stringContaining('eu-central-1') });
    expect((await probe(facts({ region: { ...region, signed: 'eu-central-1' } }))).outcomes).toMatchObject({ region: 'ok' });
  });

  it('finds rights that are not needed, with the policy to paste', async () => {
    const wide = await probe(facts({ excessRights: ['write', 'outside'], leastPolicy: '{ "Version": "…" }' }));
    expect(wide.find('rights')).toMatchObject({ outcome: 'warning', paste: '{ "Version": "…" }' });
    expect(wide.find('rights')?.says).toMatch(/write objects.*beyond the prefix/);
    expect((await probe(facts({ excessRights: [] }))).outcomes).toMatchObject({ rights: 'ok' });
    const refused = await probe({ inspect: () => Promise.reject(new PackageRError('forbidden')) });
    expect([refused.works, refused.outcomes['rights']]).toEqual([true, 'skipped']);
  });
});

describe('the test of temporary URLs', () => {
  it('finds refusals, other bytes, redirects, and what cannot be resumed', async () => {
    const refusing = answering(() => ({ status: 403 }));
    expect(await probe({}, refusing)).toMatchObject({ works: false, outcomes: { presign: 'failed' } });
    const elsewhere = await probe(
      {},
      answering(() => ({ status: 301, headers: { location: 'http://elsewhere.example/CANARY' } })),
    );
    expect(elsewhere.find('presign')).toMatchObject({ outcome: 'failed', remedy: expect.stringContaining('region') });
    expect(JSON.stringify(elsewhere.checks)).not.toContain('CANARY');
    const other = await probe(
      {},
      answering(() => ({ body: Readable.from([Buffer.from('<html>')]) })),
    );
    expect(other.find('presign')).toMatchObject({ outcome: 'failed', says: expect.stringContaining('other bytes') });
    const whole = await probe(
      {},
      answering((answer) => (answer.status === 206 ? { status: 200 } : {})),
    );
    expect(whole.outcomes).toMatchObject({ 'presign-range': 'warning' });
  });

  it('finds a store that checks no signatures, and one whose objects are public', async () => {
    const all = await probe(
      {},
      answering((answer) => (answer.status === 403 ? { status: 200 } : {})),
    );
    expect([all.works, all.find('tampered')]).toEqual([false, expect.objectContaining({ outcome: 'failed' })]);
    expect(all.outcomes).toMatchObject({ expired: 'failed', 'presign-method': 'ok' });
    const open = await probe(
      {},
      answering((_, { target }) => (target?.includes('?') ? {} : { status: 200 })),
    );
    expect([open.works, open.find('unsigned')?.outcome]).toEqual([true, 'warning']);
  });

  it('says that a public store needs no signature', async () => {
    const presign: Driver['presign'] = async (request) => ({ ...(await driver.presign(request)), expiresAt: undefined });
    const { works, outcomes } = await probe({ presign });
    expect([works, outcomes['public'], outcomes['tampered'], outcomes['expired']]).toEqual([true, 'ok', undefined, undefined]);
  });

  it('tries HEAD as HEAD', async () => {
    const deaf = await probe(
      {},
      answering((_, { method }) => (method === 'HEAD' ? { status: 403 } : {})),
    );
    expect(deaf.outcomes).toMatchObject({ 'presign-head': 'warning', 'presign-method': 'ok' });
    const mute = await probe(
      {},
      answering((_, { method }) => (method === 'HEAD' ? { headers: {} } : {})),
    );
    expect(mute.find('presign-head')).toMatchObject({ outcome: 'warning', says: expect.stringContaining('size') });
  });

  it('says where URLs lead that cannot be reached, and what to set', async () => {
    const refused = new PackageRError('endpoint_refused', 'It is private. Add store.lan:9000 to the setting endpoints.allow.');
    const same = await probe({}, unreachable(refused));
    expect([same.works, same.find('public-endpoint'), same.outcomes['presign']]).toEqual([
      false,
      expect.objectContaining({ outcome: 'failed', says: expect.stringContaining('store.lan:9000') }),
      'skipped',
    ]);
    const other = await probe(facts({ publicEndpoint: 'files.example.org' }), unreachable(refused));
    expect([other.works, other.find('public-endpoint')]).toEqual([
      true,
      expect.objectContaining({ outcome: 'warning', remedy: expect.stringContaining('publicEndpoint') }),
    ]);
    expect((await probe(facts({ publicEndpoint: 'files.example.org' }))).outcomes).toMatchObject({
      'public-endpoint': 'ok',
      presign: 'ok',
    });
    const { find, checks } = await probe({}, unreachable(new TypeError('CANARY-UPSTREAM')));
    expect([find('public-endpoint')?.outcome, JSON.stringify(checks)]).toEqual(['failed', expect.not.stringContaining('CANARY')]);
  });

  it('sends a key as it was signed, dots included', async () => {
    await driver.write?.('a/../dots' as Key, bodyOf('some bytes to read'));
    await driver.delete?.('a.txt' as Key);
    world.signer.base += '/x/../y';
    const targets: unknown[] = [];
    await probe(
      {},
      answering((_, { target }) => void targets.push(target)),
    );
    expect(targets[0]).toMatch(/^\/x\/\.\.\/y\/\?asked=/);
  });

  it('finds clocks that differ', async () => {
    const at = (seconds: number): Partial<ProbeOptions> => ({ clock: () => Date.now() + seconds * 1000 });
    expect((await probe({}, at(60))).find('clock')).toMatchObject({
      outcome: 'warning',
      says: expect.stringMatching(/ (59|60|61) s apart/),
    });
    expect((await probe({}, at(600))).outcomes).toMatchObject({ clock: 'failed' });
    expect((await probe({}, at(60))).outcomes).not.toHaveProperty('expired');
    const mute = await probe(
      {},
      answering(({ headers: { date: _, ...headers } }) => ({ headers })),
    );
    expect(mute.outcomes).toMatchObject({ clock: 'skipped' });
  });

  it('finds certificates that are not checked, and private authorities', async () => {
    const insecure = await probe({}, { options: { insecure: true } });
    expect(insecure.find('tls')).toMatchObject({ outcome: 'warning', remedy: expect.stringContaining('ca') });
    expect((await probe({}, { options: { ca: 'PEM' } })).outcomes).toMatchObject({ tls: 'ok' });
    const trusts: unknown[] = [];
    await probe({}, { options: { ca: 'PEM', insecure: true }, ...answering((_, { ca, insecure: any }) => void trusts.push([ca, any])) });
    expect(trusts[0]).toEqual(['PEM', true]);
  });

  it('shows none of them', async () => {
    const urls: string[] = [];
    const { checks } = await probe(
      {},
      answering((_, { url }) => void urls.push(url.href)),
    );
    expect(urls.length).toBeGreaterThan(5);
    const signatures = urls.flatMap((url) => new URL(url).searchParams.get('signature') ?? []);
    for (const signature of signatures) expect(JSON.stringify(checks)).not.toContain(signature);
  });
});

describe('the test of what browsers need', () => {
  /** Does with CORS rules what stores do: the first that fits counts. */
  function corsStore(rules: readonly CorsRule[], refuse = false) {
    let kept = rules;
    const cors = {
      get: async () => kept,
      set: async (next: readonly CorsRule[]) => {
        if (refuse) throw new PackageRError('forbidden', 'The store refused it.');
        kept = next;
      },
    };
    const store = answering(({ headers }, { method, headers: asked = {} }) => {
      const origin = asked['origin'];
      if (origin === undefined) return {};
      const wanted = asked['access-control-request-method'] ?? method;
      const rule = kept.find((one) => one.methods.includes(wanted) && one.origins.some((two) => two === '*' || two === origin));
      if (rule === undefined) return method === 'OPTIONS' ? { status: 403 } : {};
      const given = {
        'access-control-allow-origin': rule.origins.includes('*') ? '*' : origin,
        'access-control-allow-headers': rule.headers.join(', '),
        'access-control-expose-headers': rule.exposedHeaders.join(', '),
      };
      return { ...(method === 'OPTIONS' && { status: 200 }), headers: { ...headers, ...given } };
    });
    return { store, cors, rules: () => kept };
  }
  const rule: CorsRule = {
    origins: ['*'],
    methods: ['GET', 'HEAD'],
    headers: ['*'],
    exposedHeaders: ['ETag', 'Content-Range', 'Accept-Ranges'],
  };
  const hooks = { origin };
  const outcomesOf = async (...rules: readonly CorsRule[]): Promise<[string | undefined, string | undefined]> => {
    const { outcomes } = await probe({}, { ...corsStore(rules).store, hooks });
    return [outcomes['cors'], outcomes['cors-redirect']];
  };

  it('is left out where no pages are known', async () => {
    expect((await probe()).outcomes).not.toHaveProperty('cors');
  });

  it('finds each gap of the rules that are there', async () => {
    expect(await outcomesOf(rule)).toEqual(['ok', 'ok']);
    expect(await outcomesOf()).toEqual(['warning', 'warning']);
    expect(await outcomesOf({ ...rule, origins: [origin] })).toEqual(['ok', 'warning']);
    expect(await outcomesOf({ ...rule, origins: ['https://other.example'] })).toEqual(['warning', 'warning']);
    expect(await outcomesOf({ ...rule, headers: ['content-type'] })).toEqual(['warning', 'warning']);
    expect(await outcomesOf({ ...rule, exposedHeaders: ['ETag'] })).toEqual(['warning', 'warning']);
    expect(await outcomesOf({ ...rule, methods: ['PUT'] })).toEqual(['warning', 'warning']);
  });

  it('gives the rule to paste, and sets nothing unasked', async () => {
    const { store, cors, rules } = corsStore([]);
    const { find, works } = await probe({ cors, ...without('write') }, { ...store, hooks });
    expect([works, rules()]).toEqual([true, []]);
    expect(find('cors')).toMatchObject({ remedy: expect.stringContaining('--set-cors') });
    expect(JSON.parse(find('cors')?.paste ?? '')).toEqual([
      {
        AllowedOrigins: [origin, 'null'],
        AllowedMethods: ['GET', 'HEAD'],
        AllowedHeaders: ['*'],
        ExposeHeaders: ['ETag', 'Content-Range', 'Accept-Ranges', 'Content-Length'],
        MaxAgeSeconds: 3600,
      },
    ]);
    expect(find('cors-redirect')).not.toHaveProperty('paste');
    expect((await probe({}, { ...store, hooks })).find('cors')?.remedy).not.toContain('--set-cors');
  });

  it('sets it when told to, before those that are there, and once only', async () => {
    const other = { ...rule, origins: ['https://other.example'] };
    const narrow = { ...rule, origins: [origin], exposedHeaders: [] };
    const { store, cors, rules } = corsStore([narrow, other]);
    const asked = { ...store, hooks, setCors: true };
    const { outcomes } = await probe({ cors }, asked);
    expect(outcomes).toMatchObject({ 'cors-set': 'ok', cors: 'ok', 'cors-redirect': 'ok' });
    expect(rules().slice(1)).toEqual([narrow, other]);
    expect((await probe({ cors }, asked)).outcomes).not.toHaveProperty('cors-set');
    expect(rules()).toHaveLength(3);
    await cors.set([{ ...rule, origins: [origin, 'null'], exposedHeaders: [] }, other]);
    expect((await probe({ cors }, asked)).outcomes).toMatchObject({ 'cors-set': 'ok', cors: 'ok' });
    expect(rules().map((one) => one.origins)).toEqual([[origin, 'null'], ['https://other.example']]);
  });

  it('says when it could not be set', async () => {
    const { store, cors } = corsStore([], true);
    const refused = await probe({ cors }, { ...store, hooks, setCors: true });
    expect(refused.find('cors-set')).toMatchObject({ outcome: 'warning', paste: expect.stringContaining(origin) });
    const { find, works } = await probe({}, { ...store, hooks, setCors: true });
    expect([works, find('cors-set')?.outcome]).toEqual([true, 'warning']);
  });
});
