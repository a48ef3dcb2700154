import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodePath, root } from '#model/path.ts';
import { components, requireComponent } from '#testing/component.ts';
import { type LinkServer, type LinkServerOptions, openLinkServer } from '#testing/link-server.ts';
import { awkwardPaths, type MemoryFile, memoryTree, pointerFile, textFile } from '#testing/memory-tree.ts';
import { runShell } from '#testing/run.ts';
import { writeIndexPage } from './html/index-page.ts';
import { type PastedLine, pastedLines, pastedUnpackedLines } from './lines.ts';
import { aria2Export } from './lists/aria2.ts';
import { curlExport } from './lists/curl.ts';
import { md5SumsExport, sha256SumsExport } from './lists/sums.ts';
import { urlsExport } from './lists/urls.ts';
import { zipExport } from './zip/zip.ts';

const has = {
  curl: requireComponent('lists and unpacked ZIP with curl', components.curl),
  wget: requireComponent('lists and unpacked ZIP with wget', components.wget),
  aria2: requireComponent('lists with aria2', components.aria2),
  rclone: requireComponent('crawling with rclone', components.rclone),
  unzip: requireComponent('unpacked ZIP', components.unzip),
  sha256sum: requireComponent('checksum lists', components.sha256sum),
};

const exports = [urlsExport, aria2Export, curlExport, sha256SumsExport, md5SumsExport, zipExport];

let folder: string;
let server: LinkServer;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'clients '));
});

afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

async function serve(files: readonly MemoryFile[], more: Partial<LinkServerOptions> = {}): Promise<void> {
  const tree = memoryTree(files);
  server = await openLinkServer({ files, exports, page: (at) => writeIndexPage({ tree, folder: at, title: 'alice/forest' }), ...more });
}

function lineOf(client: PastedLine['client'], lines: readonly PastedLine[]): string {
  return lines.find((one) => one.client === client)?.line ?? 'false';
}

function expectFiles(files: readonly MemoryFile[]): void {
  for (const { leaf, bytes } of files) expect(readFileSync(join(folder, leaf.path)).equals(bytes), leaf.path).toBe(true);
}

const objects = awkwardPaths.map((path, i) => pointerFile(path, `object ${i} `.repeat(i * 100 + 1)));
const hasPercent = ({ leaf }: MemoryFile) => /%[0-9a-f]{2}/i.test(leaf.path);

describe('the pasted lines, with a ticket', () => {
  const line = (client: PastedLine['client']) =>
    lineOf(client, pastedLines({ base: server.ticketBase, verify: ['sha256', 'md5'], destination: folder }));

  it.runIf(has.curl && has.sha256sum)('curl fetches all names, twice', async () => {
    await serve(objects, { ticket: 'tick-et' });
    expect(await runShell(line('curl'), folder)).toMatchObject({ status: 0 });
    expectFiles(objects);
    truncateSync(join(folder, 'data/plain.bin'), 100);
    expect((await runShell(line('curl'), folder)).status).toBe(0);
    expectFiles(objects);
    expect(server.requests).toContain('GET data/plain.bin bytes=100-');
  });

  it.runIf(has.wget && has.sha256sum)('wget fetches all but literal percent signs, twice', async () => {
    const files = objects.filter((file) => !hasPercent(file));
    expect(files.length).toBe(objects.length - 2);
    await serve(files, { ticket: 'tick-et' });
    expect(await runShell(line('wget'), folder)).toMatchObject({ status: 0 });
    expectFiles(files);
    truncateSync(join(folder, 'data/plain.bin'), 100);
    expect((await runShell(line('wget'), folder)).status).toBe(0);
    expectFiles(files);
    expect(server.requests).toContain('GET data/plain.bin bytes=100-');
  });

  it.runIf(has.aria2 && has.curl)('aria2 fetches all names, and repairs', async () => {
    const files = objects.filter(({ leaf }) => !leaf.path.endsWith(' '));
    await serve(objects, { ticket: 'tick-et' });
    expect(await runShell(line('aria2'), folder)).toMatchObject({ status: 0 });
    expectFiles(files);
    expect(readdirSync(folder)).not.toContain('trailing space ');
    writeFileSync(join(folder, 'data/plain.bin'), readFileSync(join(folder, 'data/plain.bin')).fill('!'));
    await runShell(line('aria2'), folder);
    expect((await runShell(line('aria2'), folder)).status).toBe(0);
    expectFiles(files);
  });

  it.runIf(has.rclone)('rclone crawls the plain index', async () => {
    const files = objects.filter(({ leaf }) => !leaf.path.split('/')[0]?.includes(':'));
    await serve(files, { ticket: 'tick-et' });
    expect(await runShell(line('rclone'), folder)).toMatchObject({ status: 0 });
    expectFiles(files);
  });

  it.runIf(has.wget)('wget -r crawls the plain index', async () => {
    const files = objects.filter((file) => !hasPercent(file));
    await serve(files);
    const crawl = `wget -q -r -np -nH --cut-dirs=3 -R 'index.html*' -e robots=off ${server.base}o/`;
    expect(await runShell(crawl, folder)).toEqual({ status: 0, output: '' });
    expectFiles(files);
  });
});

describe('an unpacked package.zip', () => {
  const texts = [textFile('README.md', '# Hello\n'), textFile('data/x.pointer', 'a text of the package\n')];
  const collides = [
    pointerFile('data/x', 'beside a text x.pointer'),
    pointerFile('empty.bin', ''),
    pointerFile(`${'é'.repeat(125)}.bin`, 'long'),
  ];
  const evil = textFile('evil.pointer', 'version package-r/pointer/1\nurl http://127.0.0.1:1/o/x\npath ../../evil\nsize 1\n');
  const files = [...objects, ...texts, ...collides, evil];

  async function unpack(): Promise<void> {
    const body = await zipExport.open({
      tree: memoryTree(files),
      folder: root,
      link: (path) => `${server.base}o/${encodePath(path)}`,
      base: server.base,
      about: { title: 'alice/forest', version: 3, at: Date.UTC(2026, 10, 23) },
      query: {},
      signal: new AbortController().signal,
    });
    const parts: Uint8Array[] = [];
    for await (const part of body.read()) parts.push(part);
    writeFileSync(join(folder, 'package.zip'), Buffer.concat(parts));
    expect(await runShell('unzip -q package.zip && rm package.zip', folder)).toEqual({ status: 0, output: '' });
    expect(existsSync(join(folder, 'data/plain.bin.pointer'))).toBe(true);
  }

  const pointersLeft = () =>
    readdirSync(folder, { recursive: true })
      .filter((name) => String(name).endsWith('.pointer'))
      .sort();

  for (const client of ['curl', 'wget'] as const) {
    const here = has[client] && has.unzip && has.sha256sum;

    it.runIf(here)(`becomes whole with ${client}, in place`, async () => {
      await serve(files);
      await unpack();
      const line = lineOf(client, pastedUnpackedLines({}));
      expect(readFileSync(join(folder, 'README-packageR.txt'), 'utf8')).toContain(
        lineOf(client, pastedUnpackedLines({ base: server.base })),
      );
      expect(await runShell(line, folder)).toEqual({ status: 0, output: 'complete\n' });
      expectFiles(files);
      expect(pointersLeft()).toEqual(['data/x.pointer', 'evil.pointer']);
      const asked = server.requests.length;
      expect(await runShell(line, folder)).toEqual({ status: 0, output: 'complete\n' });
      expect(server.requests.length).toBe(asked);
    });

    it.runIf(here)(`keeps what failed with ${client}, resumes and repairs, with a ticket`, async () => {
      await serve(files, { ticket: 'tick-et' });
      await unpack();
      const line = lineOf(client, pastedUnpackedLines({ base: server.ticketBase }));
      server.missing.add('a b/c d.txt');
      server.corrupt.add('[x]{y},z.txt');
      writeFileSync(
        join(folder, 'data/plain.bin'),
        objects.find(({ leaf }) => leaf.path === 'data/plain.bin')?.bytes.subarray(0, 500) ?? '',
      );
      const failed = await runShell(line, folder);
      expect(failed.status).toBe(1);
      expect(failed.output).toContain('FAILED a b/c d.txt');
      expect(failed.output).toContain('FAILED [x]{y},z.txt (wrong bytes, removed)');
      expect(pointersLeft()).toEqual(['[x]{y},z.txt.pointer', 'a b/c d.txt.pointer', 'data/x.pointer', 'evil.pointer']);
      expect(server.requests).toContain('GET data/plain.bin bytes=500-');
      server.missing.clear();
      server.corrupt.clear();
      expect(await runShell(line, folder)).toEqual({ status: 0, output: 'complete\n' });
      expectFiles(files);
    });
  }
});
