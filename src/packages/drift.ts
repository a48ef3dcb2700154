/**
 * The sweep for drift: asks the stores whether the objects behind a step are still what was annexed. It asks so many times a second and no
 * more. What a listing tells costs one question for up to a thousand objects; only where it is silent or differs is an object asked for.
 */
import { setTimeout } from 'node:timers/promises';
import { asError, isError, PackageRError } from '#errors/error.ts';
import type { ErrorCode } from '#errors/table.ts';
import type { Clock } from '#model/clock.ts';
import type { Pointer } from '#model/entry.ts';
import { compareKeys, type Key } from '#model/key.ts';
import { type Path, root } from '#model/path.ts';
import type { SourceHandle } from '#sources/source-handle.ts';
import { entryKinds } from '#state/schema.ts';
import type { State } from '#state/state.ts';
import { EntryReader } from './entry-reader.ts';
import { toLeaf } from './entry-row.ts';
import type { ListedObject, ListObjects, ObjectFacts, StatObject } from './objects.ts';

export interface DriftWork {
  readonly state: State;
  readonly package: number;
  readonly step: number;
  readonly signal: AbortSignal;
  readonly resume: DriftCheckpoint | undefined;
  /** Questions a second. */
  readonly rate: number;
  readonly clock: Clock;
  /** Milliseconds; a timer where left out. */
  readonly wait?: (duration: number, signal: AbortSignal) => Promise<unknown>;
  open(action: 'stat' | 'download', source: string, path: Path): Promise<SourceHandle>;
  readonly stat: StatObject;
  /** Each object is asked for where left out. */
  readonly list?: ListObjects | undefined;
  placeOf(key: Key): Path;
  save(checkpoint: DriftCheckpoint): Promise<void>;
  /** Entries of the step that are behind. */
  progress(done: number): void;
}

export interface DriftCheckpoint {
  readonly after: string;
  readonly done: number;
  readonly result: DriftResult;
}

export interface DriftResult {
  readonly intact: number;
  readonly changed: number;
  readonly gone: number;
  /** Could not be asked: the source is away, or may not be read. */
  readonly unreachable: number;
  /** What was asked of stores: listings and single objects. */
  readonly questions: number;
  /** All that are not intact, in byte order of their paths: the first thousand. */
  readonly entries: readonly DriftedEntry[];
}

export interface DriftedEntry {
  readonly path: Path;
  readonly found: 'changed' | 'gone' | 'unreachable';
  /** As annexed. */
  readonly size: number;
  readonly etag?: string;
  /** Of one that changed. */
  readonly now?: { readonly size: number; readonly etag?: string };
  /** Of one that is unreachable. */
  readonly code?: ErrorCode;
}

type Found = { readonly found: 'intact' } | Pick<DriftedEntry, 'found' | 'now' | 'code'>;

const intact: Found = { found: 'intact' };
const entriesLimit = 1000;
const statsAtOnce = 8;
/** A listing that tells of fewer is dearer than asking for each. */
const worthListing = 8;

/** Looks at each object once. Errors: cancelled; those of the state. */
export async function findDrift(work: DriftWork): Promise<DriftResult> {
  const { state, package: id, step, resume, signal, save, progress } = work;
  const sweep = new Sweep(work);
  const entries = new EntryReader({ state, package: id, step, withFolders: false });
  let result = resume?.result ?? { intact: 0, changed: 0, gone: 0, unreachable: 0, questions: 0, entries: [] };
  let done = resume?.done ?? 0;
  for await (const rows of entries.batches('', resume?.after, signal)) {
    const pointers = rows.filter((row) => row.kind === entryKinds.pointer).map((row) => toLeaf(row) as Pointer);
    const found = await sweep.look(pointers);
    for (const pointer of pointers) result = count(result, pointer, found.get(pointer) ?? intact);
    result = { ...result, questions: result.questions + sweep.takeQuestions() };
    done += rows.length;
    progress(done);
    await save({ after: rows.at(-1)?.path ?? '', done, result });
  }
  return result;
}

export function isIntact(pointer: Pointer, facts: ObjectFacts): boolean {
  return facts.size === pointer.size && (pointer.etag === undefined || facts.etag === undefined || facts.etag === pointer.etag);
}

class Sweep {
  readonly #work: DriftWork;
  #next = 0;
  #questions = 0;

  constructor(work: DriftWork) {
    this.#work = work;
  }

  takeQuestions(): number {
    const taken = this.#questions;
    this.#questions = 0;
    return taken;
  }

  async look(pointers: readonly Pointer[]): Promise<Map<Pointer, Found>> {
    const found = new Map<Pointer, Found>();
    for (const some of Map.groupBy(pointers, ({ source }) => source).values()) {
      const sorted = some.toSorted((a, b) => compareKeys(a.key, b.key));
      let isListed = this.#work.list !== undefined;
      for (let at = 0; at < sorted.length; ) {
        const rest = sorted.slice(at);
        const covered = isListed && rest.length > worthListing ? await this.#list(rest, found) : 0;
        isListed &&= covered >= worthListing;
        const asked = covered > 0 ? rest.slice(0, covered).filter((one) => !found.has(one)) : rest.slice(0, statsAtOnce);
        for (let from = 0; from < asked.length; from += statsAtOnce) {
          const few = asked.slice(from, from + statsAtOnce);
          const outcomes = await Promise.all(few.map((pointer) => this.#stat(pointer)));
          for (const [index, pointer] of few.entries()) found.set(pointer, outcomes[index] ?? intact);
        }
        at += covered > 0 ? covered : asked.length;
      }
    }
    return found;
  }

  /** Finds what is intact among pointers in the order of their keys, and tells of how many the page decides. */
  async #list(pointers: readonly Pointer[], found: Map<Pointer, Found>): Promise<number> {
    const { list, open, signal } = this.#work;
    const [first, last] = [pointers[0], pointers.at(-1)];
    if (list === undefined || first === undefined || last === undefined) return 0;
    const versions = pointers.some(({ version }) => version !== undefined);
    try {
      const handle = await open('download', first.source, this.#folderOf(first.key, last.key));
      const { objects, cursor } = await this.#ask(() => list(handle, { startAfter: first.key, versions, signal }));
      const listed = new Map<string, ListedObject>(objects.map((object) => [object.key, object]));
      const end = cursor === undefined ? last.key : objects.at(-1)?.key;
      const covered = end === undefined ? 0 : pointers.filter(({ key }) => compareKeys(key, end) <= 0).length;
      for (const pointer of pointers.slice(0, covered)) {
        const facts = listed.get(pointer.key);
        const isSame = facts !== undefined && (pointer.version === undefined || facts.version === pointer.version);
        if (isSame && isIntact(pointer, facts)) found.set(pointer, intact);
      }
      return covered;
    } catch (error) {
      if (signal.aborted || !(error instanceof PackageRError)) throw error;
      return 0;
    }
  }

  /** The deepest folder that holds both keys and all between them. */
  #folderOf(first: Key, last: Key): Path {
    let same = 0;
    while (same < first.length && first[same] === last[same]) same++;
    const slash = first.lastIndexOf('/', same - 1);
    return slash <= 0 || same === 0 ? root : this.#work.placeOf(first.slice(0, slash) as Key);
  }

  async #stat(pointer: Pointer): Promise<Found> {
    const { open, stat, placeOf, signal } = this.#work;
    try {
      const handle = await open('stat', pointer.source, placeOf(pointer.key));
      const facts = await this.#ask(() => stat(handle, pointer.key, { version: pointer.version, signal }));
      if (isIntact(pointer, facts)) return intact;
      const { size, etag } = facts;
      return { found: 'changed', now: { size, ...(etag === undefined ? {} : { etag }) } };
    } catch (error) {
      if (isError(error, 'object_not_found') || isError(error, 'object_gone')) return { found: 'gone' };
      if (signal.aborted || !(error instanceof PackageRError)) throw error;
      return { found: 'unreachable', code: asError(error).code };
    }
  }

  /** Waits for its turn. */
  async #ask<T>(question: () => Promise<T>): Promise<T> {
    const { rate, clock, wait = sleep, signal } = this.#work;
    signal.throwIfAborted();
    const now = clock();
    const turn = Math.max(now, this.#next);
    this.#next = turn + 1000 / rate;
    this.#questions++;
    if (turn > now) await wait(turn - now, signal);
    return question();
  }
}

async function sleep(duration: number, signal: AbortSignal): Promise<void> {
  try {
    await setTimeout(duration, undefined, { signal });
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  }
}

function count(result: DriftResult, pointer: Pointer, found: Found): DriftResult {
  const counted = { ...result, [found.found]: result[found.found] + 1 };
  if (found.found === 'intact' || result.entries.length >= entriesLimit) return counted;
  const { path, size, etag } = pointer;
  return { ...counted, entries: [...result.entries, { path, size, ...(etag === undefined ? {} : { etag }), ...found }] };
}
