/**
 * Kills processes that restore or copy a whole state, and looks at what they leave: the target is not there, or whole; the source is as it
 * was; what was replaced is kept; and the same command run again comes to its end.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '#config/config.ts';
import { isError } from '#errors/error.ts';
import { parsePath } from '#model/path.ts';
import type { RowSource } from '#state/copy.ts';
import { lockData } from '#state/lock.ts';
import { openPostgresSource } from '#state/postgres/postgres-rows.ts';
import { openSqliteSource } from '#state/sqlite/sqlite-rows.ts';
import { openSqliteState } from '#state/sqlite/sqlite-state.ts';
import { makeSchema, type PostgresServer, type TemporarySchema } from '#testing/postgres.ts';
import { copyState } from '../../src/copy-state.ts';
import { finishRestore, restore } from '../../src/restore.ts';
import { build, type Lived, makeRandom, Runner } from './crash.ts';
import { fastFolder } from './fast-folder.ts';
import { findFaults, see } from './snapshot.ts';
import type { WholeOrder } from './whole-child.ts';
import { curator, grow, makeOld, openWorld, prepare, reference, stateFile } from './world.ts';

export interface WholeOptions {
  /** Times that a process is killed. */
  readonly points: number;
  readonly seed: number;
  /** Without one, nothing is copied to PostgreSQL or from it. */
  readonly postgres?: PostgresServer | undefined;
  readonly print?: ((line: string) => void) | undefined;
}

export interface WholeResult {
  readonly killed: Readonly<Record<string, number>>;
  readonly wrong: readonly string[];
}

/** One folder in which something is tried: what is done there, and what is wrong afterwards. */
interface Trial {
  readonly order: WholeOrder;
  inspect(lived: Lived, turn: number): Promise<string[]>;
  remove?(): Promise<void>;
}

/** Makes a trial in an empty folder. */
type Kind = (folder: string) => Promise<Trial>;

interface Scene {
  readonly folder: string;
  readonly postgres: PostgresServer | undefined;
  /** What is seen of the live state, and of the one in the backups. */
  readonly before: string;
  readonly after: string;
  /** Of the rows of the live state. */
  readonly rows: string | undefined;
}

const signal: AbortSignal = new AbortController().signal;
const present = 'present.sqlite';
const old = 'old.sqlite';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** `live`: a data folder as a killed server leaves it, with a log, and two backups in it. */
async function makeScene(folder: string, postgres: PostgresServer | undefined): Promise<Scene> {
  const at = (name: string): string => join(folder, name);
  for (const name of ['plain', 'old', 'grown', 'live']) await mkdir(at(name));
  await prepare(at('plain'));
  await makeOld(at('plain'), at('old'));
  await cp(at('plain'), at('grown'), { recursive: true });
  await grow(at('grown'));
  const world = await openWorld(at('grown'));
  await world.packages.put(curator, reference, parsePath('late.md'), Buffer.from('In the log only.\n'));
  const before = await see(world.state);
  await cp(at('grown'), at('live'), { recursive: true });
  await world.close();
  await mkdir(at('live/backups'));
  const plain = await openSqliteState(stateFile(at('plain')));
  const after = await see(plain);
  await plain.backup(join(at('live/backups'), present));
  await plain.close();
  await cp(stateFile(at('old')), join(at('live/backups'), old));
  await cp(at('live'), at('closed'), { recursive: true });
  await (await openSqliteState(stateFile(at('closed')))).close();
  return { folder, postgres, before, after, rows: await rowsOf(openSqliteSource(stateFile(at('closed')))) };
}

/** The same for the same rows, whichever engine holds them; undefined where there is none. */
async function rowsOf(source: RowSource): Promise<string | undefined> {
  const hash = createHash('sha256');
  let count = 0;
  try {
    for (const table of source.tables) {
      hash.update(`${table.name}\n`);
      for await (const rows of source.read(table)) {
        count += rows.length;
        for (const row of rows) hash.update(`${JSON.stringify(row.map((value) => (value instanceof Uint8Array ? [...value] : value)))}\n`);
      }
    }
  } finally {
    await source.close();
  }
  return count === 0 ? undefined : hash.digest('hex');
}

async function seeFolder(data: string): Promise<string> {
  const state = await openSqliteState(stateFile(data));
  try {
    return await see(state);
  } finally {
    await state.close();
  }
}

/** What a start does before it opens the state. */
async function begin(data: string): Promise<void> {
  const lock = lockData(data);
  await finishRestore(data);
  lock.release();
}

const restoring =
  (scene: Scene, name: string, hasNoLinks = false): Kind =>
  async (folder) => {
    const data = join(folder, 'data');
    await cp(join(scene.folder, 'live'), data, { recursive: true });
    const backup = await readFile(join(data, 'backups', name));
    const env = { HOME: folder, PACKAGE_R_DATA_DIR: data };
    // `objects`: of the source that takes uploads.
    const allowed = new Set(['state.sqlite', 'backups', 'replaced', 'lock', 'key', 'objects']);

    async function check(expected: readonly string[]): Promise<string[]> {
      const faults: string[] = [];
      const state = await openSqliteState(stateFile(data));
      const seen = await see(state);
      if (!expected.includes(seen)) faults.push('what is seen is neither the state that was there nor the backup');
      faults.push(...(await findFaults(stateFile(data), state, new Map())));
      await state.close();
      return faults;
    }

    /** The state that was there before is in one of the folders that keep what was replaced. */
    async function findKept(): Promise<string[]> {
      const faults: string[] = [];
      const seen: string[] = [];
      for (const aside of await readdir(join(data, 'replaced')).catch(() => [])) {
        const copy = join(folder, `aside-${aside}`);
        await cp(join(data, 'replaced', aside), copy, { recursive: true });
        const half = (await readdir(copy)).filter((file) => file.endsWith('.partial'));
        if (half.length > 0) faults.push(`${half.join()} is kept half`);
        seen.push(await seeFolder(copy));
      }
      if (!seen.includes(scene.before)) faults.push('the state that was replaced is not kept');
      return faults;
    }

    return {
      order: { env, work: { restore: name }, hasNoLinks },
      async inspect({ said }, turn) {
        const faults: string[] = [];
        if (turn % 2 === 0) {
          await begin(data);
          faults.push(...(await check(said.includes('done') ? [scene.after] : [scene.before, scene.after])));
        }
        await restore(loadConfig({ env, cwd: folder }), { file: name, name, signal, onLine: () => undefined });
        faults.push(...(await check([scene.after])), ...(await findKept()));
        const left = (await readdir(data)).filter((file) => !allowed.has(file));
        if (left.length > 0) faults.push(`${left.join()} stay behind`);
        if (sha256(await readFile(join(data, 'backups', name))) !== sha256(backup)) faults.push('the backup was changed');
        return faults;
      },
    };
  };

/** One side of a copy. */
interface Side {
  /** As the command line names it. */
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
  rows(): Promise<string | undefined>;
}

const ownFile = (data: string): Side => ({
  name: 'sqlite',
  env: {},
  rows: async () => (existsSync(stateFile(data)) ? rowsOf(openSqliteSource(stateFile(data))) : undefined),
});

const otherFile = (path: string): Side => ({
  name: path,
  env: {},
  rows: async () => (existsSync(path) ? rowsOf(openSqliteSource(path)) : undefined),
});

const database = (schema: TemporarySchema): Side => ({
  name: 'postgres',
  env: { PACKAGE_R_STATE: schema.url.reveal() },
  rows: async () => {
    const source = await openPostgresSource(schema.url, { isAlone: false }).catch(() => undefined);
    return source && rowsOf(source);
  },
});

/** A killed process may hold the lock of the database for the moment that the database needs to notice. */
async function copyAgain(env: Readonly<Record<string, string>>, folder: string, from: string, to: string): Promise<string> {
  for (let tries = 0; ; tries++) {
    try {
      const copied = await copyState(loadConfig({ env, cwd: folder }), { from, to, cwd: folder, signal, onProgress: () => undefined });
      return `copied ${copied.versions}`;
    } catch (error) {
      if (!isError(error)) throw error;
      if (error.code !== 'data_locked' || tries === 200) return `${error.code}: ${error.message}`;
      await sleep(50);
    }
  }
}

async function copying(scene: Scene, folder: string, from: Side, to: Side): Promise<Trial> {
  const data = join(folder, 'data');
  const env = { HOME: folder, PACKAGE_R_DATA_DIR: data, ...from.env, ...to.env };
  return {
    order: { env, work: { from: from.name, to: to.name } },
    async inspect({ said }) {
      const faults: string[] = [];
      const found = await to.rows();
      if (found !== undefined && found !== scene.rows) faults.push('half a copy is there');
      if (said.includes('done') && found === undefined) faults.push('what was told to be copied is not there');
      const again = await copyAgain(env, folder, from.name, to.name);
      const expected = found === undefined ? /^copied 2$/ : /^exists: .*(move it away|Empty it), or name another place\.$/;
      if (!expected.test(again)) faults.push(`again: ${again}`);
      if ((await to.rows()) !== scene.rows) faults.push('the second copy differs');
      if ((await from.rows()) !== scene.rows) faults.push('the source was changed');
      const left = [...(await readdir(folder)), ...(await readdir(data))].filter((file) => file.includes('copying'));
      if (left.length > 0) faults.push(`${left.join()} stay behind`);
      return faults;
    },
  };
}

function kindsOf(scene: Scene, source: TemporarySchema | undefined): Readonly<Record<string, Kind>> {
  const { postgres } = scene;
  const data = async (folder: string, from = 'live'): Promise<string> => {
    await cp(join(scene.folder, from), join(folder, 'data'), { recursive: true });
    return join(folder, 'data');
  };
  return {
    restore: restoring(scene, present),
    'restore of an old schema': restoring(scene, old),
    'restore without links': restoring(scene, present, true),
    'copy to a file': async (folder) => copying(scene, folder, ownFile(await data(folder)), otherFile(join(folder, 'copy.sqlite'))),
    ...(postgres === undefined || source === undefined
      ? {}
      : {
          'copy to PostgreSQL': async (folder) => {
            const schema = await makeSchema(postgres.url);
            return { ...(await copying(scene, folder, ownFile(await data(folder)), database(schema))), remove: schema.remove };
          },
          'copy from PostgreSQL': async (folder) => {
            await mkdir(join(folder, 'data'));
            return copying(scene, folder, database(source), ownFile(join(folder, 'data')));
          },
        }),
  };
}

export async function crashWhole({ points, seed, postgres, print }: WholeOptions): Promise<WholeResult> {
  const folder = await fastFolder();
  const random = makeRandom(seed);
  const killed: Record<string, number> = {};
  const wrong: string[] = [];
  const source = postgres && (await makeSchema(postgres.url));
  try {
    const program = await build(join(folder, 'program'), undefined, 'test/crash/whole-child.ts');
    const scene = await makeScene(folder, postgres);
    if (source !== undefined) {
      const env = { HOME: folder, PACKAGE_R_DATA_DIR: join(folder, 'closed'), PACKAGE_R_STATE: source.url.reveal() };
      await copyAgain(env, folder, 'sqlite', 'postgres');
    }
    const kinds = Object.entries(kindsOf(scene, source));
    const models = new Map<string, { readonly points: number; readonly lasts: number }>();
    let made = 0;
    const attempt = async (name: string, kind: Kind, turn: number | undefined): Promise<void> => {
      const own = join(folder, `try-${made++}`);
      await mkdir(own);
      const trial = await kind(own);
      const model = models.get(name);
      const isTimed = turn !== undefined && turn % 4 === 3;
      const at = turn === undefined || isTimed ? undefined : Math.floor(random() * (model?.points ?? 1));
      const after = isTimed ? random() * (model?.lasts ?? 1) : undefined;
      const lived = await new Runner<WholeOrder>(program).run({ ...trial.order, at }, after);
      const counted = lived.said.find((word) => word.startsWith('counted '));
      if (turn === undefined) models.set(name, { points: Number(counted?.slice(8)), lasts: lived.lasted });
      else if (lived.wasKilled) killed[name] = (killed[name] ?? 0) + 1;
      const faults = await trial.inspect(lived, turn ?? 0).catch((error: Error) => [`the check failed: ${error.stack}`]);
      if (!lived.wasKilled && counted === undefined) faults.push(`the process failed by itself: ${lived.errors}`);
      const where = `${name}, ${turn === undefined ? 'undisturbed' : isTimed ? `after ${after?.toFixed(1)} ms` : `point ${at} of ${model?.points}`}`;
      wrong.push(...faults.map((fault) => `${where}: ${fault}`));
      print?.(`${where}: ${lived.said.slice(1).join(' ')}${faults.length === 0 ? '' : ` WRONG ${faults.join(' · ')}`}`);
      await trial.remove?.();
      await rm(own, { recursive: true });
    };
    for (const [name, kind] of kinds) await attempt(name, kind, undefined);
    let next = 0;
    const work = async (): Promise<void> => {
      for (let turn = next++; turn < points; turn = next++) {
        const [name, kind] = kinds[turn % kinds.length] as [string, Kind];
        await attempt(name, kind, Math.floor(turn / kinds.length));
      }
    };
    await Promise.all([work(), work()]);
    return { killed, wrong };
  } finally {
    await source?.remove();
    await rm(folder, { recursive: true, force: true });
  }
}
