/** Attacks by load and by queries: A42, A47, A58. */

import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openWorld, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await openWorld({ PACKAGE_R_LIMITS_HTTP_BODY_TIMEOUT: '1500', PACKAGE_R_LIMITS_HTTP_HEADERS_TIMEOUT: '1500' });
});
afterEach(() => world.check());
afterAll(() => world.close());

const bodies = ['/api/v1/login', '/api/v1/users', '/api/v1/shares', '/api/v1/packages/alice/pkga/annex'];
const json = { 'content-type': 'application/json' };

/** Sends bytes as they are, a little at a time where there are pauses; what came back until the server closed, or `most` bytes went out. */
function raw(chunks: Iterable<string>, { pause = 0, milliseconds = 8000 } = {}): Promise<{ text: string; sent: number }> {
  const { hostname, port } = new URL(world.packager.url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    const source = chunks[Symbol.iterator]();
    let text = '';
    let sent = 0;
    let timer: NodeJS.Timeout | undefined;
    const end = (): void => {
      clearTimeout(timer);
      clearTimeout(limit);
      socket.destroy();
      resolve({ text, sent });
    };
    const limit = setTimeout(end, milliseconds);
    const more = (): void => {
      const next = source.next();
      if (next.done === true || socket.destroyed || !socket.writable) return;
      sent += next.value.length;
      const isTaken = socket.write(next.value);
      if (pause > 0) timer = setTimeout(more, pause);
      else if (isTaken) setImmediate(more);
      else socket.once('drain', more);
    };
    socket.on('data', (chunk) => {
      text += String(chunk);
    });
    socket.on('error', () => undefined);
    socket.on('close', end);
    socket.on('connect', more);
  });
}

function* repeat(head: string, chunk: string, times: number): Generator<string> {
  yield head;
  for (let index = 0; index < times; index++) yield chunk;
}

const head = (path: string, more: string) =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${world.evidenceOf('adm')}\r\nContent-Type: application/json\r\n${more}\r\n`;

function memoryOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}

describe('A42 large requests', () => {
  it('are refused by their announced length, at once', async () => {
    for (const path of bodies) {
      const { text } = await raw([head(path, 'Content-Length: 1073741824\r\n')]);
      expect(text, path).toMatch(/^HTTP\/1\.1 413 /);
    }
  });

  it('are refused when they grow beyond what is taken, with memory flat', async () => {
    const before = memoryOf(world.packager.pid);
    const megabyte = `100000\r\n${'x'.repeat(0x100000)}\r\n`;
    const answers = await Promise.all(bodies.map((path) => raw(repeat(head(path, 'Transfer-Encoding: chunked\r\n'), megabyte, 200))));
    for (const { text } of answers) expect(text).toMatch(/^(HTTP\/1\.1 413 |$)/);
    expect(answers.some(({ text }) => text.startsWith('HTTP/1.1 413 '))).toBe(true);
    expect(memoryOf(world.packager.pid) - before).toBeLessThan(150);
  });

  it('are refused by the shape of their JSON', async () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    const shapes = [
      deep.slice(0, 10_000) + deep.slice(-10_000),
      `{${Array.from({ length: 1500 }, (_, index) => `"k${index}":1`).join(',')}}`,
      `{"name":${JSON.stringify('x'.repeat(70_000))}}`,
      '{"a":1,"a":2}',
      '{"name":',
      '"text"',
      '[]',
      'null',
      '{"name":"a"}\u0000',
    ];
    for (const body of shapes) {
      expect((await world.ask({ as: 'adm', method: 'POST', path: '/api/v1/shares', headers: json, body })).status, body.slice(0, 30)).toBe(
        400,
      );
    }
    expect((await world.ask({ as: 'adm', method: 'POST', path: '/api/v1/shares', headers: json, body: '['.repeat(300_000) })).status).toBe(
      413,
    );
  });

  it('are refused where they come too slowly', async () => {
    const slowBody = await raw(repeat(head('/api/v1/login', 'Content-Length: 1000\r\n'), 'x', 100), { pause: 50 });
    expect(slowBody.text).toMatch(/^HTTP\/1\.1 408 /);
    expect(slowBody.sent).toBeLessThan(1000);
    const slowHead = await raw(repeat('GET /health HTTP/1.1\r\nHost: x\r\n', 'X: y\r\n', 1000), { pause: 100, milliseconds: 12_000 });
    expect(slowHead.text).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('are refused with many or long headers, and long URLs', async () => {
    const lines = Array.from({ length: 10_000 }, (_, index) => `X-${index}: y\r\n`);
    expect((await raw(['GET /health HTTP/1.1\r\nHost: x\r\n', ...lines, '\r\n'])).text).toMatch(/^HTTP\/1\.1 431 /);
    const few = Object.fromEntries(Array.from({ length: 80 }, (_, index) => [`x-${index}`, 'y']));
    expect((await world.ask({ path: '/health', headers: few })).status).toBe(431);
    expect((await world.ask({ path: '/health', headers: { x: 'y'.repeat(17_000) } })).status).toBe(431);
    expect((await world.ask({ path: `/s/${world.shares.S.id}/o/${'a'.repeat(9000)}` })).status).toBe(414);
    expect([400, 404, 414]).toContain((await world.ask({ path: `/s/${world.shares.S.id}/o/${'a/'.repeat(1000)}b` })).status);
  });

  it('are refused when they are compressed', async () => {
    const body = gzipSync(JSON.stringify({ name: 'adm', password: 'x' }));
    for (const encoding of ['gzip', 'br', 'deflate', 'identity, gzip']) {
      const headers = { ...json, 'content-encoding': encoding };
      for (const path of bodies) expect((await world.ask({ as: 'adm', method: 'POST', path, headers, body })).status, path).toBe(415);
    }
  });

  it('are refused when they are no HTTP, or say two lengths', async () => {
    const smuggled = 'POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
    const twice = 'POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd';
    for (const one of [smuggled, twice, '\u0016\u0003\u0001', 'GET / HTTP/9.9\r\n\r\n', 'GET /a b HTTP/1.1\r\nHost: x\r\n\r\n']) {
      expect((await raw([one])).text, one.slice(0, 20)).toMatch(/^HTTP\/1\.1 400 /);
    }
  });
});

it('A42 lines of lists are bounded, each', async () => {
  const headers = { 'content-type': 'application/x-ndjson' };
  const { id } = world.shares.S;
  const body = `${JSON.stringify('x'.repeat(70_000))}\n"a.txt"\n`;
  const answer = await world.ask({ method: 'POST', path: `/s/${id}/exchange`, headers, body });
  expect(answer.status === 200 ? answer.text : 'refused').not.toContain('x'.repeat(1000));
  const endless = await world.ask({ method: 'POST', path: `/s/${id}/exchange`, headers, body: 'x'.repeat(3_000_000) });
  expect(endless.text.length).toBeLessThan(10_000);
});

it('A47 what is searched, paged and filtered is a value', async () => {
  const hostile = [
    "'",
    '%',
    '_',
    '")) UNION SELECT * FROM user --',
    "x' OR '1'='1",
    "); read_text('/etc/passwd')",
    '\\',
    '*',
    '[',
    '(a+)+$',
    '$..x',
    '\u0000',
  ];
  for (const text of hostile) {
    const query = encodeURIComponent(text);
    const found = await world.ask({ as: 'alice', path: `/api/v1/sources/local1/search/alice/pub?text=${query}` });
    expect([200, 400], text).toContain(found.status);
    // A star stands for any characters; nothing else here is in a name.
    if (text !== '*') expect(found.text, text).not.toContain('a.txt"');
    expect(found.text, text).not.toMatch(/\b(bob|deny|pub2)\b/);
    const asked = [
      `/api/v1/packages?namespace=${query}`,
      `/api/v1/packages?cursor=${query}`,
      `/api/v1/shares?cursor=${query}`,
      `/api/v1/jobs?subject=${query}`,
      `/api/v1/jobs?cursor=${query}`,
      `/api/v1/sources/local1/entries/alice/pub?cursor=${query}`,
      `/api/v1/packages/alice/pkga/versions?cursor=${query}`,
      `/api/v1/packages/alice/pkga/diff?from=${query}`,
      `/api/v1/users/${query}`,
    ];
    for (const path of asked) {
      const answer = await world.ask({ as: 'alice', path });
      expect([200, 400, 403, 404], path).toContain(answer.status);
      expect(answer.text, path).not.toMatch(/\bbob\b|password/);
    }
    for (const path of [
      `/api/v1/users?cursor=${query}`,
      `/api/v1/events?subject=${query}`,
      `/api/v1/events?actor=${query}`,
      `/api/v1/events?since=${query}`,
    ]) {
      expect([200, 400], path).toContain((await world.ask({ as: 'adm', path })).status);
    }
  }
  for (const limit of ['0', '-1', '1e9', '1001', '99999', 'NaN', '1.5', '']) {
    expect((await world.ask({ as: 'alice', path: `/api/v1/packages?limit=${limit}` })).status, limit).toBe(400);
  }
});

it('A58 archives at once are few, and end with whoever asked', async () => {
  const { id } = world.shares.S;
  const { hostname, port } = new URL(world.packager.url);
  const asks = Array.from({ length: 6 }, () => world.ask({ path: `/s/${id}/package.zip` }));
  for (const { status, headers } of await Promise.all(asks)) {
    expect([200, 429]).toContain(status);
    if (status === 429) expect(Number(headers['retry-after'])).toBeGreaterThan(0);
  }
  for (let index = 0; index < 10; index++) {
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), hostname, () => {
        socket.write(`GET /s/${id}/package.zip HTTP/1.1\r\nHost: x\r\n\r\n`, () => socket.destroy());
      });
      socket.on('close', () => resolve());
    });
  }
  let status = 0;
  for (let tries = 0; tries < 20 && status !== 200; tries++) {
    status = (await world.ask({ path: `/s/${id}/package.zip` })).status;
    if (status !== 200) await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect(status, 'those who left took no slot with them').toBe(200);
});
