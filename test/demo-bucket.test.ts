/** The demo on a bucket: its own SeaweedFS, whose process it takes along however it ends, and a bucket of somebody else. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { components, requireComponent } from '#testing/component.ts';
import {
  type Answer,
  bytesOf,
  bytesSaid,
  type Demo,
  failDemo,
  lineOf,
  paste,
  processesWith,
  project,
  residentOf,
  startDemo,
  untilGone,
} from './support/demo.ts';
import { hashFiles } from './support/files.ts';
import { freePort } from './support/free-port.ts';
import { runCli } from './support/packager.ts';
import { startSeaweedfs } from './support/stores/seaweedfs.ts';
import { requireStore, type StoreServer } from './support/stores/store-server.ts';

describe.runIf(requireStore('seaweedfs'))('the demo in a bucket', () => {
  let folder: string;
  let port: number;
  let demo: Demo;
  let answer: Answer;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'package-r-demo-'));
    port = await freePort();
    demo = await startDemo(folder, { port, args: ['--json'] });
    answer = demo.answer();
  });
  afterAll(async () => {
    demo.child.kill('SIGKILL');
    await untilGone(portOf(answer.store?.endpoint));
    await rm(folder, { recursive: true, force: true });
  });
  /** What the command line of the store holds, and no other. */
  const portOf = (endpoint = ''): string => `-s3.port=${new URL(endpoint).port}\0`;

  it('tells the bucket, on the loopback alone, which refuses what is not signed', async () => {
    expect(answer.store).toEqual({
      kind: 'seaweedfs',
      endpoint: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      bucket: 'packager-demo',
    });
    const object = `${answer.store?.endpoint}/packager-demo/field/LICENSE.txt`;
    expect((await fetch(object)).status).toBe(403);
    expect((await fetch(object, { method: 'PUT', body: 'x' })).status).toBe(403);
    expect((await stat(join(folder, 'data/demo/store/s3.json'))).mode & 0o777).toBe(0o600);
    const [pid] = await processesWith(portOf(answer.store?.endpoint));
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8');
    expect(environment).not.toContain('AWS_');
  });

  it('holds what the folders hold, and gives the same bytes', async () => {
    const ran = await runCli(['--json', 'get', answer.share, '-o', join(folder, 'out')]);
    expect(ran.code, ran.stderr).toBe(0);
    const hashes = await hashFiles(join(folder, 'out'));
    expect(Object.keys(hashes).filter((path) => path.startsWith('names/'))).toHaveLength(15);
    expect(hashes).toMatchObject(
      await hashFiles(join(project, 'node_modules/vega-datasets/data')).then((data) => ({
        'vega/flights-3m.parquet': data['flights-3m.parquet'],
        'weather/weather.csv': data['weather.csv'],
      })),
    );
    expect(await residentOf(demo.child)).toBeLessThan(150_000);
  });

  it('counts at Ctrl-C that packageR sent none of the bytes, and leaves no process', async () => {
    const bytes = await bytesOf(answer.share);
    expect(await demo.interrupt()).toBe(0);
    const counted = bytesSaid(demo.stderr());
    expect(counted.packageR).toBe(0);
    expect(counted.store).toBeGreaterThanOrEqual(bytes);
    expect(await processesWith(portOf(answer.store?.endpoint))).toEqual([]);
  });

  it('starts again on the same data, and its pasted lines fetch from the store', async () => {
    const { digest, share, admin, store } = answer;
    demo = await startDemo(folder, { port, until: /Ctrl-C stops/ });
    const said = demo.stdout();
    for (const kept of [digest, share, admin.password]) expect(said).toContain(kept);
    const endpoint = /bucket packager-demo of SeaweedFS at (\S+),/.exec(said)?.[1];
    expect(endpoint).toBeDefined();
    answer = { ...answer, store: { kind: 'seaweedfs', bucket: 'packager-demo', ...store, endpoint: endpoint ?? '' } };
    const expected = await hashFiles(join(folder, 'out'));
    const clients = [
      [/^curl -sSf -o curl\.cfg/, components.curl],
      [/^for round .* wget /, components.wget],
      [/aria2c /, components.aria2],
    ] as const;
    let rounds = 0;
    for (const [beginning, component] of clients) {
      if (!requireComponent('a pasted line of the demo', component)) continue;
      const place = join(folder, component.command);
      await mkdir(place);
      const { code, said: told } = await paste(lineOf(said, beginning), place);
      expect(code, told).toBe(0);
      const found = await hashFiles(place, ['curl.cfg', 'aria2.txt']);
      // By their bytes: wget writes the name that has a “%25” in its own way.
      expect(Object.values(found).sort(), component.command).toEqual(Object.values(expected).sort());
      rounds++;
    }
    const bytes = await bytesOf(share);
    expect(await demo.interrupt()).toBe(0);
    const counted = bytesSaid(demo.stdout());
    expect(counted.packageR).toBe(0);
    expect(counted.store).toBeGreaterThanOrEqual(rounds * bytes);
  });

  it('takes the store with it when it is killed, and mends itself at the next start', async () => {
    demo = await startDemo(folder, { port, args: ['--json'] });
    const { endpoint } = demo.answer().store ?? {};
    expect((await processesWith(portOf(endpoint))).length).toBeGreaterThan(0);
    demo.child.kill('SIGKILL');
    await untilGone(portOf(endpoint));
    demo = await startDemo(folder, { port, args: ['--json'] });
    answer = demo.answer();
    expect((await fetch(`${answer.share}/o/elevation/alps.tif`)).status).toBe(200);
  });

  it('goes over to folders and back, each with its own version', async () => {
    const { digest } = answer;
    expect(await demo.interrupt()).toBe(0);
    demo = await startDemo(folder, { port, args: ['--json', '--folders'] });
    expect(demo.answer()).toMatchObject({ version: 2, store: null });
    expect((await fetch(`${demo.answer().share}/o/elevation/alps.tif`)).status).toBe(200);
    expect(await demo.interrupt()).toBe(0);
    demo = await startDemo(folder, { port, args: ['--json'] });
    answer = demo.answer();
    expect(answer).toMatchObject({ version: 1, digest, store: { kind: 'seaweedfs' } });
  });
});

describe.runIf(requireStore('seaweedfs'))('the demo on a bucket of one’s own', () => {
  let folder: string;
  let port: number;
  let store: StoreServer;
  let keys: Record<string, string>;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'package-r-demo-'));
    port = await freePort();
    store = await startSeaweedfs();
    keys = { AWS_ACCESS_KEY_ID: store.keys.accessKeyId, AWS_SECRET_ACCESS_KEY: store.keys.secretAccessKey };
    await store.makeBucket('mine');
    await store.put('mine', 'data/2026/a b+c.txt', 'first');
    await store.put('mine', 'data/second.txt', 'second');
    await store.put('mine', 'beside.txt', 'not shown');
    await store.makeBucket('open');
    for (let number = 0; number < 60; number++) await store.put('open', `n/${String(number).padStart(2, '0')}.txt`, `public ${number}`);
    const everybody = { Effect: 'Allow', Principal: '*', Action: ['s3:GetObject', 's3:ListBucket'] };
    const statement = { ...everybody, Resource: ['arn:aws:s3:::open', 'arn:aws:s3:::open/*'] };
    const body = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
    const { status } = await store.call({ method: 'PUT', bucket: 'open', query: [['policy', '']], body });
    expect(status).toBeLessThan(300);
  });
  afterAll(async () => {
    await store.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const starting = (bucket: string, ...more: string[]) => ({ port, args: ['--bucket', bucket, '--endpoint', store.endpoint, ...more] });

  it('shows what lies below the prefix with the keys of the shell, and keeps no key', async () => {
    const demo = await startDemo(folder, { ...starting('s3://mine/data'), env: keys, until: /Ctrl-C stops/ });
    try {
      const said = demo.stdout();
      expect(demo.stderr()).toMatch(/^connecting s3:\/\/mine\/data\/ read-only, with AWS_ACCESS_KEY_ID /m);
      expect(demo.stderr()).toMatch(/^ {2}✓ An object was read\.$/m);
      expect(said).toContain('2 objects of s3://mine/data/, 11 B.');
      const link = lineOf(said, /^http:\/\/\S+\/s\/\S+$/);
      const paths = (await (await fetch(`${link}/manifest.jsonl`)).text()).match(/"path":"[^"]*"/g);
      expect(paths).toEqual(['"path":"2026/a b+c.txt"', '"path":"README.md"', '"path":"second.txt"']);
      const redirected = await fetch(`${link}/o/2026/a%20b%2Bc.txt`);
      expect(new URL(redirected.url).origin).toBe(store.endpoint);
      expect(await redirected.text()).toBe('first');
      expect(await demo.interrupt()).toBe(0);
      expect(demo.stdout()).toMatch(/^object bytes: packageR 0 · store not counted: it is yours$/m);
    } finally {
      demo.child.kill('SIGKILL');
    }
    for (const name of await readdir(join(folder, 'data'))) {
      const bytes = await readFile(join(folder, 'data', name)).catch(() => Buffer.alloc(0));
      expect(bytes.includes(store.keys.secretAccessKey), name).toBe(false);
    }
  });

  it('shows a public bucket without keys, a bounded part of it', async () => {
    const demo = await startDemo(folder, { ...starting('s3://open', '--anonymous', '--json') });
    try {
      const { store: told, share } = demo.answer();
      expect(told).toEqual({ kind: 's3', endpoint: store.endpoint, bucket: 'open' });
      const urls = (await (await fetch(`${share}/urls.txt`)).text()).trimEnd().split('\n');
      expect(urls).toHaveLength(51);
      const redirected = await fetch(`${share}/o/n/07.txt`);
      expect(redirected.url).toBe(`${store.endpoint}/open/n/07.txt`);
      expect(await redirected.text()).toBe('public 7');
      expect(await demo.interrupt()).toBe(0);
    } finally {
      demo.child.kill('SIGKILL');
    }
  });

  it.each([
    ['a bucket that is not there', 's3://missing', [], /missing\/ cannot be shown\. The store knows no such bucket\./, 7],
    ['nothing below the prefix', 's3://mine/none', [], /There are no objects in s3:\/\/mine\/none\//, 2],
    [
      'a bucket that is not public',
      's3://mine',
      ['--anonymous'],
      /mine\/ cannot be shown\. The identity of the source may not do this\./,
      7,
    ],
    ['what is no bucket', 'mine', [], /"mine" is not of the form s3:\/\/NAME/, 2],
  ])('says in plain words: %s', async (_what, bucket, more, message, code) => {
    const ran = await failDemo(folder, { ...starting(bucket, ...more), env: keys });
    expect(ran.stderr).toMatch(message);
    expect(ran.code).toBe(code);
    expect(ran.stdout).toBe('');
  });

  it('says in plain words: wrong keys, no keys, no store', async () => {
    const wrong = await failDemo(folder, { ...starting('s3://mine'), env: { ...keys, AWS_SECRET_ACCESS_KEY: 'wrong' } });
    expect(wrong.stderr).toContain('the secret key may be wrong');
    const none = await failDemo(folder, starting('s3://mine'));
    expect(none.stderr).toContain('AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set in this shell');
    const refused = await failDemo(folder, { port, args: ['--bucket', 's3://mine', '--endpoint', 'http://127.0.0.1:1'], env: keys });
    expect(refused.stderr).toContain('The store could not be reached');
    for (const { stderr } of [wrong, none, refused]) expect(stderr).not.toContain(store.keys.secretAccessKey);
  });
});
