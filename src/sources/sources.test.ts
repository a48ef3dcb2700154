import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Type } from 'typebox';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Access } from '#access/access.ts';
import { builtinDrivers } from '#builtin.ts';
import type { Driver, DriverDefinition, DriverOptions } from '#drivers/driver.ts';
import { openMemory } from '#drivers/memory/driver.ts';
import { isError, PackageRError } from '#errors/error.ts';
import type { Actor, UserActor } from '#model/actor.ts';
import { randomId } from '#model/clock.ts';
import { type Key, parseKey } from '#model/key.ts';
import { type Name, parseName } from '#model/name.ts';
import { parsePath, root } from '#model/path.ts';
import { Secret } from '#model/secret.ts';
import { deleteObject, writeObject } from '#sources/objects.ts';
import { presignCapabilities, presignObject, readSigned, statObject, statSigned, writeSigned } from '#sources/presign.ts';
import type { NewSource } from '#sources/source.ts';
import { Sources, type SourcesOptions } from '#sources/sources.ts';
import { Vault } from '#state/vault.ts';
import { bodyOf, bytesOf, expectError } from '#testing/driver-subject.ts';
import { fakeClock } from '#testing/fake-clock.ts';
import { type TemporaryState, temporaryState } from '#testing/temporary-state.ts';

const name = (text: string): Name => parseName(text);
const path = parsePath;
const canary = 'CANARY-SECRET';

let temporary: TemporaryState;
let folder: string;
let access: Access;
let vault: Vault;
let sources: Sources;
let events: { action: string; subject: string; details?: unknown }[];
let store: Driver;
let opened: { options: DriverOptions; closed: number }[];
let alice: UserActor;
let bob: UserActor;
const adm: Actor = { kind: 'system', name: 'test' };
const clock = fakeClock();

/** A store with a secret, whose objects outlive its driver. */
const vaulted: DriverDefinition = {
  kind: 'vaulted',
  title: 'A store with secrets',
  options: Type.Object(
    {
      bucket: Type.String({ minLength: 3, description: 'Bucket.' }),
      depth: Type.Optional(Type.Integer({ description: 'Depth.' })),
      fail: Type.Optional(Type.Boolean({ description: 'Fail.' })),
    },
    { additionalProperties: false },
  ),
  secrets: [
    { name: 'secretKey', description: 'Secret key.', required: true, file: 'SECRET_KEY' },
    { name: 'session', description: 'Session.', required: false, file: 'SESSION' },
  ],
  open(options) {
    if (options.options['fail'] === true) throw new TypeError(`refused ${canary}`);
    const mark = { options, closed: 0 };
    opened.push(mark);
    return {
      ...store,
      close: async () => {
        mark.closed++;
      },
    };
  },
};

const make = (more: Partial<SourcesOptions> = {}) =>
  new Sources({
    state: temporary.state,
    access,
    events: { record: (event) => void events.push(event) },
    vault,
    drivers: [vaulted, ...builtinDrivers],
    connector: { request: () => Promise.reject(new PackageRError('endpoint_refused')), close: async () => undefined },
    signer: { sign: (request) => `http://127.0.0.1/o/${request.source}/${request.key}?${request.method}` },
    clock: clock.now,
    inline: { extensions: ['.md'], maxBytes: 1000 },
    ...more,
  });

beforeEach(async () => {
  temporary = await temporaryState();
  folder = await mkdtemp(join(tmpdir(), 'sources-'));
  events = [];
  opened = [];
  const recorder = { record: () => undefined };
  access = new Access({ state: temporary.state, clock: clock.now, makeId: randomId, events: recorder });
  vault = await Vault.open({ state: temporary.state, folder: temporary.folder });
  const connector = { request: () => Promise.reject(new PackageRError('endpoint_refused')), close: async () => undefined };
  const signer = { sign: () => 'http://127.0.0.1/signed' };
  store = openMemory({ versions: true }, { source: '1', clock: clock.now, connector, signer });
  for (const key of ['pub/a.md', 'pub/deny/s.txt', 'pub2/z.txt', 'pub//odd']) await store.write?.(key as Key, bodyOf(key));
  sources = make();
  const users = await Promise.all(['alice', 'bob'].map((one) => access.users.create(adm, { name: one })));
  [alice, bob] = (await Promise.all(users.map((user) => access.actorOf(user.id)))) as [UserActor, UserActor];
});
afterEach(async () => {
  await sources.close();
  await temporary.close();
  await rm(folder, { recursive: true, force: true });
});

const secretKey = Secret.parse(canary);
const one: NewSource = { name: name('one'), driver: 'vaulted', options: { bucket: 'bucket' }, secrets: { secretKey } };
const grant = (user: string, actions: readonly ('list' | 'stat' | 'download' | 'create' | 'modify' | 'delete')[], where = '') =>
  access.grants.set(adm, { subject: { kind: 'user', name: user }, target: { kind: 'source', id: '1' }, path: where, actions });
async function outcome(work: Promise<unknown>): Promise<{ code: string; message: string }> {
  try {
    await work;
  } catch (error) {
    if (error instanceof PackageRError) return { code: error.code, message: error.message };
    throw error;
  }
  return { code: 'ok', message: '' };
}

describe('managing sources', () => {
  it('adds, lists, shows, updates and removes', async () => {
    const view = await sources.add(adm, { ...one, options: { bucket: 'bucket', depth: '3' } });
    expect(view).toMatchObject({ id: '1', name: 'one', title: 'one', driver: 'vaulted', options: { bucket: 'bucket', depth: 3 } });
    expect(await sources.get(adm, name('one'))).toMatchObject({ state: 'ok', capabilities: { presign: 'local' } });
    await sources.update(adm, name('one'), { title: 'The first', options: { depth: null, bucket: 'other' } });
    expect(await sources.list(adm)).toMatchObject([{ title: 'The first', options: { bucket: 'other' } }]);
    await sources.update(adm, name('one'), { name: name('uno') });
    await expectError(sources.get(adm, name('one')), 'not_found');
    await sources.remove(adm, name('uno'));
    expect(await sources.list(adm)).toEqual([]);
    expect(await vault.names('source:1')).toEqual([]);
    expect((await sources.add(adm, { ...one, name: name('uno') })).id).toBe('2');
    expect(events.map((event) => event.action)).toEqual(['source.add', 'source.update', 'source.update', 'source.remove', 'source.add']);
    expect(events[0]).toMatchObject({ subject: 'source:1' });
  });

  it('is for administrators only', async () => {
    await sources.add(adm, one);
    await grant('alice', ['list', 'stat', 'download']);
    await expectError(sources.add(alice, { ...one, name: name('two') }), 'forbidden');
    await expectError(sources.update(alice, name('one'), { title: 'x' }), 'forbidden');
    await expectError(sources.remove(alice, name('one')), 'forbidden');
    await expectError(sources.test(alice, name('one')), 'forbidden');
    expect(await sources.list(bob)).toEqual([]);
    await expectError(sources.get(bob, name('one')), 'not_found');
    expect((await sources.list(alice)).map((view) => view.name)).toEqual(['one']);
  });

  it('refuses what is not valid, and says what', async () => {
    await sources.add(adm, one);
    const wrong: readonly (readonly [Partial<NewSource>, string, string?])[] = [
      [{ name: 'one' as Name }, 'exists'],
      [{ name: '$(id)' as Name }, 'name_invalid'],
      [{ name: '--config=/x' as Name }, 'name_invalid'],
      [{ driver: 'valted' }, 'request_invalid', 'vaulted'],
      [{ options: { bukcet: 'x', bucket: 'bucket' } }, 'request_invalid', 'Did you mean "bucket"'],
      [{ options: {} }, 'request_invalid', 'bucket'],
      [{ options: { bucket: 'ab' } }, 'request_invalid', 'bucket'],
      [{ options: { bucket: 'bucket', depth: '1.5' } }, 'request_invalid', 'depth'],
      [{ options: { bucket: 'bucket', secretKey: canary } }, 'secret_invalid'],
      [{ options: JSON.parse('{"bucket":"bucket","__proto__":{"fail":true}}') }, 'request_invalid'],
      [{ secrets: { secretkey: secretKey } }, 'secret_invalid', 'secretKey'],
      [{ title: 'a\u001b[2Jb' }, 'request_invalid'],
      [{ driver: 'folder', options: { root: 'relative' }, secrets: {} }, 'request_invalid', 'root'],
    ];
    for (const [change, code, says = ''] of wrong) {
      const refusal = await outcome(sources.add(adm, { ...one, name: name('two'), ...change }));
      expect(refusal).toEqual({ code, message: expect.stringContaining(says) });
      expect(refusal.message).not.toContain(canary);
    }
    expect(await sources.list(adm)).toHaveLength(1);
  });

  it('keeps a source that is in use, unless forced', async () => {
    await sources.add(adm, one);
    sources.onRemove(async (id) => (id === '1' ? 'package a/b points into it.' : undefined));
    expect(await outcome(sources.remove(adm, name('one')))).toEqual({ code: 'in_use', message: expect.stringContaining('a/b') });
    await sources.remove(adm, name('one'), { force: true });
    await expectError(sources.openById(adm, 'list', '1', root), 'not_found');
  });

  it('refuses a change that another one came before', async () => {
    await sources.add(adm, one);
    const both = await Promise.allSettled([
      sources.update(adm, name('one'), { title: 'a' }),
      sources.update(adm, name('one'), { title: 'b' }),
    ]);
    // On an engine that answers later the second may begin behind the first; each that succeeded built on what it saw.
    const refused = both.filter((each) => each.status === 'rejected');
    if (temporary.state.dialect === 'sqlite') expect(refused).toHaveLength(1);
    for (const { reason } of refused) expect(isError(reason, 'precondition_failed')).toBe(true);
    const row = await temporary.state.db.selectFrom('source').select('generation').executeTakeFirstOrThrow();
    expect(row.generation).toBe(1 + both.length - refused.length);
  });
});

describe('secrets', () => {
  it('are shown as set, to nobody as they are (A50)', async () => {
    await sources.add(adm, one);
    await grant('alice', ['list', 'stat', 'download']);
    const handle = await sources.open(alice, 'download', name('one'), root);
    const test = await sources.test(adm, name('one'));
    const shown = [
      await sources.get(adm, name('one')),
      await sources.get(alice, name('one')),
      handle,
      handle.source,
      test,
      events,
      sources.drivers(),
    ];
    expect(JSON.stringify(shown)).not.toContain(canary);
    expect(shown[0]).toMatchObject({ secrets: { secretKey: { set: true, from: 'state' } } });
    expect(shown[1]).not.toHaveProperty('secrets');
    expect(shown[1]).not.toHaveProperty('options');
    const rows = await temporary.state.db.selectFrom('source').selectAll().execute();
    const sealed = await temporary.state.db.selectFrom('sealed').selectAll().execute();
    expect(JSON.stringify(rows) + sealed.map((row) => Buffer.from(row.sealed).toString('latin1')).join()).not.toContain(canary);
    expect(opened[0]?.options.secrets['secretKey']?.reveal()).toBe(canary);
  });

  it('can be replaced and removed; a required one that is missing breaks the source only', async () => {
    await sources.add(adm, one);
    await sources.update(adm, name('one'), { secrets: { secretKey: Secret.parse('second'), session: Secret.parse('s') } });
    await sources.open(adm, 'list', name('one'), root);
    expect(opened.at(-1)?.options.secrets['secretKey']?.reveal()).toBe('second');
    await sources.update(adm, name('one'), { secrets: { secretKey: null } });
    expect(await outcome(sources.open(adm, 'list', name('one'), root))).toMatchObject({
      code: 'source_broken',
      message: expect.stringContaining('secretKey'),
    });
    expect(await sources.get(adm, name('one'))).toMatchObject({
      state: 'broken',
      secrets: { session: { set: true } },
      problem: { code: 'source_broken' },
    });
  });

  it('are never taken from the environment of the process', async () => {
    process.env['SECRET_KEY'] = 'ambient';
    try {
      await sources.add(adm, { ...one, secrets: {} });
      await expectError(sources.open(adm, 'list', name('one'), root), 'source_broken');
    } finally {
      delete process.env['SECRET_KEY'];
    }
  });

  describe('in the secrets folder', () => {
    const file = () => join(folder, 'one', 'SECRET_KEY');
    const write = async (text: string, mode = 0o600) => {
      await mkdir(join(folder, 'one'), { recursive: true });
      await writeFile(file(), text, { mode });
    };
    const secretOf = async () => {
      await sources.reload();
      await sources.open(adm, 'list', name('one'), root);
      return opened.at(-1)?.options.secrets['secretKey']?.reveal();
    };
    beforeEach(async () => {
      sources = make({ secretsFolder: folder });
      await sources.add(adm, one);
    });

    it('win over those of the state', async () => {
      expect(await secretOf()).toBe(canary);
      await write('from file\n');
      expect(await secretOf()).toBe('from file');
      expect(await sources.get(adm, name('one'))).toMatchObject({ secrets: { secretKey: { set: true, from: 'folder' } } });
    });

    it('may be links within the folder, as Kubernetes makes them', async () => {
      await mkdir(join(folder, 'one', '..1'), { recursive: true });
      await writeFile(join(folder, 'one', '..1', 'SECRET_KEY'), 'linked', { mode: 0o400 });
      await symlink('..1', join(folder, 'one', '..data'));
      await symlink('..data/SECRET_KEY', file());
      expect(await secretOf()).toBe('linked');
    });

    it('are refused where they are not private, not plain, or not inside', async () => {
      const wrong: readonly (readonly [string, () => Promise<unknown>, string])[] = [
        ['others may read it', async () => write('x', 0o644), 'chmod 600'],
        ['the group may read it', async () => write('x', 0o640), 'chmod 600'],
        ['it is empty', async () => write('\n'), 'empty'],
        ['it holds a NUL', async () => write('a\0b'), 'NUL'],
        ['it is too large', async () => write('x'.repeat(70_000)), 'larger'],
        ['it is a folder', async () => void (await mkdir(file(), { recursive: true, mode: 0o700 })), 'not a file'],
        [
          'it is a link out',
          async () => {
            await mkdir(join(folder, 'one'));
            await symlink(join(temporary.folder, 'key'), file());
          },
          'leads out',
        ],
        [
          'its folder is a link out',
          async () =>
            symlink(temporary.folder, join(folder, 'one')).then(() =>
              writeFile(join(temporary.folder, 'SECRET_KEY'), 'x', { mode: 0o600 }),
            ),
          'leads out',
        ],
      ];
      for (const [why, prepare, says] of wrong) {
        await rm(join(folder, 'one'), { recursive: true, force: true });
        await prepare();
        await sources.reload();
        const refusal = await outcome(sources.open(adm, 'list', name('one'), root));
        expect([why, refusal]).toEqual([why, { code: 'source_broken', message: expect.stringContaining(says) }]);
      }
    });
  });
});

describe('opening', () => {
  beforeEach(async () => {
    await sources.add(adm, one);
  });

  it('says the same of what is not there and of what one may not know of', async () => {
    const absent = await outcome(sources.open(bob, 'download', name('none'), root));
    expect(await outcome(sources.open(bob, 'download', name('one'), root))).toEqual(absent);
    expect(await outcome(sources.openById(bob, 'download', '1', root))).toEqual(absent);
    for (const id of ['2', '01', '1e0', '1 or 1=1', '-1', ''])
      expect(await outcome(sources.openById(bob, 'list', id, root))).toEqual(absent);
    expect(absent.code).toBe('not_found');
    await grant('bob', ['list']);
    await expectError(sources.open(bob, 'download', name('one'), root), 'forbidden');
    const visitor: Actor = { kind: 'visitor', share: 's', client: 'c' };
    await expectError(sources.open(visitor, 'list', name('one'), root), 'not_found');
  });

  it('gives a guarded tree', async () => {
    await grant('alice', ['list', 'stat', 'download'], 'pub');
    const handle = await sources.open(alice, 'download', name('one'), path('pub'));
    const paths: string[] = [];
    for await (const leaf of handle.tree.walk(root)) paths.push(leaf.path);
    expect(paths).toEqual(['pub/a.md', 'pub/deny/s.txt']);
    const odd: string[] = [];
    const onUnnamable = ({ key }: { readonly key: string }) => void odd.push(key);
    for await (const leaf of handle.tree.walk(root, { onUnnamable })) expect(leaf.path).toMatch(/^pub\//);
    expect(odd).toEqual([]);
    for await (const leaf of handle.tree.walk(path('pub'), { onUnnamable })) expect(leaf.path).toMatch(/^pub\//);
    expect(odd).toEqual(['pub//odd']);
    expect(handle).toMatchObject({ subject: 'source:1', path: 'pub', action: 'download', mayLocate: true, source: { name: 'one' } });
    await expectError(sources.open(alice, 'download', name('one'), path('pub2')), 'not_found');
  });

  it('goes on with handles that are open when only secrets change', async () => {
    const handle = await sources.open(adm, 'download', name('one'), root);
    const before = opened.length;
    await sources.update(adm, name('one'), { secrets: { secretKey: Secret.parse('another') } });
    expect(await handle.tree.find(path('pub'))).toBeDefined();
    expect(opened).toHaveLength(before);
    await sources.open(adm, 'list', name('one'), root);
    expect(opened).toHaveLength(before + 1);
    expect(await handle.tree.find(path('pub'))).toBeDefined();
    await sources.update(adm, name('one'), { options: { depth: 2 } });
    await expectError(handle.tree.find(path('pub')), 'source_unavailable');
  });

  it('stops all handles when the source is removed, also with a driver that was replaced', async () => {
    const handle = await sources.open(adm, 'download', name('one'), root);
    await sources.update(adm, name('one'), { secrets: { secretKey: Secret.parse('another') } });
    await sources.remove(adm, name('one'));
    await expectError(handle.tree.find(path('pub')), 'source_unavailable');
  });

  it('opens a driver once for a generation, and closes it when the source changes', async () => {
    await Promise.all(Array.from({ length: 5 }, () => sources.open(adm, 'list', name('one'), root)));
    const before = opened.length;
    const handle = await sources.open(adm, 'download', name('one'), root);
    await sources.update(adm, name('one'), { title: 'only the title' });
    await sources.open(adm, 'list', name('one'), root);
    expect(opened).toHaveLength(before);
    expect(await handle.tree.find(path('pub'))).toBeDefined();
    await sources.update(adm, name('one'), { options: { depth: 2 } });
    expect(opened[before - 1]?.closed).toBe(1);
    await expectError(handle.tree.find(path('pub')), 'source_unavailable');
    await expectError(() => presignObject(handle, { key: parseKey('pub/a.md'), method: 'GET', expiresIn: 60 }), 'source_unavailable');
    expect(await (await sources.open(adm, 'list', name('one'), root)).tree.find(path('pub'))).toBeDefined();
    await sources.close();
    expect(opened.map((mark) => mark.closed).every((closed) => closed === 1)).toBe(true);
    await expectError(sources.open(adm, 'list', name('one'), root), 'source_unavailable');
  });

  it('tells the names of sources by id', async () => {
    expect(await sources.names(['1', '1', '7', 'x'])).toEqual(new Map([['1', 'one']]));
  });

  it('logs calls without secrets', async () => {
    const lines: unknown[] = [];
    const logged = make({ log: (event) => void lines.push(event) });
    await (await logged.open(adm, 'list', name('one'), root)).tree.list(root);
    expect(lines).toMatchObject([{ event: 'driver.call', verb: 'list', source: '1' }]);
    expect(JSON.stringify(lines)).not.toContain(canary);
    await logged.close();
  });
});

describe('a source that is broken harms no other (A56)', () => {
  const damage = (id: number, options: string) =>
    temporary.state.write({ query: temporary.state.db.updateTable('source').set({ options }).where('id', '=', id) });

  it('with damaged options', async () => {
    await sources.add(adm, one);
    await sources.add(adm, { ...one, name: name('two') });
    const damaged = ['{', '[]', 'null', '"x"', '{"bucket":7}', '{"bucket":"bucket","gone":1}', '{"bucket":"bucket","fail":true}'];
    for (const options of damaged) {
      await damage(1, options);
      await sources.reload();
      const refusal = await outcome(sources.open(adm, 'list', name('one'), root));
      expect([refusal.code, refusal.message]).toEqual(['source_broken', expect.not.stringContaining(canary)]);
      expect((await sources.list(adm)).map((view) => view.name)).toEqual(['one', 'two']);
      expect(await sources.get(adm, name('one'))).toMatchObject({ state: 'broken', problem: { code: 'source_broken' } });
      expect(await (await sources.open(adm, 'list', name('two'), root)).tree.find(path('pub'))).toBeDefined();
    }
    expect((await sources.test(adm, name('one'))).checks).toMatchObject([{ name: 'open', outcome: 'failed', remedy: expect.any(String) }]);
    await sources.update(adm, name('one'), { options: { bucket: 'mended', fail: null, gone: null } });
    expect(await sources.get(adm, name('one'))).toMatchObject({ state: 'ok' });
  });

  it('a driver that is no longer there', async () => {
    await sources.add(adm, one);
    await temporary.state.write({ query: temporary.state.db.updateTable('source').set({ driver: 'gone' }) });
    await sources.reload();
    await expectError(sources.open(adm, 'list', name('one'), root), 'source_broken');
    expect(await sources.get(adm, name('one'))).toMatchObject({ state: 'broken' });
    await sources.remove(adm, name('one'));
  });

  it('is marked down after failures in a row', async () => {
    store = { ...store, list: () => Promise.reject(new PackageRError('source_unavailable')) };
    await sources.add(adm, one);
    const { tree } = await sources.open(adm, 'list', name('one'), root);
    for (let i = 0; i < 5; i++) await expectError(tree.list(root), 'source_unavailable');
    await expectError(tree.list(root), 'source_down');
    expect(await sources.get(adm, name('one'))).toMatchObject({ state: 'down' });
  });
});

describe('presigning', () => {
  const ask = (key: string, method: 'GET' | 'PUT' = 'GET') => ({ key: parseKey(key), method, expiresIn: 60 });
  beforeEach(async () => {
    await sources.add(adm, one);
  });

  it('reaches only what the handle was opened for (A23)', async () => {
    const handle = await sources.open(adm, 'download', name('one'), path('pub'));
    expect(presignObject(handle, ask('pub/a.md'))).toMatchObject({ method: 'GET', url: expect.any(String) });
    expect(presignObject(handle, ask('pub//odd'))).toMatchObject({ method: 'GET' });
    for (const key of ['pub2/z.txt', 'pub.bak', 'other', '/pub/a.md', 'pub2//odd'])
      await expectError(() => presignObject(handle, ask(key)), 'forbidden');
    expect(presignObject(await sources.open(adm, 'download', name('one'), path('pub/a.md')), ask('pub/a.md'))).toBeDefined();
    expect(presignCapabilities(handle)).toEqual({ presign: 'local', presignMaxSeconds: 604_800, versions: true, publicUrls: false });
    expect(await statObject(handle, parseKey('pub/a.md'))).toMatchObject({ size: 8 });
    await expectError(statObject(handle, parseKey('pub2/z.txt')), 'forbidden');
  });

  it('only for the action of the handle', async () => {
    for (const action of ['list', 'stat', 'delete', 'share', 'manage'] as const) {
      const handle = await sources.open(adm, action, name('one'), root);
      await expectError(() => presignObject(handle, ask('pub/a.md')), 'forbidden');
      await expectError(() => presignObject(handle, ask('pub/a.md', 'PUT')), 'forbidden');
    }
    const download = await sources.open(adm, 'download', name('one'), root);
    await expectError(() => presignObject(download, ask('pub/new', 'PUT')), 'forbidden');
    const create = await sources.open(adm, 'create', name('one'), root);
    expect(presignObject(create, ask('pub/new', 'PUT'))).toMatchObject({ method: 'PUT' });
    await expectError(() => presignObject(create, ask('pub/a.md')), 'forbidden');
    await expectError(() => presignObject({ ...download } as typeof download, ask('pub/a.md')), 'forbidden');
  });

  it('serves what was signed, while the source is there', async () => {
    const key = parseKey('pub/a.md');
    expect((await bytesOf(readSigned(sources, '1', key, { range: { start: 4, end: 8 } }))).toString()).toBe('a.md');
    expect(await statSigned(sources, '1', key)).toMatchObject({ size: 8 });
    await writeSigned(sources, '1', parseKey('up'), bodyOf('sent'));
    expect((await bytesOf(readSigned(sources, '1', parseKey('up')))).toString()).toBe('sent');
    await sources.remove(adm, name('one'));
    await expectError(readSigned(sources, '1', key), 'not_found');
    await expectError(readSigned({} as Sources, '1', key), 'forbidden');
  });
});

describe('writing through a handle', () => {
  const key = parseKey('pub/a.md');

  it('follows the action of the handle', async () => {
    await sources.add(adm, one);
    const at = (action: 'create' | 'modify' | 'delete' | 'download') => sources.open(adm, action, name('one'), path('pub'));
    await expectError(writeObject(await at('create'), key, bodyOf('x')), 'exists');
    await expectError(writeObject(await at('download'), key, bodyOf('x')), 'forbidden');
    await expectError(writeObject(await at('modify'), parseKey('pub2/z.txt'), bodyOf('x')), 'forbidden');
    await writeObject(await at('modify'), key, bodyOf('edited'));
    expect((await bytesOf(readSigned(sources, '1', key))).toString()).toBe('edited');
    await expectError(deleteObject(await at('modify'), key), 'forbidden');
    await deleteObject(await at('delete'), key);
    expect(await (await at('download')).tree.find(path('pub/a.md'))).toBeUndefined();
  });
});

describe('a folder', () => {
  const add = async (options: Record<string, unknown> = {}) => {
    await sources.add(adm, { name: name('local'), driver: 'folder', options: { root: join(folder, 'in'), ...options } });
    return sources.open(adm, 'download', name('local'), root);
  };
  beforeEach(async () => {
    await mkdir(join(folder, 'in', 'pub', 'empty'), { recursive: true });
    await writeFile(join(folder, 'outside.txt'), 'CANARY-OUT');
    await writeFile(join(folder, 'in', 'pub', 'a.md'), 'hello');
  });

  it('is browsed, and nothing outside of it (A28)', async () => {
    await symlink(join(folder, 'outside.txt'), join(folder, 'in', 'pub', 'l'));
    await symlink(folder, join(folder, 'in', 'pub', 'd'));
    await symlink('.', join(folder, 'in', 'pub', 'loop'));
    const { tree } = await add();
    const paths: string[] = [];
    for await (const leaf of tree.walk(root)) paths.push(leaf.path);
    expect(paths.filter((one) => /outside|\/l$|\/d\//.test(one))).toEqual([]);
    expect(paths).toContain('pub/a.md');
    for (const out of ['pub/l', 'pub/d/outside.txt']) {
      expect(await outcome(tree.find(path(out)).then((found) => expect(found).toBeUndefined()))).toMatchObject({
        code: expect.stringMatching(/^(ok|link_refused)$/),
      });
      expect((await outcome(statSigned(sources, '1', parseKey(out)))).code).toMatch(/^(link_refused|object_not_found)$/);
    }
    expect(await tree.list(path('pub/empty'))).toEqual({ entries: [] });
    await expectError(tree.list(path('pub/none')), 'not_found');
  });

  it('takes names that are no UTF-8 there and back (A40)', async () => {
    await writeFile(Buffer.concat([Buffer.from(join(folder, 'in', 'pub/')), Buffer.from([0xff, 0x0a, 0x1b])]), 'odd');
    const { tree } = await add();
    const { entries } = await tree.list(path('pub'));
    const odd = entries.find((entry) => entry.kind === 'unnamable');
    expect(odd).toMatchObject({ kind: 'unnamable', size: 3 });
    if (odd?.kind === 'unnamable') expect((await bytesOf(readSigned(sources, '1', odd.key))).toString()).toBe('odd');
  });

  it('is tested', async () => {
    await add();
    const { checks } = await sources.test(adm, name('local'));
    expect(Object.fromEntries(checks.map((check) => [check.name, check.outcome]))).toMatchObject({
      open: 'ok',
      list: 'ok',
      read: 'ok',
      'public-endpoint': 'failed',
      presign: 'skipped',
      write: 'ok',
    });
  });

  it('that is not there breaks only itself', async () => {
    await add();
    await rm(join(folder, 'in'), { recursive: true });
    const { works, checks } = await sources.test(adm, name('local'));
    expect([works, checks.some((check) => check.outcome === 'failed' && check.remedy !== undefined)]).toEqual([false, true]);
  });
});
