import fc from 'fast-check';
import { Type } from 'typebox';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Access } from '#access/access.ts';
import { openMemory } from '#drivers/memory/driver.ts';
import { isError, PackageRError } from '#errors/error.ts';
import type { ErrorCode } from '#errors/table.ts';
import { Events } from '#events/events.ts';
import { Jobs } from '#jobs/jobs.ts';
import type { Action, UserActor } from '#model/actor.ts';
import { randomId } from '#model/clock.ts';
import type { Entry, Leaf } from '#model/entry.ts';
import type { Key } from '#model/key.ts';
import { ManifestHasher, writeManifestLine } from '#model/manifest.ts';
import { type Name, parseName } from '#model/name.ts';
import { ancestorsOf, compareBytes, isWithin, type Path, parsePath, root } from '#model/path.ts';
import { readAll, type Tree } from '#model/tree.ts';
import type { AnnexRequest } from '#packages/annex-request.ts';
import { DraftStep } from '#packages/draft-step.ts';
import { claimStep } from '#packages/open-step.ts';
import { type PackageReference, parseReference } from '#packages/package.ts';
import type { PackagesOptions } from '#packages/package-edits.ts';
import { Packages } from '#packages/packages.ts';
import { updateRanges } from '#packages/ranges.ts';
import { Sources } from '#sources/sources.ts';
import { Vault } from '#state/vault.ts';
import { bodyOf } from '#testing/driver-subject.ts';
import { fakeClock } from '#testing/fake-clock.ts';
import { type TemporaryState, temporaryState } from '#testing/temporary-state.ts';

const clock = fakeClock();
const adm = { kind: 'system', name: 'test' } as const;
const inline = { extensions: ['.md', '.txt'], maxBytes: 1000 };
const p = parsePath;
const ref = parseReference;

let temporary: TemporaryState;
let access: Access;
let store: ReturnType<typeof openMemory>;
let sources: Sources;
let jobs: Jobs;
let events: Events;
let packages: Packages;
let alice: UserActor;
let bob: UserActor;
let a: PackageReference;

const connector = { request: () => Promise.reject(new PackageRError('endpoint_refused')), close: async () => undefined };
const signer = { sign: () => 'http://127.0.0.1/signed' };

const memory: ConstructorParameters<typeof Sources>[0]['drivers'][number] = {
  kind: 'kept',
  title: 'A memory that outlives its driver',
  options: Type.Object({}, { additionalProperties: false }),
  secrets: [],
  open: () => ({ ...store, list: (request) => store.list(request), close: async () => undefined }),
};

/** A process of packageR on the state. */
function start(more: Partial<PackagesOptions> = {}): void {
  const { state } = temporary;
  jobs = new Jobs({ state, clock: clock.now, makeId: randomId });
  const common = { state, access, sources, jobs, events, clock: clock.now, makeId: randomId, inline };
  packages = new Packages({ ...common, stat: (_handle, key, options) => store.stat(key, options), ...more });
}

beforeEach(async () => {
  temporary = await temporaryState();
  const { state } = temporary;
  events = new Events({ state, clock: clock.now });
  access = new Access({ state, clock: clock.now, makeId: randomId, events });
  store = openMemory({ versions: true }, { source: '1', clock: clock.now, connector, signer });
  const vault = await Vault.open({ state, folder: temporary.folder });
  sources = new Sources({ state, access, events, vault, drivers: [memory], connector, signer, clock: clock.now, inline });
  await sources.add(adm, { name: parseName('src'), driver: 'kept' });
  for (const key of ['s/2024-01/T33/a.tif', 's/2024-02/T33/b.tif', 's/2024-02/T34/c.tif', 's/readme.md', 's/x//odd', 'top.txt'])
    await store.write?.(key as Key, bodyOf(`bytes of ${key}`));
  start();
  const users = await Promise.all(['alice', 'bob'].map((name) => access.users.create(adm, { name })));
  [alice, bob] = (await Promise.all(users.map((user) => access.actorOf(user.id)))) as [UserActor, UserActor];
  a = ref('alice/a');
  await packages.create(alice, a);
});
afterEach(async () => {
  await jobs.close();
  await sources.close();
  await events.close();
  await temporary.close();
});

const text = (content: string) => Buffer.from(content);
const put = (path: string, content = path) => packages.put(adm, a, p(path), text(content));
const treeOf = async (reference: PackageReference = a): Promise<Tree> => (await packages.open(adm, 'download', reference, root)).tree;
const fails = (promise: Promise<unknown>, code: ErrorCode) =>
  expect(
    promise.then(
      () => 'nothing',
      (error: unknown) => (isError(error) ? error.code : error),
    ),
  ).resolves.toBe(code);
const grant = (user: string, actions: readonly Action[], path = '') =>
  access.grants.set(adm, { subject: { kind: 'user', name: user }, target: { kind: 'source', id: '1' }, actions, path });

async function pathsOf(tree: Tree, folder = root): Promise<string[]> {
  const paths: string[] = [];
  for await (const leaf of tree.walk(folder)) paths.push(leaf.path);
  return paths;
}

async function listAll(tree: Tree, folder: Path, limit: number): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
    const page = await tree.list(folder, { cursor, limit });
    entries.push(...(page.entries as Entry[]));
    cursor = page.cursor;
  }
  return entries;
}

async function annexed(select: AnnexRequest['select'], more: Partial<AnnexRequest> = {}) {
  const job = await packages.annex(adm, a, { source: parseName('src'), select, to: root, ...more });
  return jobs.wait(job.id);
}

describe('trees', () => {
  it('lists folders among files, in byte order in which a folder counts with its slash, page by page', async () => {
    for (const path of ['a/b/c', 'a!', 'a0', 'z', 'é', '😀', '\uffee', 'b/1', 'b/2', 'b.txt']) await put(path);
    await packages.mkdir(adm, a, p('a-empty'));
    const tree = await treeOf();
    const names = ['a!', 'a-empty', 'a', 'a0', 'b.txt', 'b', 'z', 'é', '\uffee', '😀'];
    for (const limit of [1, 2, 3, 200]) expect((await listAll(tree, root, limit)).map((one) => one.path)).toEqual(names);
    expect(await tree.find(p('a-empty'))).toEqual({ kind: 'folder', path: 'a-empty', explicit: true });
    expect(await pathsOf(tree, p('b'))).toEqual(['b/1', 'b/2']);
  });

  it('skips what lies below a folder however much it is', async () => {
    await put('f/0');
    for (let i = 0; i < 3; i++) await packages.copy(adm, a, [p('f')], p(`big/${i}`));
    await put('z');
    expect((await (await treeOf()).list(root, { limit: 1 })).entries.map((one) => 'path' in one && one.path)).toEqual(['big']);
  });

  it('jumps over long runs of what was removed', async () => {
    for (let i = 0; i < 3500; i++) await store.write?.(`m/${String(i).padStart(4, '0')}` as Key, bodyOf('x'));
    await annexed({ folder: p('m') }, { to: p('m') });
    await packages.freeze(adm, a);
    await packages.remove(adm, a, [p('m')]);
    await put('z');
    await packages.freeze(adm, a);
    const tree = await treeOf(ref('alice/a@2'));
    for (const _ of [1, 2]) {
      expect((await listAll(tree, root, 10)).map((one) => one.path)).toEqual(['z']);
      expect(await tree.find(p('m'))).toBeUndefined();
      await fails(tree.list(p('m')), 'not_found');
    }
    expect(await listAll(await treeOf(ref('alice/a@1')), p('m'), 999)).toHaveLength(3500);
  });

  it('refuses cursors of another package, step or folder, and forged ones', async () => {
    for (const path of ['a/1', 'a/2', 'b/1', 'b/2']) await put(path);
    const tree = await treeOf();
    const { cursor = '' } = await tree.list(p('a'), { limit: 1 });
    await fails(tree.list(p('b'), { cursor }), 'cursor_invalid');
    await fails(tree.list(root, { cursor: 'junk' }), 'cursor_invalid');
    const forged = Buffer.from(Buffer.from(cursor, 'base64url').toString().replace('"a/2"', '"b/1"')).toString('base64url');
    await fails(tree.list(p('a'), { cursor: forged }), 'cursor_invalid');
    await put('c');
    await fails((await treeOf()).list(p('a'), { cursor }), 'cursor_invalid');
  });

  it('resumes a walk behind any path', async () => {
    for (const path of ['a', 'b/1', 'b/2', 'b0', 'c']) await put(path);
    const tree = await treeOf();
    const walk = async (folder: string, after: string) => {
      const found: string[] = [];
      for await (const leaf of tree.walk(p(folder), { after: p(after) })) found.push(leaf.path);
      return found;
    };
    expect(await walk('', 'b/1')).toEqual(['b/2', 'b0', 'c']);
    expect(await walk('b', 'a')).toEqual(['b/1', 'b/2']);
    expect(await walk('b', 'b/1')).toEqual(['b/2']);
    expect(await walk('b', 'c')).toEqual([]);
  });
});

describe('edits', () => {
  it('refuse a file beside a folder of its name, both ways, and in one batch', async () => {
    await put('a/b');
    await fails(put('a'), 'path_conflict');
    await fails(put('a/b/c'), 'path_conflict');
    await packages.mkdir(adm, a, p('empty'));
    await fails(put('empty'), 'path_conflict');
    await fails(packages.mkdir(adm, a, p('a/b')), 'path_conflict');
    const list = [
      { key: 'top.txt', to: 'n' },
      { key: 'top.txt', to: 'n/m' },
    ];
    expect((await annexed({ list })).error?.code).toBe('path_conflict');
    expect(await pathsOf(await treeOf())).toEqual(['a/b']);
  });

  it('replace a text only where it is still what was read', async () => {
    await put('a', '1');
    const entry = await (await treeOf()).find(p('a'));
    const sha256 = entry?.kind === 'text' ? entry.sha256 : '';
    await packages.put(adm, a, p('a'), text('2'), { ifMatch: sha256 });
    await fails(packages.put(adm, a, p('a'), text('3'), { ifMatch: sha256 }), 'precondition_failed');
    await fails(packages.put(adm, a, p('a'), text('3'), { ifMatch: 'absent' }), 'precondition_failed');
    expect((await readAll((await treeOf()).read(p('a')), 10)).toString()).toBe('2');
  });

  it('refuse texts that are too large and a package.yaml that is not valid', async () => {
    await fails(packages.put(adm, a, p('big'), new Uint8Array(1024 * 1024 + 1)), 'too_large');
    await fails(put('package.yaml', 'titel: x'), 'metadata_invalid');
    await put('package.yaml', 'title: A title\nauthors:\n  - name: Ada\n');
    expect(await packages.metadata(await packages.open(adm, 'download', a, root))).toEqual({
      title: 'A title',
      authors: [{ name: 'Ada' }],
    });
  });

  it('move into folders and to names, and never a folder into itself', async () => {
    for (const path of ['d/1', 'd/2/3', 'e', 'f/g']) await put(path);
    await fails(packages.move(adm, a, [p('d')], p('d/2')), 'path_conflict');
    await fails(packages.move(adm, a, [p('d')], p('d/new')), 'path_conflict');
    await fails(packages.move(adm, a, [p('nothing')], p('x')), 'not_found');
    await packages.move(adm, a, [p('d'), p('e')], p('f'));
    expect(await pathsOf(await treeOf())).toEqual(['f/d/1', 'f/d/2/3', 'f/e', 'f/g']);
    await packages.move(adm, a, [p('f/d/2')], p('two'));
    await packages.copy(adm, a, [p('f')], p('f/inside'));
    expect(await pathsOf(await treeOf())).toEqual(['f/d/1', 'f/e', 'f/g', 'f/inside/d/1', 'f/inside/e', 'f/inside/g', 'two/3']);
  });

  it('follow the policy where a file is there', async () => {
    for (const path of ['from/x.tar.gz', 'x.tar.gz']) await put(path);
    await put('from/same', 'same');
    await put('same', 'same');
    const copy = (onConflict: 'refuse' | 'skip' | 'keep' | 'replace') =>
      packages.copy(adm, a, [p('from/x.tar.gz'), p('from/same')], root, { onConflict });
    await fails(copy('refuse'), 'exists');
    expect(await copy('skip')).toMatchObject({ result: { added: 0, skipped: 1, unchanged: 1 } });
    expect(await copy('keep')).toMatchObject({ result: { added: 1, unchanged: 1 } });
    expect(await copy('keep')).toMatchObject({ result: { added: 0, unchanged: 2 } });
    expect(await pathsOf(await treeOf())).toEqual(['from/same', 'from/x.tar.gz', 'same', 'x.tar (1).gz', 'x.tar.gz']);
    expect(await copy('replace')).toMatchObject({ result: { added: 1 } });
  });

  it('set metadata on a glob, within 4 KiB', async () => {
    for (const path of ['a.md', 'b.md', 'c/d.md', 'e.csv']) await put(path);
    await packages.setMeta(adm, a, { glob: '*.md' }, { tile: 'T33', cloud: 0.5 });
    await packages.setMeta(adm, a, { paths: [p('a.md')] }, { cloud: null });
    const tree = await treeOf();
    expect(await tree.find(p('a.md'))).toMatchObject({ meta: { tile: 'T33' } });
    expect(await tree.find(p('b.md'))).toMatchObject({ meta: { tile: 'T33', cloud: 0.5 } });
    expect(await tree.find(p('c/d.md'))).not.toHaveProperty('meta');
    await fails(packages.setMeta(adm, a, { paths: [p('a.md')] }, { x: 'y'.repeat(5000) }), 'meta_invalid');
    await fails(packages.setMeta(adm, a, { paths: [p('a.md')] }, { x: { y: 1 } as never }), 'meta_invalid');
  });

  it('are undone and redone until the next edit, and never behind a version', async () => {
    await put('a');
    await put('b');
    await packages.undo(adm, a);
    expect(await pathsOf(await treeOf())).toEqual(['a']);
    await packages.redo(adm, a);
    expect(await pathsOf(await treeOf())).toEqual(['a', 'b']);
    await packages.undo(adm, a);
    await put('c');
    await fails(packages.redo(adm, a), 'nothing_to_undo');
    expect(await pathsOf(await treeOf())).toEqual(['a', 'c']);
    await packages.freeze(adm, a);
    await fails(packages.undo(adm, a), 'nothing_to_undo');
    expect((await packages.log(adm, a)).steps.map((step) => [step.operation, step.version])).toEqual([
      ['put', 1],
      ['put', undefined],
    ]);
  });

  it('run as a job when they are large, with the draft held until it ends', async () => {
    start({ limits: { jobEntries: 2 } });
    for (const path of ['d/1', 'd/2', 'd/3']) await put(path);
    const outcome = await packages.move(adm, a, [p('d')], p('e'));
    if (!('job' in outcome)) throw new Error('no job');
    const { id } = outcome.job;
    // Where the job was first, the put is not refused, and the job has ended.
    const told = await put('x').then(
      async () => (await jobs.get(adm, id)).state,
      (error: unknown) => (isError(error, 'step_open') && error.context['job'] === id ? 'refused' : error),
    );
    expect(['refused', 'done']).toContain(told);
    expect((await jobs.wait(id)).state).toBe('done');
    expect((await pathsOf(await treeOf())).filter((path) => path !== 'x')).toEqual(['e/1', 'e/2', 'e/3']);
  });
});

describe('annexing', () => {
  it('takes folders, globs, sizes and captured groups, and changes nothing the second time', async () => {
    const select = {
      folder: p('s'),
      match: '^(?P<month>\\d{4}-\\d{2})/(?P<tile>T\\d+)/',
      where: [
        { group: 'month', op: '>=', value: '2024-02' },
        { group: 'tile', op: 'in', value: ['T33', 'T35'] },
      ],
    } as const;
    const rename = '{tile}/{month}_{name}';
    const first = await annexed(select, { to: p('in'), rename });
    expect(first.result).toMatchObject({ added: 1, unchanged: 0, unnamable: 1 });
    const tree = await treeOf();
    expect(await pathsOf(tree)).toEqual(['in/T33/2024-02_b.tif']);
    expect(await tree.find(p('in/T33/2024-02_b.tif'))).toMatchObject({
      kind: 'pointer',
      source: '1',
      key: 's/2024-02/T33/b.tif',
      size: 28,
    });
    expect((await annexed(select, { to: p('in'), rename })).result).toMatchObject({ added: 0, unchanged: 1 });
    expect((await packages.log(adm, a)).steps).toHaveLength(1);
    await annexed({ folder: p('s'), glob: '**/*.tif', minSize: 1, maxSize: 28 }, { strip: root });
    expect(await pathsOf(await treeOf())).toHaveLength(4);
  });

  it('takes lists with keys that are no path, states what is stated, and tells what is missing', async () => {
    const sha = `sha256:${'0'.repeat(64)}`;
    const list = [
      { key: 's/x//odd', to: 'odd' },
      { key: 's/x//odd' },
      { key: 'nowhere' },
      { key: 'given', size: 5, etag: 'e', checksums: [sha] },
    ];
    const job = await annexed({ list });
    expect(job.result).toMatchObject({ added: 2, unnamable: 1, missing: 1, examples: ['s/x//odd', 'nowhere'] });
    expect(await (await treeOf()).find(p('given'))).toMatchObject({ size: 5, checksums: [{ algorithm: 'sha256', evidence: 'stated' }] });
    expect(await (await treeOf()).find(p('odd'))).toMatchObject({ key: 's/x//odd' });
  });

  it('keeps keys byte for byte, whatever is in them, and refuses them as paths (A40)', async () => {
    const keys = ['bad\udcff\udc80', 'a\nb', 'tab\t\x1b[2J', 'line\u2028', 'e\u0301', '\u00e9', '😀'.repeat(255)];
    const list = keys.map((key, index) => ({ key, to: `n${index}`, size: 1, etag: 'e' }));
    expect((await annexed({ list })).result).toMatchObject({ added: keys.length, unchanged: 0 });
    expect((await annexed({ list })).result).toMatchObject({ added: 0, unchanged: keys.length });
    await packages.freeze(adm, a);
    const tree = await treeOf(ref('alice/a@1'));
    for (const [index, key] of keys.entries()) expect(await tree.find(p(`n${index}`))).toMatchObject({ key });
    const unnamed = keys.slice(0, 4).map((key) => ({ key, size: 1, etag: 'e' }));
    expect((await annexed({ list: unnamed })).result).toMatchObject({ added: 0, unnamable: 4 });
  });

  it('copies small texts where asked, counted before', async () => {
    const job = await annexed({ folder: p('s') }, { copyTexts: true });
    expect(job.result).toMatchObject({ texts: 1, expectedTexts: 1, textBytes: 20, expectedTextBytes: 20 });
    expect((await readAll((await treeOf()).read(p('readme.md')), 100)).toString()).toBe('bytes of s/readme.md');
  });

  it('reads inline objects with the rights of the curator, and never other bytes', async () => {
    await annexed({ paths: [p('top.txt')] });
    expect((await readAll((await treeOf()).read(p('top.txt')), 100)).toString()).toBe('bytes of top.txt');
    await store.write?.('top.txt' as Key, bodyOf('other bytes'));
    await fails(
      treeOf().then((tree) => readAll(tree.read(p('top.txt')), 100)),
      'drifted',
    );
  });

  it('refuses what reaches out of a source, and sources that one may not see (A31)', async () => {
    const source = parseName('src');
    for (const to of ['../x', '/x', 'a/../../x', 'a//b', 'a\u0000b', 'x\n'])
      await fails(
        Promise.resolve().then(() => packages.annex(adm, a, { source, select: {}, to: p(to) })),
        'path_invalid',
      );
    for (const rename of ['../{name}', '{name}/../..', '{name}\n'])
      expect((await annexed({ paths: [p('top.txt')] }, { rename })).error?.code).toBe('path_invalid');
    await fails(packages.annex(adm, a, { source, select: { paths: [p('top.txt')] }, to: root, rename: '{nothing}' }), 'request_invalid');
    await fails(packages.annex(adm, a, { source: 'unknown' as Name, select: {}, to: root }), 'not_found');
    await fails(packages.annex(alice, a, { source, select: {}, to: root }), 'not_found');
    await grant('alice', ['list', 'stat'], 's');
    await fails(packages.annex(alice, a, { source, select: { paths: [p('top.txt')] }, to: root }), 'not_found');
    const list = [{ key: 's/readme.md' }, { key: 'top.txt' }];
    const job = await jobs.wait((await packages.annex(alice, a, { source, select: { list }, to: root })).id);
    expect(job.error?.code).toBe('not_found');
    expect(await pathsOf(await treeOf())).toEqual([]);
  });

  it('has its names indexed, so that a search of what is opened walks over nothing', async () => {
    await jobs.close();
    start({ index: { build: 1 } });
    await annexed({}, { to: p('in') });
    await packages.search.settled();
    const tree = await treeOf();
    const leaves = (await pathsOf(tree)).length;
    const sieve = { alternatives: [{ name: ['b.tif'], path: [] }], matches: (path: Path) => path.endsWith('/b.tif') };
    const found: string[] = [];
    for await (const leaf of tree.walk(root, { sieve })) found.push(leaf.path);
    expect([leaves > 4, found]).toEqual([true, ['in/s/2024-02/T33/b.tif']]);
    await jobs.wait((await packages.delete(adm, a)).id);
    await packages.search.settled();
    for (const table of ['search_segment', 'search_block', 'search_gram'] as const)
      expect(await temporary.state.db.selectFrom(table).selectAll().execute()).toEqual([]);
    await packages.close();
  });

  it('takes everything back when it is cancelled, and goes on after a restart', async () => {
    for (let i = 0; i < 1200; i++) await store.write?.(`many/${String(i).padStart(4, '0')}` as Key, bodyOf('x'));
    const whole = store;
    const pages: (string | undefined)[] = [];
    /** Writes the first page, then hangs until it is stopped. */
    const begin = () =>
      new Promise<string>((resolve, reject) => {
        store = {
          ...whole,
          async list(request) {
            pages.push(request.cursor ?? request.startAfter);
            if (request.cursor === undefined) return whole.list(request);
            resolve(job.then((view) => view.id));
            await new Promise((wake) => request.signal?.addEventListener('abort', wake));
            throw new PackageRError('cancelled');
          },
        };
        const job = packages.annex(adm, a, { source: parseName('src'), select: { folder: p('many') }, to: root });
        job.catch(reject);
      });
    const written = async () => (await temporary.state.db.selectFrom('entry').selectAll().execute()).length;

    const cancelled = await begin();
    await expect.poll(written).toBe(1000);
    expect(await pathsOf(await treeOf())).toEqual([]);
    await jobs.cancel(adm, cancelled);
    expect((await jobs.wait(cancelled)).state).toBe('cancelled');
    expect((await packages.get(adm, a)).openJob).toBeUndefined();
    expect(await written()).toBe(0);

    const stopped = await begin();
    await jobs.close();
    expect((await packages.get(adm, a)).openJob).toBe(stopped);
    expect(await written()).toBe(1000);
    store = {
      ...whole,
      list(request) {
        pages.push(request.cursor ?? request.startAfter);
        return whole.list(request);
      },
    };
    pages.length = 0;
    start();
    await jobs.recover();
    await packages.recover();
    expect(await jobs.wait(stopped)).toMatchObject({ state: 'done', result: { added: 1200, seen: 1200 } });
    expect(pages).toEqual(['many/0999']);
    expect(await pathsOf(await treeOf())).toHaveLength(1200);
  });
});

describe('crashes', () => {
  it('leave a step that nobody sees and that the next start, or the next edit, takes back', async () => {
    await put('a');
    const { state } = temporary;
    const claim = { package: (await packages.get(adm, a)).id, job: 'dead' };
    const crash = async () => {
      await state.write(claimStep(state, claim));
      const step = await DraftStep.open(state, claim);
      await step.put([{ kind: 'folder', path: p('ghost') }], 'refuse');
      await step.remove([...(await step.before.find(['a'])).values()]);
      await step.flush();
      return step;
    };
    const step = await crash();
    expect(await pathsOf(await treeOf())).toEqual(['a']);
    await packages.recover();
    await step.put([{ kind: 'folder', path: p('late') }], 'refuse');
    await fails(step.flush(), 'cancelled');
    expect(await state.db.selectFrom('entry').select(['path', 'to_step']).execute()).toEqual([
      { path: 'a', to_step: Number.MAX_SAFE_INTEGER },
    ]);
    await crash();
    await put('b');
    expect((await listAll(await treeOf(), root, 10)).map((one) => one.path)).toEqual(['a', 'b']);
  });
});

describe('versions', () => {
  it('are numbered, found, withdrawn, and need a change', async () => {
    await fails(packages.open(adm, 'list', ref('alice/a@latest'), root), 'not_found');
    await put('a');
    const one = await packages.freeze(adm, a, { message: 'first' });
    expect(one).toMatchObject({ number: 1, entries: 1, bytes: 1, message: 'first', author: 'system:test' });
    await fails(packages.freeze(adm, a), 'nothing_to_freeze');
    await put('b');
    await packages.remove(adm, a, [p('b')]);
    await packages.mkdir(adm, a, p('empty'));
    await fails(packages.freeze(adm, a), 'nothing_to_freeze');
    await put('c');
    expect(await packages.freeze(adm, a)).toMatchObject({ number: 2 });
    expect((await listAll(await treeOf(ref('alice/a@2')), root, 10)).map((entry) => entry.path)).toEqual(['a', 'c']);
    await packages.withdraw(adm, ref('alice/a@2'), { reason: 'wrong' });
    await fails(packages.open(adm, 'list', ref('alice/a@2'), root), 'version_withdrawn');
    expect((await packages.open(adm, 'list', ref('alice/a@latest'), root)).version?.number).toBe(1);
    expect(await packages.version(adm, ref('alice/a@2'))).toMatchObject({ withdrawn: { reason: 'wrong' } });
    await fails(packages.put(adm, ref('alice/a@1'), p('x'), text('x')), 'unsupported');
  });

  it('are frozen only by those who may download what they point to', async () => {
    await annexed({ folder: p('s') }, { to: p('in') });
    await fails(packages.freeze(alice, a), 'forbidden');
    expect((await packages.get(alice, a)).openJob).toBeUndefined();
    await grant('alice', ['list', 'stat', 'download'], 's/2024-01');
    await fails(packages.freeze(alice, a), 'forbidden');
    await grant('alice', ['download'], 's');
    const version = await packages.freeze(alice, a);
    expect(version.author).toBe(alice.id);
    const handle = await packages.open(adm, 'download', ref('alice/a@1'), root);
    expect(handle.curator).toMatchObject({ kind: 'user', id: alice.id });
  });

  it('are frozen by a job where there is much to read, with no right that the one who asks lacks', async () => {
    await jobs.close();
    start({ limits: { freezeEntries: 2 } });
    await annexed({ folder: p('s') }, { to: p('in') });
    await grant('alice', ['list', 'stat', 'download']);
    const narrow: UserActor = { ...alice, only: ['list', 'modify'] };
    await fails(packages.startFreeze(narrow, a), 'forbidden');
    const started = await packages.startFreeze(alice, a, { message: 'by a job' });
    if (!('job' in started)) throw new Error('no job was started');
    await fails(put('meanwhile'), 'step_open');
    const { state, result } = await jobs.wait(started.job.id);
    const version = await packages.version(adm, ref('alice/a@1'));
    expect({ state, result }).toEqual({ state: 'done', result: { version: 1, digest: version.digest, entries: 4, bytes: version.bytes } });
    expect(version).toMatchObject({ message: 'by a job', author: alice.id });
    await put('one more');
    expect(await packages.startFreeze(adm, a)).toMatchObject({ version: { number: 2 } });
    const again = await packages.startFreeze(adm, a).catch((error: unknown) => isError(error, 'nothing_to_freeze'));
    expect(again).toBe(true);
  });

  it('are compared with what their stores hold now', async () => {
    await annexed({ folder: p('s'), glob: '*.md' });
    await annexed({
      list: [
        { key: 'top.txt', size: 3, etag: 'of old' },
        { key: 'nowhere', size: 1, etag: 'x' },
      ],
    });
    await packages.freeze(adm, a);
    const drift = async () => (await jobs.wait((await packages.drift(adm, ref('alice/a@1'))).id)).result;
    const now = { size: 16, etag: expect.stringMatching(/^[0-9a-f]+$/) };
    expect(await drift()).toEqual({
      intact: 1,
      changed: 1,
      gone: 1,
      unreachable: 0,
      questions: 3,
      entries: [
        { path: 'nowhere', found: 'gone', size: 1, etag: 'x' },
        { path: 'top.txt', found: 'changed', size: 3, etag: 'of old', now },
      ],
    });
    await sources.remove(adm, parseName('src'), { force: true });
    const codes = (await drift())?.['entries'] as { found: string; code: string }[];
    expect(codes.map(({ found, code }) => [found, code])).toEqual(Array(3).fill(['unreachable', 'not_found']));
    await expect(packages.drift(adm, ref('alice/a@1'), { rate: 101 })).rejects.toMatchObject({ code: 'request_invalid' });
    await packages.drift(adm, ref('alice/a@1'), { rate: 100 });
  });

  it('keep their source from being removed unless forced', async () => {
    await annexed({ paths: [p('top.txt')] });
    await fails(sources.remove(adm, parseName('src')), 'in_use');
  });

  it('tell what was added, removed, changed and moved', async () => {
    for (const path of ['gone', 'changed', 'old/place', 'same']) await put(path);
    await packages.freeze(adm, a);
    await packages.remove(adm, a, [p('gone')]);
    await put('changed', 'differently');
    await packages.move(adm, a, [p('old')], p('new'));
    await put('added');
    const expected = [
      ['added', 'added'],
      ['changed', 'changed'],
      ['removed', 'gone'],
      ['moved', 'new/place'],
    ];
    const page = await packages.diff(adm, a);
    expect(page.changes.map((one) => [one.kind, one.path])).toEqual(expected);
    const paged: unknown[] = [];
    for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
      const one = await packages.diff(adm, a, { cursor, limit: 1 });
      paged.push(...one.changes.map((change) => [change.kind, change.path]));
      cursor = one.cursor;
    }
    expect(paged).toEqual(expected);
  });

  it('are restored into the draft and forked', async () => {
    await put('a/b');
    await put('c', 'one');
    await packages.freeze(adm, a);
    await packages.remove(adm, a, [p('a')]);
    await put('a');
    await put('c', 'two');
    await packages.restore(adm, a, 1);
    expect(await pathsOf(await treeOf())).toEqual(['a/b', 'c']);
    const fork = await packages.fork(adm, ref('alice/a@1'), ref('bob/mine'));
    expect(fork.package.forkedFrom).toBe('alice/a@1');
    expect((await readAll((await treeOf(ref('bob/mine'))).read(p('c')), 10)).toString()).toBe('one');
    await fails(packages.fork(bob, a, ref('bob/other')), 'not_found');
  });

  it('are verified down to the range, and the fault is named', async () => {
    for (const path of ['a', 'b', 'c']) await put(path);
    const { digest } = await packages.freeze(adm, a);
    const verify = async () => jobs.wait((await packages.verify(adm, ref('alice/a@1'))).id);
    expect((await verify()).result).toEqual({ entries: 3, texts: 3, digest });
    const { state } = temporary;
    await state.write({ query: state.db.deleteFrom('text').where('sha256', 'like', '2e7d%') });
    expect((await verify()).error).toMatchObject({ code: 'verify_failed', message: expect.stringContaining('"c"') });
  });

  it('go with their package, which is kept while it is in use', async () => {
    await put('a');
    await packages.freeze(adm, a);
    packages.onDelete(async () => 'A share is live.');
    await fails(packages.delete(adm, a), 'in_use');
    const job = await packages.delete(adm, a, { force: true });
    await fails(packages.get(adm, a), 'not_found');
    expect((await jobs.wait(job.id)).state).toBe('done');
    for (const table of ['entry', 'text', 'version', 'manifest_range', 'step'] as const)
      expect(await temporary.state.db.selectFrom(table).selectAll().execute()).toEqual([]);
    await packages.create(adm, a);
  });
});

describe('rights', () => {
  it('hide packages of others and refuse each edit', async () => {
    await put('a');
    expect((await packages.list(bob)).packages).toEqual([]);
    const attempts: (() => Promise<unknown>)[] = [
      () => packages.get(bob, a),
      () => packages.open(bob, 'list', a, root),
      () => packages.put(bob, a, p('x'), text('x')),
      () => packages.remove(bob, a, [p('a')]),
      () => packages.move(bob, a, [p('a')], p('b')),
      () => packages.mkdir(bob, a, p('m')),
      () => packages.setMeta(bob, a, { glob: '*' }, { x: 1 }),
      () => packages.undo(bob, a),
      () => packages.freeze(bob, a),
      () => packages.delete(bob, a),
      () => packages.create(bob, ref('alice/b')),
      () => packages.diff(bob, a),
      () => packages.verify(bob, a),
    ];
    for (const attempt of attempts) await fails(attempt(), 'not_found');
    const reader: UserActor = { ...alice, only: ['list'] };
    await fails(packages.put(reader, a, p('a'), text('x')), 'forbidden');
    await fails(packages.freeze(reader, a), 'forbidden');
    expect(await pathsOf(await treeOf())).toEqual(['a']);
  });
});

describe('properties', () => {
  const names = ['a', 'b', 'a!', 'a/x', 'a/y/z', 'b/1', 'é', '😀', '\uffee', 'q/w'] as const;
  const path = fc.constantFrom(...names).map(p);
  const operation = fc.oneof(
    fc.record({ do: fc.constant('put' as const), path, content: fc.constantFrom('1', '2') }),
    fc.record({ do: fc.constant('move' as const), path, to: path }),
    fc.record({ do: fc.constant('remove' as const), path }),
    fc.record({ do: fc.constantFrom('undo' as const, 'redo' as const, 'freeze' as const, 'crash' as const, 'restore' as const) }),
  );

  /** What the draft should be: files by path, with the same rules written plainly. */
  class Model {
    states: Map<string, string>[] = [new Map()];
    at = 0;
    floor = 0;
    get files(): Map<string, string> {
      return this.states[this.at] as Map<string, string>;
    }
    /** Whatever claims the draft gives up what could be redone. */
    claim(): void {
      this.states.length = this.at + 1;
    }
    step(next: Map<string, string>): void {
      this.claim();
      if (JSON.stringify([...next].sort()) === JSON.stringify([...this.files].sort())) return;
      this.states.push(next);
      this.at += 1;
    }
    fits(path: string): boolean {
      return ![...this.files.keys()].some((one) => one.startsWith(`${path}/`) || path.startsWith(`${one}/`));
    }
  }

  const manifestOf = async (tree: Tree): Promise<string> => {
    let lines = '';
    for await (const leaf of tree.walk(root)) lines += writeManifestLine(leaf);
    return lines;
  };

  async function agree(tree: Tree, files: Map<string, string>): Promise<void> {
    const sorted = [...files.keys()].sort(compareBytes);
    expect(await pathsOf(tree)).toEqual(sorted);
    const folders = new Set<string>(sorted.flatMap((one) => ancestorsOf(one as Path)));
    for (const folder of ['', ...folders]) {
      const inside = (one: string) => one !== folder && isWithin(one as Path, folder as Path);
      const childOf = (one: string) => one.slice(folder === '' ? 0 : folder.length + 1).split('/');
      const children = new Set(sorted.filter(inside).map((one) => childOf(one)[0] + (childOf(one).length > 1 ? '/' : '')));
      const listed = await listAll(tree, folder as Path, 2);
      const told = listed.map((one) => one.path.slice(folder === '' ? 0 : folder.length + 1) + (one.kind === 'folder' ? '/' : ''));
      expect(told).toEqual([...children].sort(compareBytes));
    }
    for (const name of names) {
      const kind = files.has(name) ? 'text' : folders.has(name) ? 'folder' : undefined;
      expect((await tree.find(p(name)))?.kind).toBe(kind);
    }
  }

  it('any sequence of edits, undo, redo, crash, freeze and restore agrees with a plain model, and versions never change', async () => {
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 4, maxLength: 14 }), async (operations) => {
        a = ref(`alice/p${round++}`);
        const { id } = await packages.create(adm, a);
        const model = new Model();
        const frozen: { reference: PackageReference; lines: string; files: Map<string, string>; digest: string }[] = [];
        for (const one of operations) {
          const next = new Map(model.files);
          if (one.do === 'put') {
            const done = await put(one.path, one.content).then(
              () => true,
              () => false,
            );
            expect(done).toBe(model.fits(one.path));
            if (done) model.step(next.set(one.path, one.content));
            else model.claim();
          } else if (one.do === 'remove') {
            const gone = [...next.keys()].filter((file) => isWithin(file as Path, one.path));
            const done = await packages.remove(adm, a, [one.path]).then(
              () => true,
              () => false,
            );
            expect(done).toBe(gone.length > 0);
            for (const file of gone) next.delete(file);
            if (done) model.step(next);
          } else if (one.do === 'move') {
            const done = await packages.move(adm, a, [one.path], one.to, { onConflict: 'replace' }).then(
              () => true,
              () => false,
            );
            if (done) {
              const isInto = [...model.files.keys()].some((file) => file.startsWith(`${one.to}/`));
              const target = isInto ? `${one.to}/${one.path.split('/').at(-1)}` : one.to;
              for (const [file, content] of model.files) {
                if (!isWithin(file as Path, one.path)) continue;
                next.delete(file);
                next.set(target + file.slice(one.path.length), content);
              }
              model.step(next);
            } else if (!(await packages.get(adm, a)).canRedo) model.claim();
          } else if (one.do === 'undo' || one.do === 'redo') {
            const can = one.do === 'undo' ? model.at > model.floor : model.at < model.states.length - 1;
            expect(
              await packages[one.do](adm, a).then(
                () => true,
                () => false,
              ),
            ).toBe(can);
            if (can) model.at += one.do === 'undo' ? -1 : 1;
          } else if (one.do === 'crash') {
            const { state } = temporary;
            const claim = { package: id, job: 'dead' };
            await state.write(claimStep(state, claim));
            const step = await DraftStep.open(state, claim);
            for await (const rows of step.before.batches('')) await step.remove(rows);
            await packages.recover();
            model.claim();
          } else if (one.do === 'freeze') {
            const version = await packages.freeze(adm, a).catch(() => undefined);
            const last = frozen.at(-1);
            const lines = await manifestOf(await treeOf());
            expect(version !== undefined).toBe(last === undefined || last.lines !== lines);
            if (version !== undefined) {
              model.floor = model.at;
              frozen.push({ reference: { ...a, version: version.number }, lines, files: model.files, digest: version.digest });
            }
          } else {
            const last = frozen[0];
            if (last === undefined) continue;
            await packages.restore(adm, a, 1);
            model.step(new Map(last.files));
          }
          await agree(await treeOf(), model.files);
        }
        for (const one of frozen) {
          const tree = await treeOf(one.reference);
          expect(await manifestOf(tree)).toBe(one.lines);
          const hasher = new ManifestHasher();
          for await (const leaf of tree.walk(root)) hasher.push(leaf);
          expect(hasher.finish().digest).toBe(one.digest);
        }
      }),
      { numRuns: 40 },
    );
  }, 120_000);

  it('a freeze recomputes the ranges that were touched and no others, with the digest of the whole', async () => {
    const { state } = temporary;
    const { id } = await packages.get(adm, a);
    const leaf = (index: number, etag: string): Leaf => ({
      kind: 'pointer',
      path: p(`k${String(index).padStart(5, '0')}`),
      source: '1',
      key: 'top.txt' as Key,
      size: 1,
      etag,
      checksums: [],
      inline: false,
    });
    const write = async (leaves: readonly Leaf[], removed: readonly string[] = []) => {
      const claim = { package: id, job: randomId() };
      await state.write(claimStep(state, claim));
      const step = await DraftStep.open(state, claim);
      await step.remove([...(await step.before.find(removed)).values()]);
      for (let at = 0; at < leaves.length; at += 500) await step.put(leaves.slice(at, at + 500), 'replace');
      await step.commit({ operation: 'put', summary: '', actor: 'x', at: 0 });
    };
    const count = 3000;
    await write(Array.from({ length: count }, (_, index) => leaf(index, 'e')));
    const freeze = async () => {
      const version = await packages.freeze(adm, a);
      const hasher = new ManifestHasher();
      for await (const one of (await treeOf()).walk(root)) hasher.push(one);
      expect(version.digest).toBe(hasher.finish().digest);
    };
    await freeze();
    const begun = async (step: number) =>
      (await state.db.selectFrom('manifest_range').selectAll().where('from_step', '=', step).execute()).length;
    const borders = (await state.db.selectFrom('entry').select('path').where('ends_range', '=', 1).orderBy('path').execute()).map(
      (row) => row.path,
    );
    expect(borders.length).toBeGreaterThan(4);
    const head = async () => (await packages.get(adm, a)).head;
    const recomputed = async (): Promise<number> => {
      const ranges: string[] = [];
      const from = (await packages.versions(adm, a)).versions[0]?.step;
      const refused = {
        query: state.db.updateTable('package').set({ generation: 0 }).where('id', '=', -1),
        expect: { changes: 1, code: 'cancelled', message: '' },
      } as const;
      const dry = updateRanges({
        state,
        package: id,
        from,
        to: await head(),
        hold: refused,
        onRange: (range) => void ranges.push(range.last),
      });
      await dry.catch((error: unknown) => expect(isError(error, 'cancelled')).toBe(true));
      return ranges.length;
    };
    await write([leaf(1500, 'changed')]);
    expect(await recomputed()).toBe(1);
    await freeze();
    expect(await begun(await head())).toBe(1);
    const border = borders[2] as string;
    await write([], [border]);
    expect(await recomputed()).toBe(1);
    await freeze();
    await write([leaf(Number(border.slice(1)), 'again')]);
    expect(await recomputed()).toBe(2);
    await freeze();
    await write([leaf(Number(border.slice(1)), 'changed')]);
    expect(await recomputed()).toBe(1);
    await freeze();
    await write([leaf(count, 'tail'), leaf(0, 'front')]);
    expect(await recomputed()).toBe(2);
    await freeze();
    await write([leaf(7, 'x')]);
    await write([leaf(7, 'e')]);
    await fails(packages.freeze(adm, a), 'nothing_to_freeze');
  });

  it('the same set gives the same digest whatever the order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.constantFrom('a', 'b', 'c/d', 'e', '😀', '\uffee'), { minLength: 2 }),
        fc.nat(),
        async (files, seed) => {
          const digests: string[] = [];
          for (const order of [files, [...files].sort((x, y) => ((x.charCodeAt(0) * seed) % 7) - ((y.charCodeAt(0) * seed) % 7))]) {
            a = ref(
              `alice/o${randomId()
                .toLowerCase()
                .replace(/[^a-z0-9]/g, '')}`,
            );
            await packages.create(adm, a);
            await put('temporary');
            for (const file of order) await put(file);
            if (digests.length > 0) await packages.freeze(adm, a);
            await packages.remove(adm, a, [p('temporary')]);
            digests.push((await packages.freeze(adm, a)).digest);
          }
          expect(digests[0]).toBe(digests[1]);
        },
      ),
      { numRuns: 5 },
    );
  }, 60_000);
});
