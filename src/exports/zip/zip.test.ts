import { createHash } from 'node:crypto';
import { closeSync, createWriteStream, ftruncateSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ExportRequest } from '#exports/export.ts';
import type { Pointer } from '#model/entry.ts';
import { parseName } from '#model/name.ts';
import { type Path, parsePath } from '#model/path.ts';
import { parsePointerFile } from '#model/pointer-file.ts';
import type { Tree } from '#model/tree.ts';
import { components, requireComponent } from '#testing/component.ts';
import { generatedTree, type MemoryFile, memoryTree, pointerFile, textFile } from '#testing/memory-tree.ts';
import { runShell } from '#testing/run.ts';
import { awkwardFiles, exportRequest, readBody } from '#testing/test-export.ts';
import { zipExport } from './zip.ts';
import { centralLength, localLength, putCentralHeader, putLocalHeader, toStamp, writeEnd, type ZipMember } from './zip-format.ts';

const hasPython = requireComponent('ZIP with Python', components.python);
const hasUnzip = requireComponent('ZIP with unzip', components.unzip);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'zip-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function pack(files: readonly MemoryFile[], more: Partial<ExportRequest> = {}): Promise<Map<string, string>> {
  const bytes = await readBody(await zipExport.open(exportRequest(files, more)));
  return new Map(readMembers(bytes).map(({ name, content }) => [name, content.toString()]));
}

/** The members by the local headers, which hold sizes: what a reader of a stream sees. */
function readMembers(bytes: Buffer): { name: string; content: Buffer }[] {
  const members: { name: string; content: Buffer }[] = [];
  for (let at = 0; bytes.readUInt32LE(at) === 0x04034b50; ) {
    const [size, nameLength, extraLength] = [bytes.readUInt32LE(at + 18), bytes.readUInt16LE(at + 26), bytes.readUInt16LE(at + 28)];
    const from = at + 30 + nameLength + extraLength;
    members.push({ name: bytes.subarray(at + 30, at + 30 + nameLength).toString(), content: bytes.subarray(from, from + size) });
    at = from + size;
  }
  return members;
}

describe('what package.zip holds', () => {
  it('texts and few inline objects as bytes, the rest as pointer files', async () => {
    const members = await pack([
      textFile('README.md', '# Hi\n'),
      pointerFile('small.csv', 'a,b\n', { inline: true }),
      pointerFile('big.bin', 'BYTES', { etag: 'e' }),
    ]);
    expect(members.get('README.md')).toBe('# Hi\n');
    expect(members.get('small.csv')).toBe('a,b\n');
    expect(members.has('big.bin')).toBe(false);
    const pointer = parsePointerFile(Buffer.from(members.get('big.bin.pointer') ?? ''));
    expect(pointer).toMatchObject({ path: 'big.bin', size: 5, etag: 'e', url: 'https://packages.example/s/ShareId/o/big.bin' });
    expect(members.get('SHA256SUMS')?.split('\n').length).toBe(4);
    expect(members.get('MD5SUMS')?.split('\n').length).toBe(3);
    expect(members.get('README-packageR.txt')).toContain('2 files, and pointers to 1 more (5 bytes)');
  });

  it('inline objects up to 1,000 and 64 MiB together, or as asked', async () => {
    const small = Array.from({ length: 1003 }, (_, i) => pointerFile(`s/${String(i).padStart(4, '0')}`, 'x', { inline: true }));
    const pointers = async (query: Record<string, string>, files = small) =>
      [...(await pack(files, { query })).keys()].filter((name) => name.endsWith('.pointer'));
    expect(await pointers({})).toEqual(['s/1000.pointer', 's/1001.pointer', 's/1002.pointer']);
    expect((await pointers({ inline: 'none' })).length).toBe(1003);
    expect((await pointers({ inline: '2' })).length).toBe(1001);
    expect((await pointers({ inline: '2000' })).length).toBe(0);
    const half = Buffer.alloc(32 * 1024 * 1024);
    const large = ['a', 'b', 'c'].map((path) => pointerFile(path, half, { inline: true }));
    expect(await pointers({}, [...large, pointerFile('d', 'x', { inline: true })])).toEqual(['c.pointer', 'd.pointer']);
    for (const inline of ['', '-1', '1.5', 'all', '100001', '1e3']) {
      await expect(pack(small, { query: { inline } })).rejects.toMatchObject({ code: 'request_invalid' });
    }
  });

  it('files of the package under their own names, whatever packageR adds', async () => {
    const names = ['README-packageR.txt', 'readme-packager2.TXT', 'SHA256SUMS/x', 'md5sums', 'fetch-packageR.sh', 'fetch-packageR.tsv'];
    const members = await pack([...names.map((name) => textFile(name, 'mine')), pointerFile('y', 'z')]);
    for (const name of names) expect(members.get(name)).toBe('mine');
    expect([...members.keys()].slice(-5)).toEqual([
      'README-packageR3.txt',
      'fetch-packageR2.sh',
      'fetch-packageR2.tsv',
      'SHA256SUMS-packageR',
      'MD5SUMS-packageR',
    ]);
    expect(members.get('README-packageR3.txt')).toContain('sh fetch-packageR2.sh curl');
  });

  it('pointer files beside files and folders of that name', async () => {
    const files = ['x', 'X', 'x.POINTER', 'y', 'y.pointer/z', 'w', 'w.pointer', `${'n'.repeat(250)}`].map((path) =>
      pointerFile(path, path),
    );
    const members = await pack([...files, textFile('v.pointer', 'text'), pointerFile('v', 'v')]);
    const names = [...members.keys()];
    expect(new Set(names.map((name) => name.toLowerCase())).size).toBeGreaterThanOrEqual(names.length - 1);
    expect(members.get('v.pointer')).toBe('text');
    const pointers = [...members].filter(([name, text]) => name.endsWith('.pointer') && text.startsWith('version'));
    expect(pointers.map(([, text]) => parsePointerFile(Buffer.from(text)).path).sort()).toEqual(
      [...files.map(({ leaf }) => leaf.path), 'v'].sort(),
    );
    for (const name of names) expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255);
  });

  it('no name that climbs out of the folder where a backslash is a separator', async () => {
    const hostile = ['..\\..\\evil', '\\abs', 'a/..\\b', 'a\\..'];
    const members = await pack([
      ...hostile.map((path, i) => (i % 2 ? textFile(path, 'x') : pointerFile(path, 'x'))),
      textFile('in\\side', 'x'),
    ]);
    const names = [...members.keys()];
    for (const name of names) expect(name.split(/[\\/]/)).not.toContain('..');
    for (const name of names) expect(name.startsWith('\\')).toBe(false);
    expect(names).toContain('in\\side');
    expect(names.length).toBe(5 + 5);
    expect(members.get('fetch-packageR.tsv')).toMatch(/\to\/\.\.%5C\.\.%5Cevil\t\.\._\.\._evil~[0-9a-f]{16}\t/);
    expect(members.get('SHA256SUMS')).not.toMatch(/\.\.\\/);
  });

  it('a location only in those for people who may see it, and never a ticket', async () => {
    const location = () => ({ source: parseName('lake'), key: (pointerFile('raw/x', '').leaf as Pointer).key });
    const base = 'https://packages.example/s/ShareId~t1ck3t/';
    const shown = await pack([pointerFile('x', 'y')], { location, base });
    expect(shown.get('x.pointer')).toContain('\nsource lake\nkey prefix/raw/x\n');
    expect([...shown.values()].join()).not.toContain('t1ck3t');
    expect((await pack([pointerFile('x', 'y')])).get('x.pointer')).not.toContain('source');
  });

  it('no checksum that somebody only stated, unless asked', async () => {
    const file = pointerFile('x', 'y', { checksums: [{ algorithm: 'sha256', value: 'a'.repeat(64), evidence: 'stated' }] });
    expect((await pack([file])).has('SHA256SUMS')).toBe(false);
    expect((await pack([file], { query: { evidence: 'stated' } })).get('SHA256SUMS')).toBe(`${'a'.repeat(64)}  x\n`);
    await expect(pack([file], { query: { evidence: 'rumour' } })).rejects.toMatchObject({ code: 'request_invalid' });
  });
});

describe('package.zip while things change', () => {
  it('keeps to what a live tree held when it was opened', async () => {
    const files = [pointerFile('a', '1')];
    const tree: Tree = { ...memoryTree([]), frozen: false, find: memoryTree(files).find, walk: (...all) => memoryTree(files).walk(...all) };
    const body = await zipExport.open(exportRequest([], { tree }));
    files.push(pointerFile('b', '2'));
    const bytes = await readBody(body);
    expect(bytes.length).toBe(body.size);
    expect(bytes.includes('b.pointer')).toBe(false);
  });

  it('fails rather than writing an inline object of another length', async () => {
    for (const content of ['shorter', 'much longer than it was']) {
      const file = pointerFile('a', 'as it was', { inline: true });
      const body = await zipExport.open(exportRequest([{ leaf: file.leaf, bytes: Buffer.from(content) }]));
      await expect(readBody(body)).rejects.toMatchObject({ code: 'drifted' });
    }
  });

  it('refuses ranges outside of it', async () => {
    const body = await zipExport.open(exportRequest([textFile('a', 'b')]));
    const size = body.size ?? 0;
    for (const [start, end] of [
      [-1, 1],
      [2, 1],
      [0, size + 1],
      [Number.NaN, 1],
    ] as const) {
      await expect(async () => readBody(body, { start, end })).rejects.toMatchObject({ code: 'range_invalid' });
    }
  });
});

/** A member `large` of as many zeros, which are not written, and `late` behind it. */
function writeSparse(path: string, size: number): void {
  const stamp = toStamp(0);
  const large: ZipMember = { name: 'large', size, crc: 0 };
  const late: ZipMember = { name: 'late', size: 5, crc: 0x3610a686 };
  const offset = localLength(5, size);
  const length = centralLength(5, size, 0) + centralLength(4, late.size, offset);
  const directory = { count: 2, offset: offset + localLength(4, late.size), length };
  const put = (write: (target: Buffer, at: number) => number): Buffer => {
    const target = Buffer.alloc(200, 0xff);
    return target.subarray(0, write(target, 0));
  };
  const file = openSync(path, 'w');
  writeSync(
    file,
    put((target, at) => putLocalHeader(target, at, large, stamp)),
    0,
    undefined,
    0,
  );
  writeSync(
    file,
    Buffer.concat([put((target, at) => putLocalHeader(target, at, late, stamp)), Buffer.from('hello')]),
    0,
    undefined,
    offset,
  );
  const central = Buffer.concat([
    put((target, at) => putCentralHeader(target, at, { ...large, offset: 0 }, stamp)),
    put((target, at) => putCentralHeader(target, at, { ...late, offset }, stamp)),
  ]);
  expect(central.length).toBe(directory.length);
  const end = Buffer.concat([central, writeEnd(directory)]);
  writeSync(file, end, 0, undefined, directory.offset);
  ftruncateSync(file, directory.offset + end.length);
  closeSync(file);
}

describe('any part of package.zip', () => {
  const files = Array.from({ length: 9500 }, (_, index) => {
    const path = `${String(index >> 6).padStart(4, '0')}/${String(index).padStart(6, '0')}é`;
    if (index % 1000 === 7) return textFile(path, `text ${index}`);
    const checksums =
      index % 2 ? [{ algorithm: 'md5', value: createHash('md5').update(path).digest('hex'), evidence: 'stored' } as const] : [];
    return pointerFile(path, 'x'.repeat(index % 50), { checksums, inline: index % 1500 === 11, etag: `${index}` });
  });

  it('is the same as in the whole, and made without what stands before', async () => {
    const whole = await readBody(await zipExport.open(exportRequest(files)));
    const size = whole.length;
    let seed = 7;
    const random = (below: number): number => {
      seed = (seed * 48_271) % 0x7fffffff;
      return seed % below;
    };
    for (let round = 0; round < 40; round++) {
      const walked: Path[] = [];
      const inner = memoryTree(files);
      const tree: Tree = {
        ...inner,
        async *walk(path, options) {
          for await (const leaf of inner.walk(path, options)) {
            walked.push(leaf.path);
            yield leaf;
          }
        },
      };
      const body = await zipExport.open(exportRequest([], { tree }));
      walked.length = 0;
      const start = random(size);
      const end = Math.min(size, start + 1 + random(3000));
      expect((await readBody(body, { start, end })).equals(whole.subarray(start, end))).toBe(true);
      expect(walked.length).toBeLessThan(6000);
    }
  });

  it('is planned once for a version, and anew for whatever makes other bytes', async () => {
    const walks = { count: 0 };
    const inner = memoryTree(files.slice(0, 50));
    const marked = (mark: string | undefined): Tree => ({
      ...inner,
      mark: async () => mark,
      walk(path, options) {
        walks.count += 1;
        return inner.walk(path, options);
      },
    });
    const count = async (tree: Tree, more: Partial<ExportRequest> = {}): Promise<number> => {
      walks.count = 0;
      await zipExport.open(exportRequest([], { tree, ...more }));
      return walks.count;
    };
    const base = 'https://packages.example/s/Planned/';
    expect(await count(marked('7@1'), { base })).toBe(1);
    expect(await count(marked('7@1'), { base })).toBe(0);
    expect(await count(marked('7@1'), { base: 'https://packages.example/s/Planned~ticket/' })).toBe(0);
    for (const more of [
      { base: 'https://packages.example/s/Other/' },
      { base, query: { inline: 'none' } },
      { base, only: [parsePath('0000')] },
      { base, about: { title: 'other', at: 0 } },
      { base, location: () => undefined },
    ])
      expect(await count(marked('7@1'), more)).toBe(1);
    expect(await count(marked('7@2'), { base })).toBe(1);
    expect(await count(marked(undefined), { base })).toBe(1);
    expect(await count(marked(undefined), { base })).toBe(1);
  });

  it('is not written where the tree is no longer what was planned', async () => {
    const inner = memoryTree(files.slice(0, 50));
    let etag = 'planned';
    const tree: Tree = {
      ...inner,
      async *walk(path, options) {
        for await (const leaf of inner.walk(path, options)) yield { ...leaf, ...(leaf.kind === 'pointer' ? { etag } : {}) };
      },
    };
    const body = await zipExport.open(exportRequest([], { tree }));
    etag = 'longer than planned';
    await expect(readBody(body)).rejects.toMatchObject({ code: 'internal' });
  });
});

describe('package.zip in other readers', () => {
  const files = awkwardFiles();
  const listNames =
    'import json, sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); print(json.dumps([z.testzip(), z.namelist()[:100], len(z.namelist())]))';

  async function save(name: string, more: Partial<ExportRequest> = {}): Promise<string> {
    const at = join(folder, name);
    await pipeline((await zipExport.open(exportRequest(files, more))).read(), createWriteStream(at));
    return at;
  }

  it.runIf(hasUnzip)('unzip and zipinfo agree', async () => {
    const at = await save('a.zip');
    const tested = await runShell(`unzip -t ${at}`, folder);
    expect(tested).toMatchObject({ status: 0 });
    expect(tested.output).toContain('No errors detected');
    const listed = await runShell(`zipinfo -T ${at}`, folder);
    expect(listed.output).toContain('20261123.120000');
    expect(listed.output).toContain('-rw-r--r--');
    expect(listed.output).toContain('é日.txt');
  });

  it.runIf(hasPython)('Python agrees on names and CRCs', async () => {
    const at = await save('b.zip');
    const { output } = await runShell(`python3 -c '${listNames}' ${at}`, folder);
    const [fault, names] = JSON.parse(output) as [unknown, string[]];
    expect(fault).toBeNull();
    expect(names).toEqual(expect.arrayContaining(files.filter(({ leaf }) => leaf.kind === 'text').map(({ leaf }) => leaf.path)));
  });

  for (const count of [65_531, 65_532, 65_533, 70_000]) {
    it.runIf(hasPython && hasUnzip)(`${count} pointers, around the border of ZIP64`, async () => {
      const { leaf } = pointerFile('x', '', { checksums: [] });
      const at = await save(`${count}.zip`, {
        tree: generatedTree(count, (i) => ({ ...(leaf as Pointer), path: parsePath(String(i).padStart(6, '0')) })),
      });
      const { output } = await runShell(`python3 -c '${listNames}' ${at}`, folder);
      expect(JSON.parse(output)).toMatchObject([null, expect.anything(), count + 3]);
      expect(await runShell(`unzip -tqq ${at}`, folder)).toEqual({ status: 0, output: '' });
      rmSync(at);
    });
  }

  const fourGiB = 2 ** 32;
  for (const [what, size] of [
    ['a member below what 32 bits hold', fourGiB - 2],
    ['a member of what 32 bits say for “see elsewhere”', fourGiB - 1],
    ['a member of 4 GiB', fourGiB],
    ['a member of 5 GiB', 5 * 2 ** 30],
    ['a member behind it just below the border', fourGiB - 2 - localLength(5, 0)],
    ['a member behind it at the border', fourGiB - 1 - localLength(5, 0)],
    ['a member behind it at 4 GiB', fourGiB - localLength(5, 0)],
    ['a directory just below the border', fourGiB - 2 - localLength(5, 0) - localLength(4, 5)],
    ['a directory at the border', fourGiB - 1 - localLength(5, 0) - localLength(4, 5)],
    ['a directory at 4 GiB', fourGiB - localLength(5, 0) - localLength(4, 5)],
  ] as const) {
    it.runIf(hasPython)(`${what}, in a file with holes`, async () => {
      const at = join(folder, 'sparse.zip');
      writeSparse(at, size);
      const script =
        'import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); print(z.read("late"), z.getinfo("large").file_size, z.open("large").read(3), z.getinfo("late").header_offset, z.getinfo("late").date_time)';
      const { output } = await runShell(`python3 -c '${script}' ${at}`, folder);
      expect(output).toBe(`b'hello' ${size} b'\\x00\\x00\\x00' ${localLength(5, size)} (1980, 1, 1, 0, 0, 0)\n`);
      // unzip 6.00 takes a true size of 2^32−1 for the mark that stands for “see elsewhere”; no member of ours is as large.
      if (hasUnzip && size !== fourGiB - 1) expect((await runShell(`unzip -p ${at} late`, folder)).output).toBe('hello');
      rmSync(at);
    });
  }

  it.runIf(hasUnzip)('its checksum lists hold for what it holds', async () => {
    const texts = [textFile('a b\\c.txt', 'x'), textFile('d/e', 'y')];
    const at = join(folder, 'sums.zip');
    writeFileSync(at, await readBody(await zipExport.open(exportRequest(texts))));
    expect(await runShell(`mkdir sums && cd sums && unzip -q ${at} && sha256sum -c --quiet SHA256SUMS`, folder)).toEqual({
      status: 0,
      output: '',
    });
  });
});

describe('the bytes of package.zip', () => {
  it('have not changed (else raise the revision in body.ts)', async () => {
    const files = [textFile('README.md', '# Hi\n'), pointerFile('data/b.bin', 'bytes'), pointerFile('é/c.csv', 'c', { inline: true })];
    const bytes = await readBody(await zipExport.open(exportRequest(files)));
    expect(createHash('sha256').update(bytes).digest('hex')).toBe('83da25589b10e81a9b9f72162a809e307e2f2727aaff92630ba9bcee1a3b158b');
  });
});
