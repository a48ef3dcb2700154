/** A whole packageR but its HTTP, on one State whose turns can be scheduled; two memory stores, and users who may all with them. */
import { Access } from '#access/access.ts';
import { openMemory } from '#drivers/memory/driver.ts';
import { memoryOptions } from '#drivers/memory/options.ts';
import { Events } from '#events/events.ts';
import { Exchange } from '#exchange/exchange.ts';
import { SigningKeys } from '#exchange/url-signer.ts';
import { Jobs } from '#jobs/jobs.ts';
import type { UserActor } from '#model/actor.ts';
import { randomId } from '#model/clock.ts';
import type { Key } from '#model/key.ts';
import { parseName } from '#model/name.ts';
import { parsePath, root } from '#model/path.ts';
import { type PackageReference, parseReference } from '#packages/package.ts';
import { Packages } from '#packages/packages.ts';
import { Shares } from '#shares/shares.ts';
import { listObjects, statObject } from '#sources/presign.ts';
import { Sources, type SourcesOptions } from '#sources/sources.ts';
import { Vault } from '#state/vault.ts';
import { bodyOf } from '#testing/driver-subject.ts';
import { fakeClock } from '#testing/fake-clock.ts';
import { scheduleState } from '#testing/scheduler.ts';
import { temporaryState } from '#testing/temporary-state.ts';
import { memoryPlace } from '../support/memory-place.ts';

/** Races are of order, not of disks. */
process.env['TMPDIR'] = memoryPlace;

export const system = { kind: 'system', name: 'test' } as const;
export const address = '192.0.2.1';
export type House = Awaited<ReturnType<typeof openHouse>>;

type MemoryStore = ReturnType<typeof openMemory>;

export interface HouseOptions {
  /** What stands between packageR and the memory stores `kept` (with object versions) and `plain`. */
  readonly wrap?: (driver: MemoryStore) => MemoryStore;
  readonly upstream?: SourcesOptions['limits'];
}

export async function openHouse({ wrap = (driver) => driver, upstream }: HouseOptions = {}) {
  const temporary = await temporaryState();
  const { state, together } = scheduleState(temporary.state);
  const clock = fakeClock();
  const events = new Events({ state: temporary.state, clock: clock.now });
  const parts = { state, clock: clock.now, makeId: randomId, events };
  const access = new Access(parts);
  const vault = await Vault.open({ state, folder: temporary.folder });
  const keys = await SigningKeys.open({ ...parts, vault, base: () => 'http://content' });
  const connector = { request: () => Promise.reject(new Error('offline')), close: async () => undefined };
  const stores = {
    kept: openMemory({ versions: true }, { source: '1', clock: clock.now, connector, signer: keys }),
    plain: openMemory({ versions: false }, { source: '2', clock: clock.now, connector, signer: keys }),
  };
  const inline = { extensions: ['.txt', '.md'], maxBytes: 1024 };
  const memory: SourcesOptions['drivers'][number] = {
    kind: 'memory',
    title: 'A memory that outlives its driver',
    options: memoryOptions,
    secrets: [],
    open: ({ options }) => {
      const store = options['versions'] === false ? stores.plain : stores.kept;
      return { ...wrap(store), close: async () => undefined };
    },
  };
  const sources = new Sources({ ...parts, access, vault, drivers: [memory], connector, signer: keys, inline, limits: upstream });
  const jobs = new Jobs(parts);
  const packages = new Packages({ ...parts, access, sources, jobs, stat: statObject, list: listObjects, inline });
  const shares = new Shares({
    ...parts,
    access,
    sources,
    packages,
    hashKey: Buffer.alloc(32, 1),
    limits: { createdPerHour: 1e6, perOwner: 1e6 },
  });
  const exchange = new Exchange({ sources, shares, events, clock: clock.now });
  await access.ensureAdmin();
  await sources.add(system, { name: parseName('kept'), driver: 'memory', options: { versions: true } });
  await sources.add(system, { name: parseName('plain'), driver: 'memory', options: { versions: false } });
  const user = async (name: string): Promise<UserActor> => {
    const { id } = await access.users.create(system, { name });
    for (const source of ['1', '2']) {
      await access.grants.set(system, {
        subject: { kind: 'user', name },
        target: { kind: 'source', id: source },
        actions: ['list', 'stat', 'download', 'share'],
      });
    }
    return access.actorOf(id);
  };
  const alice = await user('alice');
  for (const store of Object.values(stores))
    for (const key of ['in/a.bin', 'in/b.bin', 'in/c.txt']) await store.write?.(key as Key, bodyOf(`bytes of ${key}`));

  let made = 0;
  /** An empty package of alice. */
  const draft = async (): Promise<PackageReference> => {
    const reference = parseReference(`alice/p${++made}`);
    await packages.create(alice, reference);
    return reference;
  };

  /** A user with a source of their own, and version 1 of a package with two pointers into it and a text. */
  const stage = async ({ versions = true }: { readonly versions?: boolean } = {}) => {
    const name = `u${++made}`;
    const source = await sources.add(system, { name: parseName(`s-${name}`), driver: 'memory', options: { versions } });
    const { id } = await access.users.create(system, { name });
    const grant = await access.grants.set(system, {
      subject: { kind: 'user', name },
      target: { kind: 'source', id: source.id },
      actions: ['list', 'stat', 'download', 'share'],
    });
    const owner = await access.actorOf(id);
    const reference = parseReference(`${name}/p`);
    await packages.create(owner, reference);
    await packages.put(owner, reference, parsePath('t.txt'), Buffer.from('text'));
    const list = ['in/a.bin', 'in/b.bin'].map((key) => ({ key: key as Key, to: parsePath(key) }));
    const job = await packages.annex(owner, reference, { source: source.name, to: root, select: { list } });
    await jobs.wait(job.id);
    await packages.freeze(owner, reference);
    return { name, owner, source, grant, reference, version: { ...reference, version: 1 } as const };
  };
  return {
    temporary,
    state,
    together,
    clock,
    events,
    access,
    vault,
    keys,
    stores,
    sources,
    jobs,
    packages,
    shares,
    exchange,
    alice,
    user,
    draft,
    parts,
    stage,
    async close() {
      await shares.close();
      exchange.close();
      await jobs.close();
      await sources.close();
      await events.close();
      await temporary.close();
    },
  };
}
