import { createHash } from 'node:crypto';
import { Type } from 'typebox';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Access } from '#access/access.ts';
import { openMemory } from '#drivers/memory/driver.ts';
import { isError, PackageRError } from '#errors/error.ts';
import type { ErrorCode } from '#errors/table.ts';
import { Events } from '#events/events.ts';
import { Jobs } from '#jobs/jobs.ts';
import type { UserActor } from '#model/actor.ts';
import { randomId } from '#model/clock.ts';
import type { Pointer } from '#model/entry.ts';
import type { Key } from '#model/key.ts';
import { parseName } from '#model/name.ts';
import { parsePath, root } from '#model/path.ts';
import { type PackageReference, parseReference } from '#packages/package.ts';
import type { PackagesOptions } from '#packages/package-edits.ts';
import { Packages } from '#packages/packages.ts';
import { Sources } from '#sources/sources.ts';
import { Vault } from '#state/vault.ts';
import { bodyOf, bytesOf } from '#testing/driver-subject.ts';
import { fakeClock } from '#testing/fake-clock.ts';
import { type TemporaryState, temporaryState } from '#testing/temporary-state.ts';

const clock = fakeClock();
const adm = { kind: 'system', name: 'test' } as const;
const inline = { extensions: ['.md'], maxBytes: 1000 };
const p = parsePath;
const textBytes = 1000;
const long = (length: number): Uint8Array => Buffer.alloc(length, 'long ');

let temporary: TemporaryState;
let access: Access;
let store: ReturnType<typeof openMemory>;
let sources: Sources;
let jobs: Jobs;
let events: Events;
let packages: Packages;
let alice: UserActor;
let a: PackageReference;
/** What stands in front of the store. */
let faults: Partial<ReturnType<typeof openMemory>>;

const connector = { request: () => Promise.reject(new PackageRError('endpoint_refused')), close: async () => undefined };
const signer = { sign: () => 'http://127.0.0.1/signed' };
const kept: ConstructorParameters<typeof Sources>[0]['drivers'][number] = {
  kind: 'kept',
  title: 'A memory that outlives its driver',
  options: Type.Object({}, { additionalProperties: false }),
  secrets: [],
  open: () => ({
    ...store,
    stat: (...call) => store.stat(...call),
    write: (...call) => (faults.write ?? store.write)?.(...call) as never,
    close: async () => undefined,
  }),
};

function start(limits: PackagesOptions['limits'] = {}): void {
  const { state } = temporary;
  jobs = new Jobs({ state, clock: clock.now, makeId: randomId });
  const common = { state, access, sources, jobs, events, clock: clock.now, makeId: randomId, inline };
  packages = new Packages({
    ...common,
    stat: (_handle, key, options) => store.stat(key, options),
    limits: { textBytes, stepWait: 100, ...limits },
  });
}

async function open(versions = true): Promise<void> {
  temporary = await temporaryState();
  const { state } = temporary;
  faults = {};
  events = new Events({ state, clock: clock.now });
  access = new Access({ state, clock: clock.now, makeId: randomId, events });
  store = openMemory({ versions }, { source: '1', clock: clock.now, connector, signer });
  const vault = await Vault.open({ state, folder: temporary.folder });
  const limits = { retries: 0 };
  sources = new Sources({ state, access, events, vault, drivers: [kept], connector, signer, clock: clock.now, inline, limits });
  await sources.add(adm, { name: parseName('src'), driver: 'kept' });
  const user = await access.users.create(adm, { name: 'alice' });
  alice = (await access.actorOf(user.id)) as UserActor;
  start();
  a = parseReference('alice/a');
  await packages.create(alice, a);
  await access.namespaces.update(adm, 'alice', { uploadSource: '1', uploadPrefix: 'in/box' });
  await grant(['create', 'download']);
}

beforeEach(() => open());
afterEach(async () => {
  await jobs.close();
  await sources.close();
  await events.close();
  await temporary.close();
});

const grant = (actions: readonly ('create' | 'download')[]) =>
  access.grants.set(adm, { subject: { kind: 'user', name: 'alice' }, target: { kind: 'source', id: '1' }, actions, path: '' });
const put = (path: string, body: AsyncIterable<Uint8Array> | Uint8Array, more: Parameters<Packages['putFile']>[4] = {}) =>
  packages.putFile(alice, a, p(path), body instanceof Uint8Array ? bodyOf(body) : body, more);
const find = async (path: string) => (await packages.open(alice, 'download', a, root)).tree.find(p(path));
const keys = async () => (await store.list({ prefix: '' })).objects.map((one) => one.key as string);
const codeOf = (promise: Promise<unknown>): Promise<ErrorCode | string> =>
  promise.then(
    () => 'nothing',
    (error: unknown) => (isError(error) ? error.code : String(error)),
  );

describe('a file that is put', () => {
  it('is kept as a text up to the limit, and annexed from the upload source above it', async () => {
    for (const [length, kind] of [
      [textBytes - 1, 'text'],
      [textBytes, 'text'],
      [textBytes + 1, 'pointer'],
    ] as const) {
      await put(`${length}.txt`, long(length));
      expect((await find(`${length}.txt`))?.kind).toBe(kind);
    }
    expect(await keys()).toEqual([expect.stringMatching(/^in\/box\/a\/[\w-]{22}\/1001\.txt$/)]);
  });

  it('is annexed however small where it is binary', async () => {
    const binaries = {
      'nul.bin': Buffer.from('a\0b'),
      'latin1.txt': Buffer.from([0x66, 0xfc, 0x72]),
      'cut.txt': Buffer.from([0x61, 0xc3]),
    };
    for (const [path, bytes] of Object.entries(binaries)) {
      await put(path, bytes);
      expect(await find(path)).toMatchObject({ kind: 'pointer', size: bytes.length });
    }
    for (const bytes of [Buffer.alloc(0), Buffer.from('für\n')]) {
      await put('text.txt', bytes);
      expect((await find('text.txt'))?.kind).toBe('text');
    }
  });

  it('is pointed to exactly, with the checksum of the bytes as they came by', async () => {
    const bytes = long(5000);
    const edit = await put('deep/data.bin', bodyOf(bytes.subarray(0, 10), bytes.subarray(10, 2000), bytes.subarray(2000)), { size: 5000 });
    expect(edit).toMatchObject({ added: 1 });
    const pointer = (await find('deep/data.bin')) as Pointer;
    const value = createHash('sha256').update(bytes).digest('hex');
    expect(pointer).toMatchObject({ kind: 'pointer', source: '1', size: 5000, version: expect.any(String), etag: expect.any(String) });
    expect(pointer.checksums.filter((one) => one.algorithm === 'sha256')).toEqual([{ algorithm: 'sha256', value, evidence: 'verified' }]);
    expect(Buffer.compare(await bytesOf(store.read(pointer.key)), bytes)).toBe(0);
    expect((await packages.freeze(alice, a)).entries).toBe(1);
  });

  it('replaces no object of another one: undo brings the old one back', async () => {
    await put('x.bin', long(2000));
    await put('x.bin', long(3000));
    expect(await keys()).toHaveLength(2);
    expect((await find('x.bin')) as Pointer).toMatchObject({ size: 3000 });
    await packages.undo(alice, a);
    const pointer = (await find('x.bin')) as Pointer;
    expect([pointer.size, (await bytesOf(store.read(pointer.key))).length]).toEqual([2000, 2000]);
  });

  it('keeps what was said of the one before, and replaces a text only where If-Match names it', async () => {
    await put('x.txt', Buffer.from('text'));
    await packages.setMeta(alice, a, { paths: [p('x.txt')] }, { unit: 'm' });
    expect(await codeOf(put('x.txt', long(2000), { ifMatch: 'absent' }))).toBe('precondition_failed');
    expect(await codeOf(put('x.txt', long(2000), { ifMatch: '0'.repeat(64) }))).toBe('precondition_failed');
    expect(await keys(), 'nothing was sent').toEqual([]);
    await put('x.txt', long(2000), { ifMatch: createHash('sha256').update('text').digest('hex') });
    expect(await find('x.txt')).toMatchObject({ kind: 'pointer', meta: { unit: 'm' } });
  });

  it('has a key even where its path is too long for one', async () => {
    const deep = Array.from({ length: 8 }, () => 'ü'.repeat(100)).join('/');
    await put(`${deep}/name.bin`, long(2000));
    expect((await find(`${deep}/name.bin`)) as Pointer).toMatchObject({ key: expect.stringMatching(/^in\/box\/a\/[\w-]{22}\/name\.bin$/) });
  });

  it('of metadata is always a text', async () => {
    expect(await codeOf(put('package.yaml', long(textBytes + 1)))).toBe('too_large');
    await put('package.yaml', Buffer.from('title: Snow\n'));
    expect((await find('package.yaml'))?.kind).toBe('text');
  });
});

describe('an upload is refused, and leaves nothing,', () => {
  const leavesNothing = async (): Promise<void> => {
    expect(await keys()).toEqual([]);
    expect(await find('x.bin')).toBeUndefined();
    await put('next.txt', Buffer.from('the draft is free'));
  };

  it('where the namespace has no upload source, which the message says how to set; small binary files are kept then', async () => {
    await access.namespaces.update(adm, 'alice', { uploadSource: null });
    for (const size of [undefined, 2000]) {
      const error = await put('x.bin', long(2000), { size }).catch((one: unknown) => one as PackageRError);
      expect(error).toMatchObject({ code: 'too_large', message: expect.stringContaining('namespaces set alice --upload-source') });
    }
    await leavesNothing();
    await put('small.bin', Buffer.from('a\0b'));
    expect((await find('small.bin'))?.kind).toBe('text');
  });

  it('above its limit, told or found out', async () => {
    start({ uploadBytes: 5000 });
    for (const size of [4999, 5000]) await put(`${size}`, long(size), { size });
    expect(await codeOf(put('x.bin', long(5001), { size: 5001 }))).toBe('too_large');
    expect(await codeOf(put('x.bin', bodyOf(long(3000), long(2001))))).toBe('too_large');
    expect(await keys()).toHaveLength(2);
  });

  it('where the bytes are fewer or more than was said', async () => {
    for (const size of [2001, 1999, 1500]) expect(await codeOf(put('x.bin', long(2000), { size })), String(size)).not.toBe('nothing');
    await leavesNothing();
  });

  it('where the client goes away', async () => {
    const cut = async function* (): AsyncGenerator<Uint8Array> {
      yield long(2000);
      throw new PackageRError('cancelled', 'The request ended before its body did.');
    };
    expect(await codeOf(put('x.bin', cut()))).toBe('cancelled');
    await leavesNothing();
  });

  it('without the right to create in the upload source', async () => {
    await grant(['download']);
    const error = await put('x.bin', long(2000)).catch((one: unknown) => one as PackageRError);
    expect(error).toMatchObject({ code: 'forbidden', message: expect.stringContaining('upload source') });
    await leavesNothing();
  });

  it('without the right to edit the package, before a byte is read', async () => {
    const bob = (await access.actorOf((await access.users.create(adm, { name: 'bob' })).id)) as UserActor;
    let isRead = false;
    const body = async function* (): AsyncGenerator<Uint8Array> {
      isRead = true;
      yield long(2000);
    };
    expect(await codeOf(packages.putFile(bob, a, p('x.bin'), body()))).toBe('not_found');
    expect(isRead).toBe(false);
  });

  it('where the upload source is gone', async () => {
    await sources.remove(adm, parseName('src'), { force: true });
    expect(await codeOf(put('x.bin', long(2000)))).toBe('upload_source_invalid');
  });

  it('where the entry cannot be put: a folder stands there, or the draft is being changed', async () => {
    await put('x.bin/y.txt', Buffer.from('y'));
    expect(await codeOf(put('x.bin', long(2000)))).toBe('path_conflict');
    const { state } = temporary;
    const claim = state.db.updateTable('package').set({ open_step: 99, open_job: 'job' }).where('id', '>', 0);
    const job = { id: 'job', kind: 'package.move', subject: 'package:1', owner_id: alice.id, state: 'running' as const };
    const rest = { input: '{}', progress: '{"done":0}', checkpoint: null, result: null, error_code: null, error_message: null };
    const times = { lease_owner: null, leased_until: 0, cancel_asked: 0, created_at: 0, started_at: 0, finished_at: null };
    await state.write({ query: state.db.insertInto('job').values({ ...job, ...rest, ...times, attempts: 0 }) }, { query: claim });
    expect(await codeOf(put('z.bin', long(2000)))).toBe('step_open');
    expect(await keys()).toEqual([]);
  });

  it('where the store fails, also with an answer that is lost behind the write', async () => {
    faults = {
      write: async (key, body, options) => {
        await store.write?.(key, body, options);
        throw new PackageRError('source_unavailable', 'The store went away.');
      },
    };
    expect(await codeOf(put('x.bin', long(2000)))).toBe('source_unavailable');
    expect(await keys()).toEqual([]);
  });
});

describe('uploads at once', () => {
  it('are as many as the limit says, of each user, and free their place however they end', async () => {
    start({ uploadsPerUser: 2 });
    const ends: (() => void)[] = [];
    const slow = async function* (): AsyncGenerator<Uint8Array> {
      yield long(2000);
      await new Promise<void>((resolve) => ends.push(resolve));
      yield long(1);
    };
    const waiting = [put('1.bin', slow()), put('2.bin', slow())];
    while (ends.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    const error = await put('3.bin', long(2000)).catch((one: unknown) => one as PackageRError);
    expect(error).toMatchObject({ code: 'rate_limited', message: expect.stringContaining('2 uploads of yours') });
    await put('text.txt', Buffer.from('texts are no uploads'));
    await packages.putFile(adm, a, p('other.bin'), bodyOf(long(2000)));
    for (const end of ends) end();
    await Promise.allSettled(waiting);
    await put('3.bin', long(2000));
    expect((await keys()).map((key) => key.slice(-5)).sort()).toEqual(['1.bin', '2.bin', '3.bin', 'r.bin']);
  });

  it('of a store without versions are deleted too', async () => {
    await jobs.close();
    await sources.close();
    await events.close();
    await temporary.close();
    await open(false);
    await put('x.bin/y.txt', Buffer.from('y'));
    expect(await codeOf(put('x.bin', long(2000)))).toBe('path_conflict');
    expect(await keys()).toEqual([]);
    expect(await store.stat('x' as Key).catch((error: unknown) => isError(error) && error.code)).toBe('object_not_found');
  });
});

describe('a process that ends between an upload and its step', () => {
  const rows = async () => temporary.state.db.selectFrom('upload').selectAll().execute();
  const never = (): Promise<never> => new Promise(() => undefined);
  const annexAll = async (reference: PackageReference, more: object = {}) => {
    const request = { source: parseName('src'), select: { folder: root }, to: p('annexed'), ...more };
    return jobs.wait((await packages.annex(adm, reference, request)).id);
  };

  /** The object is there, and no answer ever comes. */
  async function die(path = 'x.bin'): Promise<void> {
    const isWritten = new Promise<void>((resolve) => {
      faults = {
        write: async (key, body, options) => {
          await store.write?.(key, body, options);
          resolve();
          return never();
        },
      };
    });
    put(path, long(2000)).catch(() => undefined);
    await isWritten;
    faults = {};
  }

  async function restart(): Promise<void> {
    await jobs.close();
    await packages.close();
    start({ uploadPatience: 0 });
    await jobs.recover();
    await packages.recover();
    await packages.pending.look();
  }

  it('leaves no object: the next one takes it back', async () => {
    await put('kept.bin', long(2000));
    expect(await rows()).toEqual([]);
    await die();
    expect(await keys()).toHaveLength(2);
    expect(await rows()).toMatchObject([{ source: 1, parts: null, is_clearing: 0 }]);
    await restart();
    expect(await keys()).toEqual([expect.stringMatching(/kept\.bin$/)]);
    expect(await rows()).toEqual([]);
  });

  it('leaves no upload in parts', async () => {
    let parts = '';
    const isBegun = new Promise<void>((resolve) => {
      faults = {
        write: async (key, _body, options) => {
          parts = (await store.multipart?.create(key)) ?? '';
          await options?.onUpload?.(parts);
          resolve();
          return never();
        },
      };
    });
    put('x.bin', long(2000)).catch(() => undefined);
    await isBegun;
    const [row] = await rows();
    expect(row?.parts).toBe(parts);
    expect(await store.multipart?.list(row?.key as Key, parts)).toEqual([]);
    await restart();
    expect(await codeOf(store.multipart?.list(row?.key as Key, parts) ?? Promise.resolve())).not.toBe('nothing');
    expect(await rows()).toEqual([]);
  });

  it.each(['draft', 'version', 'undone step'] as const)(
    'leaves the object that a %s points to: somebody annexed it meanwhile',
    async (by) => {
      await die();
      const b = parseReference('alice/b');
      await packages.create(alice, b);
      await annexAll(b);
      if (by === 'version') {
        await packages.freeze(adm, b);
        await packages.remove(adm, b, [p('annexed')]);
      }
      if (by === 'undone step') await packages.undo(adm, b);
      await restart();
      expect(await keys()).toHaveLength(1);
      expect(await rows()).toEqual([]);
    },
  );

  it('is waited for while an annex is under way that may have listed it; later ones do not see it', async () => {
    await die();
    const { state } = temporary;
    const b = parseReference('alice/b');
    const { id } = await packages.create(alice, b);
    const job = { id: 'listing', kind: 'package.annex', subject: `package:${id}`, owner_id: alice.id, state: 'running' as const };
    const rest = { input: '{}', progress: '{"done":0}', checkpoint: null, result: null, error_code: null, error_message: null };
    const times = { lease_owner: 'other', leased_until: 0, cancel_asked: 0, created_at: 0, started_at: 0, finished_at: null, attempts: 0 };
    const open = state.db.updateTable('package').where('id', '=', id);
    await state.write(
      { query: state.db.insertInto('job').values({ ...job, ...rest, ...times }) },
      { query: open.set({ open_step: 1, open_job: 'listing' }) },
    );
    await packages.close();
    start({ uploadPatience: 0 });
    await packages.pending.look();
    expect(await keys()).toHaveLength(1);
    expect(await rows()).toMatchObject([{ is_clearing: 1 }]);
    const c = parseReference('alice/c');
    await packages.create(alice, c);
    await annexAll(c);
    expect((await packages.get(alice, c)).head).toBe(0);
    await state.write({ query: open.set({ open_step: null, open_job: null }) });
    await packages.pending.look();
    expect(await keys()).toEqual([]);
    expect(await rows()).toEqual([]);
  });

  it('and comes back too late, points to nothing: its step is refused', async () => {
    let finish = (): void => undefined;
    const isWritten = new Promise<void>((resolve) => {
      faults = {
        write: async (key, body, options) => {
          const info = await store.write?.(key, body, options);
          resolve();
          await new Promise<void>((go) => (finish = go));
          return info as never;
        },
      };
    });
    const putting = codeOf(put('x.bin', long(2000)));
    await isWritten;
    const before = packages;
    start({ uploadPatience: 0 });
    await packages.pending.look();
    expect(await keys()).toEqual([]);
    finish();
    expect(await putting).toBe('cancelled');
    expect(await find('x.bin')).toBeUndefined();
    await before.close();
  });

  it('does not lose what another living process sends', async () => {
    await die();
    const before = packages;
    start({ uploadPatience: 1e9 });
    await packages.pending.look();
    await before.pending.look();
    await packages.pending.look();
    expect(await keys()).toHaveLength(1);
    expect(await rows()).toMatchObject([{ is_clearing: 0, beat: 1 }]);
    await before.close();
  });

  it('is cleared up later where its store does not answer, and not at all where its source is gone', async () => {
    await die();
    const { stat } = store;
    Object.assign(store, { stat: () => Promise.reject(new PackageRError('source_unavailable')) });
    await restart();
    expect(await rows()).toHaveLength(1);
    Object.assign(store, { stat });
    await packages.pending.look();
    expect([await keys(), await rows()]).toEqual([[], []]);
    await die();
    await sources.remove(adm, parseName('src'), { force: true });
    await restart();
    expect(await rows()).toEqual([]);
  });
});
