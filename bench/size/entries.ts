/**
 * Entries by the million for the benches: made from nothing but their index, the same on every machine. Names and etags are hash-like, so
 * that nothing compresses better than real names would. Also a source that lists them, and a package that holds them.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Access } from '#access/access.ts';
import type { Driver, DriverDefinition, ListPage, ListRequest, ObjectInfo } from '#drivers/driver.ts';
import { s3Driver } from '#drivers/s3/definition.ts';
import { PackageRError } from '#errors/error.ts';
import { Events } from '#events/events.ts';
import { Jobs } from '#jobs/jobs.ts';
import { createConnector } from '#layers/connector.ts';
import type { UserActor } from '#model/actor.ts';
import { randomId, systemClock } from '#model/clock.ts';
import type { Pointer } from '#model/entry.ts';
import type { Key } from '#model/key.ts';
import { parseName } from '#model/name.ts';
import { type Path, root } from '#model/path.ts';
import { Secret } from '#model/secret.ts';
import { type PackageReference, parseReference } from '#packages/package.ts';
import { Packages } from '#packages/packages.ts';
import { statObject } from '#sources/presign.ts';
import { Sources } from '#sources/sources.ts';
import { openSqliteState } from '#state/sqlite/sqlite-state.ts';
import type { State } from '#state/state.ts';
import { Vault } from '#state/vault.ts';

/** tree: folders of 1,000 each, `scenes/00000042-…/…` · flat: all in `all/`. */
export type Shape = 'tree' | 'flat';

/** Entries of one folder of a tree. */
export const folderSize = 1000;

const words = new Uint32Array(8);
const bytes = Buffer.from(words.buffer);

/** 64 hex digits without order, the same for the same index and salt. */
function hexOf(index: number, salt: number): string {
  let word = Math.imul(index ^ 0x9e3779b9, 0x85ebca6b) ^ salt;
  for (let at = 0; at < 8; at++) {
    word = Math.imul(word ^ (word >>> 16), 0x85ebca6b) + at;
    word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35) ^ index;
    words[at] = word ^ (word >>> 16);
  }
  return bytes.toString('hex');
}

const instant = Date.UTC(2020, 0, 1);
const fiveYears = 157_680_000;

/** Ascending index is ascending byte order. Paths of 66 bytes. */
function pathOf(index: number, shape: Shape, hex: string): Path {
  const number = String(index).padStart(8, '0');
  if (shape === 'flat') return `all/${number}-${hex.slice(0, 49)}.tif` as Path;
  return `${folderOf(Math.floor(index / folderSize))}/${number}-${hex.slice(0, 30)}.tif` as Path;
}

/** A folder of a tree. */
export function folderOf(number: number): Path {
  return `scenes/${String(number).padStart(6, '0')}-${hexOf(number, 7).slice(0, 8)}` as Path;
}

export function makePointer(index: number, shape: Shape): Pointer {
  const { key, size, etag, modifiedAt } = makeObject(index, shape, false);
  return { kind: 'pointer', path: key as string as Path, source: '1', key, size, etag, modifiedAt, checksums: [], inline: false };
}

/** In order. */
export async function* makePointers(count: number, shape: Shape): AsyncGenerator<Pointer, void> {
  for (let index = 0; index < count; index++) yield makePointer(index, shape);
}

type MadeObject = ObjectInfo & { readonly etag: string; readonly modifiedAt: number };

function makeObject(index: number, shape: Shape, versions: boolean): MadeObject {
  const hex = hexOf(index, 1);
  const other = hexOf(index, 2);
  const size = 1024 + (Number.parseInt(other.slice(48, 54), 16) % 4_194_304);
  const modifiedAt = instant + (Number.parseInt(other.slice(54, 61), 16) % fiveYears) * 1000;
  const common = { key: pathOf(index, shape, hex) as string as Key, size, etag: other.slice(0, 32), modifiedAt };
  return versions ? { ...common, version: hexOf(index, 3).slice(0, 32) } : common;
}

/** Lists, states and finds the entries; holds none of them, and no bytes. `versions`: every object has an object version too. */
function memorySource(count: number, shape: Shape, { versions = false }: { readonly versions?: boolean } = {}): Driver {
  /** The first index whose key does not lie before `key`. */
  const indexOf = (key: string): number => {
    let [low, high] = [0, count];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (makeObject(middle, shape, false).key < key) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return {
    kind: 's3',
    capabilities: {
      presign: 'no',
      presignMaxSeconds: 0,
      write: false,
      copy: false,
      delete: false,
      multipart: false,
      versions,
      checksums: [],
      keyCase: 'exact',
      publicUrls: false,
      cors: false,
      ordered: true,
    },
    async list(request) {
      return listFrom(firstOf(request, indexOf), count, request, (index) => makeObject(index, shape, versions), indexOf);
    },
    async stat(key) {
      const index = indexOf(key);
      const info = index < count ? makeObject(index, shape, versions) : undefined;
      if (info?.key !== key) throw new PackageRError('object_not_found', `There is no object ${JSON.stringify(key)}.`);
      return info;
    },
    async read() {
      throw new PackageRError('unsupported', 'These objects have no bytes.');
    },
    presign() {
      throw new PackageRError('unsupported', 'These objects have no bytes.');
    },
  };
}

/** The cursor is the index at which the next page begins. */
function firstOf({ cursor, startAfter, prefix }: ListRequest, indexOf: (key: string) => number): number {
  if (cursor !== undefined) return Number(cursor);
  return Math.max(indexOf(prefix), startAfter === undefined ? 0 : indexOf(`${startAfter}\0`));
}

function listFrom(
  first: number,
  count: number,
  { prefix, delimiter, limit = 1000 }: ListRequest,
  make: (index: number) => ObjectInfo,
  indexOf: (key: string) => number,
): ListPage {
  const objects: ObjectInfo[] = [];
  const prefixes: string[] = [];
  for (let index = first; index < count; ) {
    const info = make(index);
    if (!info.key.startsWith(prefix)) break;
    if (objects.length + prefixes.length === limit) return { objects, prefixes, cursor: String(index) };
    const slash = delimiter === undefined ? -1 : info.key.indexOf(delimiter, prefix.length);
    if (slash < 0) {
      objects.push(info);
      index += 1;
    } else {
      prefixes.push(info.key.slice(0, slash + 1));
      index = indexOf(`${info.key.slice(0, slash)}0`);
    }
  }
  return { objects, prefixes };
}

/**
 * A driver that lists the entries and signs as the S3 driver does, under its name and with its options: a server that is started on the
 * same data folder gives out temporary URLs for them. It reaches nothing.
 */
function sizedDriver(count: number, shape: Shape, versions: boolean): DriverDefinition {
  return {
    ...s3Driver,
    async open(options, context) {
      const signing = await s3Driver.open(options, context);
      const { parallelListings: _, ...capabilities } = signing.capabilities;
      const { list, stat, read } = memorySource(count, shape, { versions });
      return { ...signing, capabilities: { ...capabilities, versions }, list, stat, read };
    },
  };
}

export interface OpenPackageOptions {
  /** With version 1, of all entries. */
  readonly frozen?: boolean;
  /** Pointers hold object versions: the store need not be asked before a URL is given out. */
  readonly versions?: boolean;
  /** Works on a copy in this folder, which must not be there, so that what is kept stays as it is. The caller removes it. */
  readonly scratch?: string;
}

/** A data folder in use, with the domain over it. The admin `steward` owns all. */
export interface OpenedPackage {
  /** Holds `state.sqlite` and `key`: a server can be started on it when this is closed. */
  readonly folder: string;
  readonly state: State;
  readonly access: Access;
  readonly sources: Sources;
  readonly jobs: Jobs;
  readonly events: Events;
  readonly packages: Packages;
  readonly vault: Vault;
  readonly actor: UserActor;
  /** The draft. */
  readonly reference: PackageReference;
  /** Id of the package in the state. */
  readonly id: number;
  close(): Promise<void>;
}

export const packageName = 'steward/million';
const sourceName = 'archive';

/**
 * A package of `count` entries, annexed (and frozen) by the jobs that production runs. It is kept below `folder` (`.cache/bench/size`,
 * say) and found again there, under a name that changes with the schema: never change it, or ask for a `scratch` copy.
 */
export async function openPackage(
  folder: string,
  count: number,
  shape: Shape,
  { frozen = false, versions = false, scratch }: OpenPackageOptions = {},
): Promise<OpenedPackage> {
  const made = join(folder, `${shape}-${count}${frozen ? '-frozen' : ''}${versions ? '-versions' : ''}-${await schemaHash()}`);
  if (!existsSync(made)) {
    const half = `${made}.${process.pid}`;
    await mkdir(half, { recursive: true });
    const fresh = await openData(half, count, shape, versions);
    await fill(fresh, frozen);
    await fresh.close();
    await rename(half, made).catch(() => rm(half, { recursive: true }));
  }
  if (scratch === undefined) return openData(made, count, shape, versions);
  await cp(made, scratch, { recursive: true, errorOnExist: true });
  return openData(scratch, count, shape, versions);
}

/** An empty package over a source of `count` entries, in an empty folder: for annexing. */
export async function openData(folder: string, count: number, shape: Shape, versions = false): Promise<OpenedPackage> {
  const [clock, makeId] = [systemClock, randomId];
  const inline = { extensions: ['.md', '.txt'], maxBytes: 1_048_576 };
  const state = await openSqliteState(join(folder, 'state.sqlite'));
  const vault = await Vault.open({ state, folder });
  const events = new Events({ state, clock });
  const access = new Access({ state, clock, makeId, events });
  const jobs = new Jobs({ state, clock, makeId });
  const connector = createConnector();
  const signer = { sign: () => 'http://127.0.0.1/signed' };
  const drivers = [sizedDriver(count, shape, versions)];
  const sources = new Sources({ state, access, events, vault, drivers, connector, signer, clock, inline });
  const packages = new Packages({ state, access, sources, jobs, events, clock, makeId, inline, stat: statObject });
  const { actor, id } = await findOrMake({ access, sources, packages });
  return {
    ...{ folder, state, access, sources, jobs, events, packages, vault, actor, id },
    reference: parseReference(packageName),
    async close() {
      await jobs.close();
      await sources.close();
      await events.close();
      await connector.close();
      await state.close();
    },
  };
}

async function findOrMake({ access, sources, packages }: Pick<OpenedPackage, 'access' | 'sources' | 'packages'>) {
  const system = { kind: 'system', name: 'bench' } as const;
  const reference = parseReference(packageName);
  const user =
    (await access.users.list(system)).find(({ name }) => name === 'steward') ??
    (await access.users.create(system, { name: 'steward', admin: true }));
  const actor = await access.actorOf(user.id);
  if ((await sources.list(system)).length === 0)
    await sources.add(system, {
      name: parseName(sourceName),
      driver: 's3',
      options: { endpoint: 'https://objects.example.org', region: 'eu-central-1', bucket: 'archive', versions: 'on' },
      secrets: {
        AWS_ACCESS_KEY_ID: Secret.parse('AKIDEXAMPLEEXAMPLE00'),
        AWS_SECRET_ACCESS_KEY: Secret.parse('anExampleOfASecretAccessKeyOfFortySigns0'),
      },
    });
  const known = (await packages.list(system)).packages[0] ?? (await packages.create(actor, reference));
  return { actor, id: known.id };
}

async function fill(data: OpenedPackage, frozen: boolean): Promise<void> {
  await annexAll(data);
  if (frozen) await data.packages.freeze(data.actor, data.reference, { message: 'for the benches' });
}

/** The job that production runs, to its end. `to`: a folder of the package. */
export async function annexAll({ packages, jobs, actor, reference }: OpenedPackage, to: Path = root): Promise<void> {
  const { id } = await packages.annex(actor, reference, { source: parseName(sourceName), select: {}, to, onConflict: 'replace' });
  const { state, error } = await jobs.wait(id);
  if (state !== 'done') throw new Error(`The annex ended as ${state}: ${error?.message}`);
}

const made = ['../../src/state/migrations', './entries.ts'].map((one) => fileURLToPath(new URL(one, import.meta.url)));

async function schemaHash(): Promise<string> {
  const [migrations = '', own = ''] = made;
  const names = (await readdir(migrations)).filter((name) => /^m\d.*\.ts$/.test(name)).sort();
  const hash = createHash('sha256');
  for (const file of [...names.map((name) => join(migrations, name)), own]) hash.update(await readFile(file));
  return hash.digest('hex').slice(0, 12);
}
