/**
 * What every export must do, whatever its format: the same bytes each time, no more than it promised, nothing of where the objects
 * lie, constant memory, and a stop when the reader leaves.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import type { Export, ExportBody, ExportRequest } from '#exports/export.ts';
import type { Pointer } from '#model/entry.ts';
import { parseKey } from '#model/key.ts';
import { parseName } from '#model/name.ts';
import { encodePath, type Path, parsePath, root } from '#model/path.ts';
import type { Tree } from '#model/tree.ts';
import { awkwardPaths, generatedTree, type MemoryFile, memoryTree, pointerFile, textFile } from '#testing/memory-tree.ts';

const base = 'https://packages.example/s/ShareId';
const ticket = 'TICKETSECRET';

/** A request for all of a frozen tree, with a ticketless base; `more` overrides. */
export function exportRequest(files: readonly MemoryFile[], more: Partial<ExportRequest> = {}): ExportRequest {
  const at = more.base ?? `${base}/`;
  return {
    tree: memoryTree(files),
    folder: root,
    link: (path: Path) => `${at}o/${encodePath(path)}`,
    base: at,
    about: { title: 'alice/forest', version: 3, digest: `sha256:${'ab'.repeat(32)}`, at: Date.UTC(2026, 10, 23, 12, 0, 0) },
    query: {},
    signal: new AbortController().signal,
    ...more,
  };
}

/** All bytes of a body, or those of a range. */
export async function readBody(body: ExportBody, range?: { readonly start: number; readonly end: number }): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of range === undefined ? body.read() : body.read(range)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Texts, inline objects and pointers under all awkward names, in a few folders. */
export function awkwardFiles(): MemoryFile[] {
  const named = awkwardPaths.map((path, i) =>
    i % 3 === 0 ? textFile(path, `text ${i}\n`) : pointerFile(path, `object ${i}\n`.repeat(i + 1), { inline: i % 3 === 1, etag: `e${i}` }),
  );
  return [
    ...named,
    pointerFile('sub/one.bin', 'one', { checksums: [] }),
    pointerFile('sub/deep/two.bin', 'two', { checksums: [{ algorithm: 'md5', value: '0'.repeat(32), evidence: 'stated' }] }),
    pointerFile('subway.bin', 'not in sub'),
  ];
}

/** Registers the tests of one export. */
export function testExport(name: string, subject: Export): void {
  describe(`${name} as an export`, () => {
    testBytes(subject);
    testSelections(subject);
    testDisclosure(subject);
    testLoad(subject);
  });
}

function testBytes(subject: Export): void {
  it('writes the same bytes each time, of one body and of two', async () => {
    const first = await subject.open(exportRequest(awkwardFiles()));
    const second = await subject.open(exportRequest(awkwardFiles().reverse()));
    const bytes = await readBody(first);
    expect(bytes.length).toBeGreaterThan(0);
    expect(await readBody(first)).toEqual(bytes);
    expect(await readBody(second)).toEqual(bytes);
    expect(second.etag).toBe(first.etag);
  });

  it('gives another etag to another version, folder or selection, and none to a live tree', async () => {
    const of = async (more: Partial<ExportRequest>) => (await subject.open(exportRequest(awkwardFiles(), more))).etag;
    const etag = await of({});
    if (etag === undefined) return;
    const about = { title: 'alice/forest', version: 4, digest: `sha256:${'cd'.repeat(32)}`, at: 0 };
    const others = [await of({ about }), await of({ folder: parsePath('sub') }), await of({ only: [parsePath('sub')] })];
    expect(new Set([etag, ...others]).size).toBe(4);
    expect(await of({ tree: memoryTree(awkwardFiles(), { frozen: false }) })).toBeUndefined();
  });

  it('states its size truly, and gives each range as the slice of the whole', async () => {
    for (const frozen of [true, false]) {
      const body = await subject.open(exportRequest([], { tree: memoryTree(awkwardFiles(), { frozen }) }));
      const bytes = await readBody(body);
      if (body.size === undefined) continue;
      expect(body.size).toBe(bytes.length);
      const { size } = body;
      const ranges = [0, 1, 29, 30, 31, size >> 1, size - 23, size - 22, size - 1, size].flatMap((start) =>
        [start, start + 1, start + 1000, size].map((end) => ({ start, end: Math.min(end, size) })),
      );
      for (const range of ranges) expect((await readBody(body, range)).equals(bytes.subarray(range.start, range.end))).toBe(true);
    }
  });

  it('takes an empty tree and one with a single file', async () => {
    await readBody(await subject.open(exportRequest([])));
    await readBody(await subject.open(exportRequest([textFile('a', '')])));
  });
}

function testSelections(subject: Export): void {
  const textOf = async (more: Partial<ExportRequest>) =>
    (await readBody(await subject.open(exportRequest(awkwardFiles(), more)))).toString();

  it('narrows to a folder by segment, paths still seen from the root of the link', async () => {
    const text = await textOf({ folder: parsePath('sub') });
    expect(text).not.toContain('subway.bin');
    expect(text).not.toContain('plain.bin');
    expect(text.split('deep/two.bin').length).toBe(text.split('sub/deep/two.bin').length);
  });

  it('narrows to a selection, however it is ordered or nested', async () => {
    const only = ['sub/deep', 'data/plain.bin', 'sub', 'sub/one.bin'].map(parsePath);
    const text = await textOf({ only });
    expect(text).not.toContain('subway.bin');
    expect(await textOf({ only: only.toReversed() })).toBe(text);
    expect(await textOf({ only: ['data/plain.bin', 'sub'].map(parsePath) })).toBe(text);
  });

  it('refuses a folder that is not there, and a selection outside of the folder', async () => {
    const open = (more: Partial<ExportRequest>) => subject.open(exportRequest(awkwardFiles(), more));
    await expect(open({ folder: parsePath('su') })).rejects.toMatchObject({ code: 'not_found' });
    await expect(open({ only: [parsePath('none')] })).rejects.toMatchObject({ code: 'not_found' });
    await expect(open({ folder: parsePath('sub'), only: [parsePath('subway.bin')] })).rejects.toMatchObject({ code: 'request_invalid' });
  });
}

function testDisclosure(subject: Export): void {
  const secretive = [pointerFile('a/b.bin', 'x', { source: 'SOURCESECRET', key: parseKey('KEYSECRET/b.bin'), version: 'v1' })];

  it('tells nothing of where objects lie, unless asked for people who may see it', async () => {
    const bytes = (await readBody(await subject.open(exportRequest(secretive)))).toString('latin1');
    expect(bytes).not.toMatch(/SOURCESECRET|KEYSECRET/);
    const location = () => ({ source: parseName('lake'), key: parseKey('k') });
    const told = (await readBody(await subject.open(exportRequest(secretive, { location })))).toString('latin1');
    expect(told).not.toMatch(/SOURCESECRET|KEYSECRET/);
  });

  it('carries a ticket, if at all, in its links alone, and in no pointer file', async () => {
    const body = await subject.open(exportRequest(secretive, { base: `${base}~${ticket}/` }));
    const text = (await readBody(body)).toString('latin1');
    if (subject.name.endsWith('.zip') || subject.action === 'list') expect(text).not.toContain(ticket);
    for (const [found] of text.matchAll(new RegExp(`.{0,60}${ticket}.{0,20}`, 'g'))) expect(found).toContain(`${base}~${ticket}/o/`);
    expect(JSON.stringify({ ...body, read: undefined })).not.toContain(ticket);
  });
}

function testLoad(subject: Export): void {
  const count = 100_000;
  const { leaf } = pointerFile('x', 'y');
  const leafAt = (i: number): Pointer => ({ ...(leaf as Pointer), path: parsePath(`folder/${String(i).padStart(8, '0')} file.bin`) });

  it('stops when the reader aborts', async () => {
    const abort = new AbortController();
    let [armed, walked] = [false, 0];
    const inner = generatedTree(count, leafAt, () => {
      walked += 1;
      if (armed && walked === 5000) abort.abort();
    });
    const deaf: Partial<Tree> = {
      list: (folder, page) => inner.list(folder, { ...page, signal: undefined }),
      walk: (folder) => inner.walk(folder),
    };
    const tree = { ...inner, ...deaf };
    const body = await subject.open(exportRequest([], { tree, signal: abort.signal }));
    [armed, walked] = [true, 0];
    await expect(readBody(body)).rejects.toSatisfy((error: Error) => /cancelled|aborted/i.test(`${error.name} ${error.message}`));
    expect(walked).toBeLessThanOrEqual(6000);
  });

  it('streams 100,000 entries in constant memory', async () => {
    const collect = collector();
    const body = await subject.open(exportRequest([], { tree: generatedTree(count, leafAt) }));
    let [size, chunks, most] = [0, 0, 0];
    const before = collect();
    for await (const chunk of body.read()) {
      size += chunk.length;
      chunks += 1;
      if (chunks % 100 === 50) most = Math.max(most, collect() - before);
      expect(chunk.length).toBeLessThan(1024 * 1024);
    }
    if (body.size !== undefined) expect(size).toBe(body.size);
    expect(most).toBeLessThan(16 * 1024 * 1024);
  });
}

/** Collects garbage; gives the bytes that are left on the heap and in buffers. */
function collector(): () => number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  return () => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
}
