/** Limits of the edge that a real domain does not reach: one that never answers, answers for ever, or keeps every place taken. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { isolatedServer, type TestServer } from '#http/isolated-server.fixture.ts';

const open: TestServer[] = [];
async function start(more: Parameters<typeof isolatedServer>[0]): Promise<TestServer['server']> {
  const made = await isolatedServer(more);
  open.push(made);
  return made.server;
}
afterEach(async () => {
  for (const { server } of open.splice(0)) await server.close();
});

const headers = { authorization: 'Bearer good' };
const get = (server: TestServer['server'], url: string, remoteAddress = '192.0.2.1') =>
  server.inject({ method: 'GET', url, headers, remoteAddress });

describe('a handler', () => {
  it('answers within its time, or is answered for and told to stop', async () => {
    const signals: AbortSignal[] = [];
    const slow = (milliseconds: number) => ({
      list: () => delay(milliseconds).then(() => ({ packages: [] })),
      open: async (_actor: unknown, _action: string, _reference: unknown) => ({
        tree: {
          find: async (_path: string, options: { signal: AbortSignal }) => {
            signals.push(options.signal);
            return new Promise((_, reject) => options.signal.addEventListener('abort', () => reject(options.signal.reason)));
          },
        },
      }),
    });
    for (const [taken, status] of [
      [0, 200],
      [50, 200],
      [30_000, 503],
    ] as const) {
      const answer = await get(await start({ packages: slow(taken), limits: { handlerTimeout: 400 } }), '/api/v1/packages');
      expect([answer.statusCode, answer.json().code], `${taken} ms`).toEqual([status, status === 503 ? 'overloaded' : undefined]);
      if (status === 503) expect([answer.json().detail, answer.headers['retry-after']]).toEqual([expect.stringContaining('0.4 s'), '5']);
    }
  });

  it('that streams has no such time', async () => {
    const hits = async function* () {
      await delay(300);
      yield { kind: 'folder', path: 'a' };
    };
    const handle = {
      tree: { walk: hits, find: async () => ({ kind: 'folder', path: '' }) },
      actor: { kind: 'user', id: 'u1' },
      mayLocate: false,
    };
    const server = await start({ sources: { open: async () => handle, names: async () => new Map() }, limits: { handlerTimeout: 100 } });
    const answer = await get(server, '/api/v1/sources/lab/search/?text=a');
    expect(answer.statusCode).toBe(200);
  });
});

describe('at once', () => {
  it('the process has so many requests under way, of whomever', async () => {
    const gate = Promise.withResolvers<{ packages: never[] }>();
    const server = await start({ packages: { list: () => gate.promise }, limits: { inFlight: 3, inFlightPerPeer: 100 } });
    const held = [1, 2, 3].map((peer) => get(server, '/api/v1/packages', `192.0.2.${peer}`));
    await delay(50);
    const beyond = await get(server, '/api/v1/me', '192.0.2.4');
    expect([beyond.statusCode, beyond.json().code, beyond.headers['retry-after']]).toEqual([503, 'overloaded', '1']);
    gate.resolve({ packages: [] });
    for (const { statusCode } of await Promise.all(held)) expect(statusCode).toBe(200);
    expect((await get(server, '/api/v1/me', '192.0.2.4')).statusCode).toBe(200);
  });

  it('one actor follows so many jobs, each for so long', async () => {
    const watch = async function* (_actor: unknown, _id: string, signal: AbortSignal) {
      await delay(60_000, undefined, { signal }).catch(() => undefined);
      yield* [];
    };
    const server = await start({ jobs: { get: async () => ({}), watch }, limits: { eventStreams: 2, eventStreamTimeout: 300 } });
    const ask = () => get(server, '/api/v1/jobs/j/events');
    const held = [ask(), ask()];
    await delay(50);
    const beyond = await ask();
    expect([beyond.statusCode, beyond.json().code]).toEqual([429, 'rate_limited']);
    for (const { statusCode, body } of await Promise.all(held))
      expect([statusCode, body]).toEqual([200, expect.stringContaining('event: end')]);
    const again = ask();
    expect((await again).statusCode, 'its place is free again').toBe(200);
  });

  it('one actor searches so often', async () => {
    const gate = Promise.withResolvers<{ entries: never[] }>();
    const walk = async function* () {
      yield* (await gate.promise).entries;
    };
    const tree = { walk, find: () => gate.promise.then(() => undefined), list: () => gate.promise, search: walk };
    const handle = { tree, actor: { kind: 'user', id: 'u1' }, mayLocate: false };
    const sources = { open: async () => handle, names: async () => new Map() };
    const server = await start({ sources, limits: { searchesPerActor: 2 } });
    const ask = () => get(server, '/api/v1/sources/lab/search/?text=zz');
    const held = [ask(), ask()];
    await delay(50);
    const beyond = await ask();
    expect([beyond.statusCode, beyond.json().code]).toEqual([429, 'rate_limited']);
    gate.resolve({ entries: [] });
    for (const { statusCode } of await Promise.all(held)) expect(statusCode).toBe(200);
    expect((await ask()).statusCode).toBe(200);
  });
});

describe('requests', () => {
  it.each([
    ['of a user', 'user', headers],
    ['of nobody', 'peer', {}],
  ] as const)('come in a burst, then as the minute allows: %s', async (_, kind, given) => {
    const rate = (burst: number) => ({ perMinute: 1, burst });
    const rates = { user: rate(1000), peer: rate(1000), exchange: rate(1000), [kind]: rate(3) };
    const server = await start({ limits: { rates } });
    const ask = (remoteAddress: string) => server.inject({ method: 'GET', url: '/favicon.ico', headers: given, remoteAddress });
    for (const status of [204, 204, 204, 429]) expect((await ask('192.0.2.9')).statusCode).toBe(status);
    const beyond = await ask('192.0.2.9');
    expect([beyond.json().code, Number(beyond.headers['retry-after'])]).toEqual(['rate_limited', 60]);
    expect((await ask('192.0.2.10')).statusCode, 'from elsewhere').toBe(kind === 'user' ? 429 : 204);
  });
});

describe('an archive', () => {
  it('ends at its time, broken off', async () => {
    const signals: AbortSignal[] = [];
    const endless = {
      name: 'endless.zip',
      title: 'An archive without an end',
      action: 'download',
      open: async ({ signal }: { signal: AbortSignal }) => {
        signals.push(signal);
        const read = async function* () {
          for (;;) {
            yield 'more';
            await delay(10, undefined, { signal });
          }
        };
        return { contentType: 'application/zip', fileName: 'endless.zip', read };
      },
    };
    const handle = { tree: {}, about: {}, actor: { kind: 'user', id: 'u1' }, mayLocate: false };
    const packages = { open: async () => handle };
    const server = await start({ packages, exports: [endless] as never, limits: { archiveTimeout: 200 } });
    const answer = await get(server, '/p/a/b@1/endless.zip').then(
      ({ body }) => body,
      () => 'broken off',
    );
    expect(answer).toMatch(/broken off|^(more)+$/);
    expect(signals.map((one) => one.aborted)).toEqual([true]);
  });
});
