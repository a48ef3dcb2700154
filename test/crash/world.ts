/**
 * The domain on one data folder, as `app.ts` wires it but for the network: what a process of a crash test is. The objects are made anew
 * in memory each time, always the same ones.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';
import { Type } from 'typebox';
import { Access } from '#access/access.ts';
import type { DriverDefinition } from '#drivers/driver.ts';
import { folderDriver } from '#drivers/folder/definition.ts';
import { openFolder } from '#drivers/folder/driver.ts';
import { openMemory } from '#drivers/memory/driver.ts';
import { PackageRError } from '#errors/error.ts';
import { Events } from '#events/events.ts';
import type { JobView } from '#jobs/job.ts';
import { Jobs } from '#jobs/jobs.ts';
import type { SystemActor } from '#model/actor.ts';
import { type Clock, randomId } from '#model/clock.ts';
import type { Key } from '#model/key.ts';
import { parseName } from '#model/name.ts';
import { parsePath } from '#model/path.ts';
import { type PackageReference, parseReference } from '#packages/package.ts';
import { Packages } from '#packages/packages.ts';
import { Sources } from '#sources/sources.ts';
import { first } from '#state/migrations/m0001-first.ts';
import { openDatabase } from '#state/sqlite/database.ts';
import { sqliteDialect } from '#state/sqlite/dialect.ts';
import { openSqliteState } from '#state/sqlite/sqlite-state.ts';
import type { State } from '#state/state.ts';
import { Vault } from '#state/vault.ts';
import { uploadSource } from './snapshot.ts';

export const curator: SystemActor = { kind: 'system', name: 'crash' };
export const reference: PackageReference = parseReference('admin/p');
const instant = Date.UTC(2026, 0, 1);

export interface World {
  readonly state: State;
  readonly access: Access;
  readonly sources: Sources;
  readonly events: Events;
  readonly jobs: Jobs;
  readonly packages: Packages;
  close(): Promise<void>;
}

export interface WorldOptions {
  /** Stands between the domain and its state. */
  readonly wrap?: ((state: State) => State) | undefined;
  readonly clock?: Clock | undefined;
  /** Takes up what a crash left; true where left out. */
  readonly recover?: boolean | undefined;
}

export const stateFile = (folder: string): string => join(folder, 'state.sqlite');

const folders = 12;
const perFolder = 110;
const texts = 25;

async function* once(text: string): AsyncGenerator<Uint8Array, void> {
  yield Buffer.from(text);
}

/** `s/00/0000.bin` …, and a few texts. */
async function makeObjects(clock: Clock): Promise<DriverDefinition> {
  const connector = { request: () => Promise.reject(new PackageRError('endpoint_refused')), close: async () => undefined };
  const store = openMemory({ versions: false }, { source: '1', clock, connector, signer: { sign: () => 'http://127.0.0.1/signed' } });
  const pad = (number: number, width: number): string => String(number).padStart(width, '0');
  for (let at = 0; at < folders * perFolder; at++) {
    const key = `s/${pad(Math.floor(at / perFolder), 2)}/${pad(at, 4)}.bin`;
    await store.write?.(key as Key, once(key));
  }
  for (let at = 0; at < texts; at++) await store.write?.(`t/${pad(at, 2)}.md` as Key, once(`# Text ${at}\n`.repeat(50)));
  return {
    kind: 'kept',
    title: 'Objects that are always the same',
    options: Type.Object({}, { additionalProperties: false }),
    secrets: [],
    open: () => ({ ...store, list: (request) => store.list(request), close: async () => undefined }),
  };
}

/** Where uploads go: objects that outlive the process. */
export const objectsFolder = (folder: string): string => join(folder, 'objects');

const uploads = (folder: string): DriverDefinition => ({
  ...folderDriver,
  kind: 'disk',
  options: Type.Object({}, { additionalProperties: false }),
  open: (_given, context) => openFolder({ root: objectsFolder(folder), writable: true }, context),
});

export async function openWorld(folder: string, options: WorldOptions = {}): Promise<World> {
  const { wrap = (state) => state, clock = () => instant, recover = true } = options;
  await mkdir(objectsFolder(folder), { recursive: true });
  const bare = await openSqliteState(stateFile(folder));
  const state = wrap(bare);
  const makeId = randomId;
  const events = new Events({ state, clock });
  const jobs = new Jobs({ state, clock, makeId });
  const access = new Access({ state, clock, makeId, events });
  const inline = { extensions: ['.md'], maxBytes: 100_000 };
  const driver = await makeObjects(clock);
  const sources = new Sources({
    state,
    access,
    events,
    vault: await Vault.open({ state, folder }),
    drivers: [driver, uploads(folder)],
    connector: { request: () => Promise.reject(new PackageRError('endpoint_refused')), close: async () => undefined },
    signer: { sign: () => 'http://127.0.0.1/signed' },
    clock,
    inline,
  });
  const stat = () => Promise.reject(new PackageRError('unsupported'));
  const packages = new Packages({
    state,
    access,
    sources,
    jobs,
    events,
    clock,
    makeId,
    stat,
    inline,
    limits: { jobEntries: 300, freezeEntries: 300 },
  });
  if (recover) {
    await jobs.recover();
    await packages.recover();
  }
  return {
    state,
    access,
    sources,
    events,
    jobs,
    packages,
    async close() {
      await jobs.close();
      await packages.close();
      await sources.close();
      await events.close();
      await state.close();
    },
  };
}

/** Errors: that of the job, where it did not end well. */
export async function ended(world: World, job: JobView): Promise<JobView> {
  const end = await world.jobs.wait(job.id);
  if (end.state !== 'done') throw new PackageRError(end.error?.code ?? 'internal', `${end.kind} ${end.state}: ${end.error?.message}`);
  return end;
}

/** A package with a history: two versions, steps on top of them, and one that was undone. */
export async function prepare(folder: string): Promise<void> {
  const world = await openWorld(folder);
  const { packages, state } = world;
  const user = { id: 'admin', name: 'admin', password: null, admin: 1, disabled: 0, generation: 1, created_at: instant };
  const namespace = { id: 'n', name: 'admin', user_id: 'admin', upload_source: uploadSource, upload_prefix: '', created_at: instant };
  const source = { name: 'src', driver: 'kept', title: '', options: '{}', generation: 1, created_at: instant, updated_at: instant };
  await state.write(
    { query: state.db.insertInto('user').values(user) },
    { query: state.db.insertInto('namespace').values(namespace) },
    { query: state.db.insertInto('source').values({ ...source, removed_at: null }) },
    { query: state.db.insertInto('source').values({ ...source, name: 'uploads', driver: 'disk', removed_at: null }) },
  );
  const put = (name: string, text: string) => packages.put(curator, reference, parsePath(name), Buffer.from(text));
  const select = { folder: parsePath('s/00') };
  await packages.create(curator, reference);
  await ended(world, await packages.annex(curator, reference, { source: parseName('src'), select, to: parsePath('first') }));
  await put('README.md', '# First\n');
  await packages.freeze(curator, reference, { message: 'First' });
  await put('README.md', '# Second\n');
  await packages.remove(curator, reference, [parsePath('first/0007.bin')]);
  await packages.mkdir(curator, reference, parsePath('empty'));
  await ended(
    world,
    await packages.annex(curator, reference, { source: parseName('src'), select: { folder: parsePath('s/01') }, to: parsePath('second') }),
  );
  await packages.freeze(curator, reference, { message: 'Second' });
  await put('notes.md', 'Notes.\n');
  await put('undone.md', 'This was undone.\n');
  await packages.undo(curator, reference);
  await world.close();
}

/** Adds what makes the draft large. */
export async function grow(folder: string): Promise<void> {
  const world = await openWorld(folder);
  const request = { source: parseName('src'), select: { folder: parsePath('s') }, to: parsePath('big') };
  await ended(world, await world.packages.annex(curator, reference, request));
  await world.close();
}

export async function undoLast(folder: string): Promise<void> {
  const world = await openWorld(folder);
  await world.packages.undo(curator, reference);
  await world.close();
}

/** Copies what the first released schema knows of a state into a new file of that schema. */
export async function makeOld(from: string, to: string): Promise<void> {
  const database = openDatabase(stateFile(to), { readOnly: false });
  const db = new Kysely<unknown>({ dialect: sqliteDialect(database) });
  const migrations = { 'm0001-first': first('sqlite') };
  const { error } = await new Migrator({ db, provider: { getMigrations: async () => migrations } }).migrateToLatest();
  if (error !== undefined) throw error;
  const { raw } = database;
  raw.prepare('attach ? as kept').run(stateFile(from));
  const tables = raw.prepare(
    "select name from sqlite_schema where type = 'table' and name not glob 'kysely_*' and name not glob 'sqlite_*'",
  );
  const names = (tables.all() as { name: string }[]).map(({ name }) => name);
  // The package goes last: what it has frozen cannot be added to.
  for (const name of [...names.filter((one) => one !== 'package'), 'package']) {
    const columns = (raw.prepare(`pragma main.table_info("${name}")`).all() as { name: string }[])
      .map((column) => `"${column.name}"`)
      .join();
    raw.exec(`insert into main."${name}" (${columns}) select ${columns} from kept."${name}"`);
  }
  raw.exec('detach kept');
  database.close();
}
