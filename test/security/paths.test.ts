/** Attacks on paths, rules and pointers: A23–A33. */
import { rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, carriers, openWorld, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterEach(() => world.check());
afterAll(() => world.close());

const entries = '/api/v1/sources/local1/entries/';
const presign = '/api/v1/sources/local1/presign/';
const search = '/api/v1/sources/local1/search/';
const packageA = '/api/v1/packages/alice/pkga';

const post = { method: 'POST' } as const;
const names = (answer: Answer): string[] => answer.json<{ entries: { path: string }[] }>().entries.map(({ path }) => path);

it('A23 a prefix is not containment', async () => {
  for (const via of carriers) {
    for (const path of ['alice/pub2/z.txt', 'alice/pub.bak/z.txt', 'alice/pub2', 'alice/pu', 'alice/deny/s.txt', 'bob/secret.txt']) {
      expect((await world.ask({ as: 'alice', via, path: entries + path })).status, path).toBe(404);
      expect((await world.ask({ as: 'alice', via, ...post, path: presign + path })).status, path).toBe(404);
    }
    expect(names(await world.ask({ as: 'alice', via, path: `${entries}alice` })).sort()).toEqual([
      'alice/active',
      'alice/links',
      'alice/odd',
      'alice/pub',
    ]);
    expect(names(await world.ask({ as: 'alice', via, path: entries }))).toEqual(['alice']);
  }
  expect((await world.ask({ as: 'alice', path: '/api/v1/sources/local2/entries/' })).status).toBe(404);
  expect((await world.ask({ as: 'alice', path: '/api/v1/sources/local2' })).status).toBe(404);
});

it('A23 what is searched is what may be listed', async () => {
  const found = await world.ask({ as: 'alice', path: `${search}?text=txt` });
  expect(found.status, found.text).toBe(200);
  expect(found.text).toContain('alice/pub/a.txt');
  expect(found.text).not.toMatch(/pub2|deny|secret|bob/);
  expect((await world.ask({ as: 'alice', path: `${search}bob?text=txt` })).status).toBe(404);
});

it('A24 a destination is a path like any other, and nothing is written where it is none', async () => {
  const before = (await world.ask({ as: 'alice', path: `${packageA}/entries/` })).text;
  const bad = ['ok/../pub/n', '../n', '/n', 'a//n', 'a/./n', 'a/n/', 'nul\u0000', 'line\nbreak', '\ud800'];
  for (const to of bad) {
    const tries = [
      { path: `${packageA}/steps`, body: { operation: 'move', from: 'README.md', to } },
      { path: `${packageA}/annex`, body: { source: 'local1', select: { paths: ['alice/pub/a.txt'] }, to } },
      { path: `${packageA}/annex`, body: { source: 'local1', list: [{ key: 'alice/pub/a.txt', to }] } },
      { path: '/api/v1/shares', body: { target: 'alice/pkga@1', path: to } },
    ];
    for (const one of tries) {
      const answer = await world.ask({ as: 'alice', ...post, ...one });
      if (answer.status === 202) expect((await world.finish(answer, 'alice'))['state'], JSON.stringify(one.body)).toBe('failed');
      else expect(answer.status, JSON.stringify(one.body)).toBe(400);
    }
  }
  for (const to of ['bob/mine', '../bob/mine', 'bob/../bob/mine', 'alice/pkga/x', 'bob', '']) {
    const fork = await world.ask({ as: 'alice', ...post, path: `${packageA}/fork`, body: { to } });
    expect([400, 403, 404], to).toContain(fork.status);
  }
  expect((await world.ask({ as: 'alice', path: `${packageA}/entries/` })).text).toBe(before);
});

it('A25 one spelling: what is not canonical is refused, what is spelt otherwise is something else', async () => {
  const malformed = [
    'alice/pub/../pub2/z.txt',
    'alice/pub/%2e%2e/pub2/z.txt',
    'alice/pub/%252e%252e/pub2/z.txt',
    'alice//pub/a.txt',
    'alice/pub%2fa.txt',
    'alice/pub/./a.txt',
    'alice/pub/a.txt%00',
    'alice/pub/%ff',
    'alice/pub/%zz',
    'alice/pub/%0a',
    'alice/pub/%c0%ae%c0%ae/pub2/z.txt',
  ];
  const others = [
    'alice/PUB/a.txt',
    'ALICE/pub/a.txt',
    'alice/deny/S.TXT',
    'alice/DENY/s.txt',
    'alice/pub\\..\\pub2\\z.txt',
    'alice\\deny\\s.txt',
    'alice/pub;/a.txt',
  ];
  const bases = [
    { method: 'GET', base: entries },
    { method: 'POST', base: presign },
    { method: 'GET', base: search, query: '?text=a' },
    { method: 'GET', base: `/s/${world.shares.S.id}/entries/` },
    { method: 'GET', base: `/s/${world.shares.S.id}/o/` },
    { method: 'HEAD', base: `/s/${world.shares.S.id}/o/` },
    { method: 'GET', base: '/p/alice/pkga@1/o/' },
    { method: 'GET', base: `${packageA}/entries/` },
    { method: 'DELETE', base: `${packageA}/entries/` },
  ];
  for (const { method, base, query = '' } of bases) {
    for (const path of malformed) {
      const { status, headers, text } = await world.ask({ as: 'alice', method, path: base + path + query });
      // Decoded once, “%252e” is a name of its own, below which a search finds nothing.
      expect(path.includes('%25') ? [200, 400, 404] : [400], `${method} ${base}${path}`).toContain(status);
      expect(headers['location']).toBeUndefined();
      expect(text).not.toContain('"pointer"');
    }
    for (const path of others) {
      const { status } = await world.ask({ as: 'alice', method, path: base + encodeURI(path) + query });
      expect([400, 404], `${method} ${base}${path}`).toContain(status);
    }
  }
});

it('A26 without the download right there is no byte, by any door', async () => {
  for (const via of carriers) {
    const entry = await world.ask({ as: 'nodl', via, path: `${entries}alice/pub/a.txt?checksum=sha256` });
    const plain = await world.ask({ as: 'nodl', via, path: `${entries}alice/pub/a.txt` });
    expect(entry.status, 'an unknown parameter').toBe(400);
    expect(plain.status).toBe(200);
    expect(plain.text).not.toMatch(/CANARY-PUB|sha256|md5|"etag"|"content"/);
    expect(plain.headers['etag']).toBeUndefined();
    const listed = await world.ask({ as: 'nodl', via, path: `${entries}alice/pub` });
    expect(listed.text).toContain('alice/pub/a.txt');
    expect(listed.text).not.toMatch(/"etag"|"value"/);
    expect((await world.ask({ as: 'alice', via, path: `${entries}alice/pub/a.txt` })).text, 'who may download sees it').toContain('"etag"');
    for (const query of ['', '?method=HEAD', '?method=GET&expires=60']) {
      expect((await world.ask({ as: 'nodl', via, ...post, path: `${presign}alice/pub/a.txt${query}` })).status).toBe(403);
    }
    for (const path of [`${entries}alice/pub/a.txt?content=true`, `${entries}alice/pub/a.txt?encoding=true`]) {
      expect((await world.ask({ as: 'nodl', via, path })).status).toBe(400);
    }
    const found = await world.ask({ as: 'nodl', via, path: `${search}alice/pub?text=CANARY` });
    expect(found.text).not.toContain('a.txt');
  }
});

it('A26 annexing and copying texts needs the download right on each object', async () => {
  const reference = 'nodl/mine';
  expect((await world.ask({ as: 'nodl', ...post, path: '/api/v1/packages', body: { reference } })).status).toBe(201);
  for (const body of [
    { source: 'local1', select: { folder: 'alice/pub' }, copyTexts: true },
    { source: 'local1', select: { paths: ['alice/pub/a.txt'] } },
    { source: 'local1', list: [{ key: 'alice/pub/a.txt' }, { key: 'bob/secret.txt' }] },
  ]) {
    const answer = await world.ask({ as: 'nodl', ...post, path: `/api/v1/packages/${reference}/annex`, body });
    if (answer.status === 202) await world.finish(answer, 'nodl');
    else expect([403, 404]).toContain(answer.status);
  }
  const opened = await world.ask({ as: 'nodl', path: `/p/${reference}/o/alice/pub/a.txt`, headers: { accept: 'application/json' } });
  expect([403, 404]).toContain(opened.status);
  const texts = await world.ask({ as: 'nodl', path: `/api/v1/packages/${reference}/entries/alice/pub/a.txt?content=true` });
  expect([403, 404]).toContain(texts.status);
});

it('A27 no parameter leads out of view-only', async () => {
  const made = await world.share('alice', { target: 'source:local1/alice/pub', rights: ['view'] });
  const { id } = made.json<{ id: string }>();
  const listed = await world.ask({ path: `/s/${id}/entries/` });
  expect(listed.text).toContain('a.txt');
  expect(listed.text).not.toMatch(/"etag"|"value"/);
  const asked = [
    '/o/a.txt',
    '/o/a.txt?inline=true',
    '/o/a.txt?file=/sub',
    '/o/a.txt?download=1',
    '/o/a.txt?pointer',
    '/package.zip',
    '/package.zip?inline=true',
  ];
  for (const path of asked) {
    for (const headers of [{}, { accept: '*/*' }, { accept: 'application/json' }]) {
      const answer = await world.ask({ path: `/s/${id}${path}`, headers: headers as Record<string, string> });
      expect([answer.status, answer.headers['location']], path).toEqual([403, undefined]);
    }
  }
});

describe('A28 links in a folder', () => {
  const outward = ['l', 'd', 'd/outside.txt', 'chain', 'loop', 'dangling'];

  it('that lead out are not followed, by any door', async () => {
    for (const name of outward) {
      const path = `alice/links/${name}`;
      expect([403, 404], path).toContain((await world.ask({ as: 'alice', path: entries + path })).status);
      expect([403, 404], path).toContain((await world.ask({ as: 'alice', ...post, path: presign + path })).status);
      expect([400, 403, 404], path).toContain((await world.share('alice', { target: `source:local1/${path}` })).status);
    }
    const made = await world.share('alice', { target: 'source:local1/alice/links' });
    const { id } = made.json<{ id: string }>();
    for (const name of outward) expect([403, 404], name).toContain((await world.ask({ path: `/s/${id}/o/${name}` })).status);
    expect(names(await world.ask({ path: `/s/${id}/entries/` }))).toEqual(['inside.txt']);
    for (const name of ['package.zip', 'manifest.jsonl', 'urls.txt', 'index.html']) {
      const answer = await world.ask({ path: `/s/${id}/${name}` });
      expect([answer.status, answer.text.includes('outside')], name).toEqual([200, false]);
    }
  });

  it('are not annexed, nor is what lies behind them', async () => {
    const reference = 'alice/links';
    await world.ask({ as: 'alice', ...post, path: '/api/v1/packages', body: { reference } });
    const bodies = [
      { source: 'local1', select: { folder: 'alice/links' }, copyTexts: true },
      { source: 'local1', list: outward.map((name) => ({ key: `alice/links/${name}` })) },
    ];
    for (const body of bodies) {
      const answer = await world.ask({ as: 'alice', ...post, path: `/api/v1/packages/${reference}/annex`, body });
      if (answer.status === 202) await world.finish(answer, 'alice');
    }
    const listed = await world.ask({ as: 'alice', path: `/p/${reference}/manifest.jsonl` });
    expect(listed.text).not.toMatch(/outside|dangling|chain|"d\//);
  });

  it('that are planted after a URL was signed give nothing', async () => {
    const path = join(world.root, 'alice/pub/late.txt');
    await writeFile(path, 'mine');
    const signed = await world.ask({ as: 'alice', ...post, path: `${presign}alice/pub/late.txt` });
    const { pathname } = new URL(signed.json<{ url: string }>().url);
    expect((await world.ask({ path: pathname })).text).toBe('mine');
    await rm(path);
    await symlink(join(world.outside, 'outside.txt'), path);
    expect([403, 404, 409, 410]).toContain((await world.ask({ path: pathname })).status);
    await rm(path);
  });
});

describe('A31 a pointer that reaches out', () => {
  it('cannot be written by hand', async () => {
    const put = (body: string, name: string) =>
      world.ask({
        as: 'alice',
        method: 'PUT',
        path: `${packageA}/entries/${name}`,
        headers: { 'content-type': 'application/octet-stream' },
        body,
      });
    const text = 'version 1\nurl http://127.0.0.1/x\npath x\nsize 1\nsource local1\nkey bob/secret.txt\n';
    expect((await put(text, 'evil.pointer')).status).toBe(200);
    const read = await world.ask({ as: 'alice', path: '/p/alice/pkga/o/evil.pointer' });
    expect([read.status, read.text, read.headers['location']]).toEqual([200, text, undefined]);
    await world.ask({ as: 'alice', method: 'DELETE', path: `${packageA}/entries/evil.pointer` });
  });

  it('is not taken from outside of what its curator may download', async () => {
    const keys = ['bob/secret.txt', '../outside/outside.txt', '/bob/secret.txt', 'alice/pub/../../bob/secret.txt', 'alice/deny/s.txt'];
    for (const key of keys) {
      const answer = await world.ask({
        as: 'alice',
        ...post,
        path: `${packageA}/annex`,
        body: { source: 'local1', list: [{ key, to: 'got' }] },
      });
      if (answer.status === 202) await world.finish(answer, 'alice');
      else expect([400, 403, 404], key).toContain(answer.status);
      const got = await world.ask({ as: 'alice', path: '/p/alice/pkga/o/got' });
      expect([got.status, got.headers['location']], key).toEqual([404, undefined]);
    }
    for (const source of ['local2', 'nowhere', 'file:', 'http://127.0.0.1/', '../local2', '']) {
      const answer = await world.ask({ as: 'alice', ...post, path: `${packageA}/annex`, body: { source, list: [{ key: 'x.bin' }] } });
      expect([400, 403, 404], source).toContain(answer.status);
    }
  });

  it('is not exchanged by a pointer file that says something else', async () => {
    const { V } = world.shares;
    const headers = { 'content-type': 'application/x-ndjson' };
    const pointer = (path: string, more = '') =>
      `version https://package-r.dev/pointer/1\nurl ${world.packager.url}/s/${V.id}/o/${path}\npath ${path}\nsize 1\n${more}`;
    const lines = [
      '../../../bob/secret.txt',
      '/etc/passwd',
      'bob/secret.txt',
      { path: 'local1:/bob/secret.txt' },
      { pointer: pointer('bob/secret.txt', 'source local1\nkey bob/secret.txt\n') },
      { pointer: 'x'.repeat(60_000) },
      { pointer: pointer('a'.repeat(5000)) },
    ];
    for (const path of [`/s/${V.id}/exchange`, '/p/alice/pkga@1/exchange']) {
      const body = `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`;
      const answer = await world.ask({ as: 'alice', ...post, path, headers, body });
      const results = answer.text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as { url?: string; error?: object });
      expect(results).toHaveLength(lines.length);
      for (const result of results) expect([result.url, typeof result.error]).toEqual([undefined, 'object']);
    }
  });

  it('gives out what its curator may download now, not then', async () => {
    const at = `/s/${world.shares.V.id}/o/a.txt`;
    expect((await world.ask({ path: at })).status).toBe(307);
    const keep = ['list', 'stat', 'create', 'modify', 'delete', 'share'];
    await world.grant('alice', 'alice/pub', keep);
    const answer = await world.ask({ path: at });
    expect([403, 404]).toContain(answer.status);
    expect(answer.headers['location']).toBeUndefined();
    expect([403, 404]).toContain((await world.ask({ as: 'alice', path: '/p/alice/pkga@1/o/a.txt' })).status);
    await world.grant('alice', 'alice/pub', [...keep, 'download']);
    expect((await world.ask({ path: at })).status).toBe(307);
  });
});

it('A32 what has changed since the freeze is never given under the old digest', async () => {
  const pinned = ['signed', 'changed', 'removed'];
  const pathOf = (name: string) => join(world.root, `alice/pub/${name}.txt`);
  for (const name of pinned) await writeFile(pathOf(name), 'first');
  const reference = 'alice/pins';
  await world.ask({ as: 'alice', ...post, path: '/api/v1/packages', body: { reference } });
  const body = { source: 'local1', select: { paths: pinned.map((name) => `alice/pub/${name}.txt`) }, strip: 'alice/pub' };
  await world.finish(await world.ask({ as: 'alice', ...post, path: `/api/v1/packages/${reference}/annex`, body }), 'alice');
  await world.ask({ as: 'alice', ...post, path: `/api/v1/packages/${reference}/versions`, body: { message: 'One' } });
  const { id } = (await world.share('alice', { target: `${reference}@1` })).json<{ id: string }>();
  const at = (name: string) => world.ask({ path: `/s/${id}/o/${name}.txt` });
  const hop = await at('signed');
  expect(hop.status).toBe(307);
  for (const name of ['signed', 'changed']) await writeFile(pathOf(name), 'other');
  await rm(pathOf('removed'));
  const changed = await at('changed');
  expect([changed.status, changed.headers['location'], changed.text]).toEqual([409, undefined, expect.stringContaining('drifted')]);
  expect((await at('removed')).status).toBe(410);
  const signed = await world.ask({ path: new URL(hop.headers['location'] ?? '').pathname });
  expect([signed.status, signed.text.includes('other')], 'nor by a URL that was signed before').toEqual([409, false]);
  for (const name of ['signed', 'changed']) await rm(pathOf(name));
});

it('A33 our own files in a source are not there', async () => {
  for (const path of ['alice/pub/.package-r', 'alice/pub/.package-r/upload', 'alice/pub/.PACKAGE-R/upload', 'alice/.package-r/x']) {
    expect((await world.ask({ as: 'adm', path: entries + path })).status, path).toBe(404);
    expect((await world.ask({ as: 'adm', ...post, path: presign + path })).status, path).toBe(404);
    expect((await world.ask({ as: 'adm', ...post, path: '/api/v1/shares', body: { target: `source:local1/${path}` } })).status, path).toBe(
      404,
    );
    expect((await world.ask({ path: `/s/${world.shares.S.id}/o/${path.replace('alice/pub/', '')}` })).status, path).toBe(404);
  }
  expect(names(await world.ask({ as: 'adm', path: `${entries}alice/pub` }))).not.toContain('alice/pub/.package-r');
  expect((await world.ask({ path: `/s/${world.shares.S.id}/manifest.jsonl` })).text).not.toContain('.package-r');
});
