/**
 * Kills processes at hundreds of points of their work and looks at what they leave behind: the state opens, no frozen version changed, what
 * was promised is there, and each operation happened or did not. A second process then goes on where the first one ended.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { cp, mkdir, readdir, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { openSqliteState } from '#state/sqlite/sqlite-state.ts';
import program from '../../rolldown.config.ts';
import type { Order, Point } from './child.ts';
import { type Base, type Duty, duties } from './duties.ts';
import { fastFolder } from './fast-folder.ts';
import { findFaults, manifestsOf, see, uploadSource } from './snapshot.ts';
import { grow, makeOld, objectsFolder, openWorld, prepare, stateFile, undoLast, type World } from './world.ts';

/** A fault that is put into the code before it runs, to prove that it would be found. */
export interface Mutation {
  /** End of the path of the module. */
  readonly module: string;
  readonly from: string;
  readonly to: string;
}

export interface CrashOptions {
  /** Times that a process is killed. */
  readonly points: number;
  readonly seed: number;
  /** Names of duties; all where left out. */
  readonly only?: readonly string[] | undefined;
  readonly mutation?: Mutation | undefined;
  /** Ends with the first fault that is found. */
  readonly untilWrong?: true;
  readonly print?: ((line: string) => void) | undefined;
}

export interface CrashResult {
  /** Processes that were killed while they worked, by duty. */
  readonly killed: Readonly<Record<string, number>>;
  readonly wrong: readonly string[];
}

const project = fileURLToPath(new URL('../..', import.meta.url));
const atOnce = 2;

/** Numbers from 0 to 1, the same for the same seed. */
export function makeRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One file for the process (`child`) and one for each of its threads: it starts in a fraction of the time. */
export async function build(folder: string, mutation?: Mutation, child = 'test/crash/child.ts'): Promise<string> {
  let isMutated = mutation === undefined;
  const { main: _main, ...threads } = program.input as Record<string, string>;
  const bundle = await rolldown({
    input: { child, ...threads },
    cwd: project,
    platform: 'node',
    logLevel: 'silent',
    plugins: [
      {
        name: 'mutation',
        transform(code, id) {
          if (mutation === undefined || !id.endsWith(mutation.module)) return null;
          isMutated = code.includes(mutation.from);
          return code.replace(mutation.from, () => mutation.to);
        },
      },
    ],
  });
  await bundle.write({ dir: folder, format: 'esm', entryFileNames: '[name].js' });
  await bundle.close();
  if (!isMutated) throw new Error(`the mutation of ${mutation?.module} found nothing to change`);
  return join(folder, 'child.js');
}

export interface Lived {
  readonly said: readonly string[];
  readonly wasKilled: boolean;
  /** Milliseconds from its beginning to its end. */
  readonly lasted: number;
  readonly errors: string;
}

/** A process that has loaded its modules, for one order. */
export class Runner<O = Order> {
  readonly #child: ChildProcess;
  readonly #said: string[] = [];
  readonly #ready: Promise<void>;
  readonly #exited: Promise<NodeJS.Signals | null>;
  #errors = '';
  #onSaid: (word: string) => void = () => undefined;

  constructor(program: string) {
    this.#child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stdin?.on('error', () => undefined);
    this.#child.stderr?.on('data', (chunk) => (this.#errors += chunk));
    this.#exited = new Promise((resolve) => this.#child.once('close', (_code, signal) => resolve(signal)));
    let isReady = (): void => undefined;
    this.#ready = new Promise((resolve) => (isReady = resolve));
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on('line', (word) => {
      this.#said.push(word);
      if (word === 'ready') isReady();
      this.#onSaid(word);
    });
  }

  /** `after`: milliseconds from the beginning to the kill, where it does not come from inside. */
  async run(order: O, after: number | undefined): Promise<Lived> {
    await Promise.race([this.#ready, this.#exited]);
    let [began, last] = [0, 0];
    this.#onSaid = (word) => {
      last = performance.now();
      if (word !== 'began') return;
      began = last;
      if (after !== undefined) setTimeout(() => this.kill(), after);
    };
    this.#child.stdin?.end(`${JSON.stringify(order)}\n`);
    const signal = await this.#exited;
    return { said: this.#said, wasKilled: signal === 'SIGKILL', lasted: last - began, errors: this.#errors };
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

interface Model {
  readonly before: string;
  readonly after: string;
  readonly manifests: ReadonlyMap<string, string>;
  /** Units that the duty writes, or statements. */
  readonly units: number;
  readonly lasts: number;
}

class Crash {
  readonly #options: CrashOptions;
  readonly #folder: string;
  readonly #program: string;
  readonly #random: () => number;
  readonly #models = new Map<string, Model>();
  readonly killed: Record<string, number> = {};
  readonly wrong: string[] = [];
  #copies = 0;

  constructor(options: CrashOptions, folder: string, program: string) {
    this.#options = options;
    this.#folder = folder;
    this.#program = program;
    this.#random = makeRandom(options.seed);
  }

  async run(): Promise<void> {
    const chosen = duties.filter(({ name }) => this.#options.only?.includes(name) ?? true);
    for (const base of ['plain', 'grown', 'undone', 'old'] as const) await mkdir(this.#base(base));
    await prepare(this.#base('plain'));
    await cp(this.#base('plain'), this.#base('grown'), { recursive: true });
    await grow(this.#base('grown'));
    await cp(this.#base('grown'), this.#base('undone'), { recursive: true });
    await undoLast(this.#base('undone'));
    await makeOld(this.#base('plain'), this.#base('old'));
    for (const duty of chosen) this.#models.set(duty.name, await this.#learn(duty));
    let next = 0;
    const left = (): boolean => Object.values(this.killed).reduce((sum, count) => sum + count, 0) < this.#options.points;
    // Some end before they can be killed; the bound keeps a fault of the test itself from running for ever.
    const work = async (): Promise<void> => {
      while (left() && !(this.#options.untilWrong === true && this.wrong.length > 0) && next < this.#options.points * 3) {
        const turn = next++;
        await this.#try(chosen[turn % chosen.length] as Duty, Math.floor(turn / chosen.length));
      }
    };
    await Promise.all(Array.from({ length: atOnce }, work));
  }

  #base(base: Base): string {
    return join(this.#folder, base);
  }

  async #copy(duty: Duty): Promise<string> {
    const folder = join(this.#folder, `run-${this.#copies++}`);
    await cp(this.#base(duty.base ?? 'plain'), folder, { recursive: true });
    return folder;
  }

  /** What the duty does when nobody disturbs it. */
  async #learn(duty: Duty): Promise<Model> {
    const folder = await this.#copy(duty);
    const base = await this.#copy(duty);
    const state = await openSqliteState(stateFile(base));
    const [before, manifests] = [await see(state), await manifestsOf(state)];
    await state.close();
    const { said, errors, lasted } = await new Runner(this.#program).run({ duty: duty.name, folder }, undefined);
    const counted = said.find((word) => word.startsWith('counted '));
    if (counted === undefined || !said.includes('ended'))
      throw new Error(`“${duty.name}” does not work undisturbed: ${said.join()} ${errors}`);
    const end = await openSqliteState(stateFile(folder));
    const after = await see(end);
    await end.close();
    await rm(folder, { recursive: true });
    await rm(base, { recursive: true });
    return { before, after, manifests, units: Number(counted.slice(8)), lasts: lasted };
  }

  /** Points in turn: at each unit before, during and after its writing, and at any moment from the beginning to the end. */
  #choose(duty: Duty, turn: number, { units, lasts }: Model): { point?: Point; after?: number } {
    const random = this.#random();
    if (turn % 4 === 0 || units === 0) return { after: random * lasts };
    const at = Math.floor(random * units);
    if (duty.name === 'migration') return { point: { at, when: 'statement' } };
    const when = (['before', 'during', 'after'] as const)[turn % 3] ?? 'before';
    return { point: { at, when, delay: this.#random() * 4 } };
  }

  async #try(duty: Duty, turn: number): Promise<void> {
    const model = this.#models.get(duty.name) as Model;
    const folder = await this.#copy(duty);
    const { point, after } = this.#choose(duty, turn, model);
    const where = `${duty.name}, ${point === undefined ? `after ${after?.toFixed(1)} ms` : `${point.when} unit ${point.at} of ${model.units}`}`;
    const lived = await new Runner(this.#program).run({ duty: duty.name, folder, point }, after);
    if (lived.wasKilled) this.killed[duty.name] = (this.killed[duty.name] ?? 0) + 1;
    const faults = await this.#inspect(duty, folder, model, lived).catch((error: Error) => [`the check failed: ${error.stack}`]);
    this.wrong.push(...faults.map((fault) => `${where}: ${fault}`));
    if (!lived.wasKilled && !lived.said.includes('ended')) this.wrong.push(`${where}: the process failed by itself: ${lived.errors}`);
    this.#options.print?.(`${where}: ${lived.said.slice(1).join(' ')}${faults.length === 0 ? '' : ` WRONG ${faults.join(' · ')}`}`);
    await rm(folder, { recursive: true });
  }

  async #inspect(duty: Duty, folder: string, model: Model, { said }: Lived): Promise<string[]> {
    const faults: string[] = [];
    const state = await openSqliteState(stateFile(folder));
    const seen = await see(state);
    faults.push(...(await findFaults(stateFile(folder), state, model.manifests)));
    await state.close();
    if (seen !== model.before && seen !== model.after && duty.isBetween?.(seen) !== true)
      faults.push(`what is seen is neither what was nor what will be: ${differ(model, seen)}`);
    if (said.includes('done') && seen !== model.after) faults.push('what was acknowledged is not there');
    if (duty.name === 'backup') faults.push(...(await this.#inspectBackups(folder, model)));
    faults.push(...(await this.#goOn(duty, folder, model, said.includes('begun'))));
    return faults;
  }

  /** A second process: jobs resume, nothing is stuck, and the operation can be done where it did not happen. */
  async #goOn(duty: Duty, folder: string, model: Model, wasBegun: boolean): Promise<string[]> {
    const faults: string[] = [];
    const world = await openWorld(folder);
    const { db } = world.state;
    const jobs = await db.selectFrom('job').selectAll().orderBy('created_at').execute();
    for (const { id } of jobs) {
      const { state, error } = await world.jobs.wait(id, AbortSignal.timeout(30_000));
      if (state !== 'done') faults.push(`the job ended as ${state}: ${error?.message}`);
    }
    const seen = await see(world.state);
    if (wasBegun && seen !== model.after) faults.push(`the job that was begun did not lead to its end: ${differ(model, seen)}`);
    if (seen !== model.before && seen !== model.after) faults.push(`what is seen after the recovery is wrong: ${differ(model, seen)}`);
    if (seen === model.before && seen !== model.after) {
      await duty.run(world, folder, () => undefined).catch((error: Error) => faults.push(`it cannot be done again: ${error.message}`));
      const again = await see(world.state);
      if (again !== model.after) faults.push(`done again it leads elsewhere: ${differ(model, again)}`);
    }
    faults.push(...(await findFaults(stateFile(folder), world.state, model.manifests)));
    const open = await db.selectFrom('package').select('id').where('open_job', 'is not', null).where('removed_at', 'is', null).execute();
    if (open.length > 0) faults.push('a step stays open');
    const beyond = db
      .selectFrom('entry')
      .innerJoin('package', 'package.id', 'entry.package')
      .select('path')
      .whereRef('from_step', '>', 'top');
    if ((await beyond.execute()).length > 0) faults.push('rows of a step that never was stay behind');
    faults.push(...(await this.#inspectUploads(folder, world)));
    await world.close();
    return faults;
  }

  /** Each object in the upload source is pointed to, and each that is pointed to is there. */
  async #inspectUploads(folder: string, { state, packages }: World): Promise<string[]> {
    await packages.pending.look();
    const found = await readdir(objectsFolder(folder), { recursive: true, withFileTypes: true });
    const names = found.filter((one) => one.isFile()).map((one) => relative(objectsFolder(folder), join(one.parentPath, one.name)));
    const there = names.filter((name) => !name.split('/').includes('.package-r'));
    const entries = await state.db.selectFrom('entry').select('key').where('source', '=', uploadSource).execute();
    const kept = new Set(entries.map(({ key }) => key));
    const left = await state.db.selectFrom('upload').select('key').execute();
    return [
      ...there.filter((key) => !kept.has(key)).map((key) => `the object ${key} belongs to nobody`),
      ...[...kept].filter((key) => !there.includes(key ?? '')).map((key) => `the object ${key} is gone`),
      ...left.map(({ key }) => `the upload ${key} never ends`),
    ];
  }

  /** Under its name a backup is whole, or it is not there. */
  async #inspectBackups(folder: string, model: Model): Promise<string[]> {
    const faults: string[] = [];
    for (const name of await readdir(join(folder, 'backups')).catch(() => [])) {
      if (!name.endsWith('.sqlite')) continue;
      const copy = join(this.#folder, `backup-${this.#copies++}.sqlite`);
      await cp(join(folder, 'backups', name), copy);
      const state = await openSqliteState(copy);
      faults.push(...(await findFaults(copy, state, model.manifests)).map((fault) => `the backup: ${fault}`));
      const seen = await see(state);
      if (seen !== model.before && seen !== model.after) faults.push('the backup holds what never was');
      await state.close();
    }
    return faults;
  }
}

function differ({ before, after }: Model, seen: string): string {
  const known = new Set([...before.split('\n'), ...after.split('\n')]);
  const strange = seen.split('\n').filter((line) => !known.has(line));
  return strange.length === 0 ? 'parts of both' : strange.join(' ').replaceAll(/\s+/g, ' ');
}

export async function crash(options: CrashOptions): Promise<CrashResult> {
  const folder = await fastFolder();
  try {
    const work = new Crash(options, folder, await build(join(folder, 'program'), options.mutation));
    await work.run();
    return { killed: work.killed, wrong: work.wrong };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
