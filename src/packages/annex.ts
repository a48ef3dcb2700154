/**
 * Annexing: the copy that copies no bytes. It walks a source, or a list of keys, and puts pointers into the open step, in batches; the
 * checkpoint is where the walk stands. Doing it again changes nothing.
 */
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { isError, PackageRError } from '#errors/error.ts';
import { type Checksum, parseChecksum } from '#model/checksum.ts';
import type { Leaf, Pointer, Text } from '#model/entry.ts';
import { type Key, parseKey } from '#model/key.ts';
import { joinPath, nameOf, type Path, parsePath, root, toPath } from '#model/path.ts';
import { readAll, type Tree, walkBatches } from '#model/tree.ts';
import type { SourceHandle } from '#sources/source-handle.ts';
import type { Write } from '#state/state.ts';
import { type ChoosePath, compileChoice, startsOf } from './annex-path.ts';
import type { AnnexItem, AnnexRequest, AnnexSelection } from './annex-request.ts';
import { batchSize, type DraftStep, type TextBytes } from './draft-step.ts';
import { outermost } from './edits.ts';
import type { ObjectFacts, StatObject } from './objects.ts';

export interface AnnexCheckpoint {
  readonly part: number;
  /** Last path that was looked at, or number of list items that are done. */
  readonly after: string;
  readonly counts: AnnexCounts;
}

/** Told in the result of the job, beside what was added, skipped and unchanged. */
export interface AnnexCounts {
  /** Objects that were looked at. */
  readonly seen: number;
  /** Objects whose key is no path: annex them by a list, with a path of your choice. */
  readonly unnamable: number;
  /** Keys of a list that are not there. */
  readonly missing: number;
  /** The first of those. */
  readonly examples: readonly string[];
  readonly texts: number;
  readonly textBytes: number;
  /** Counted before, where texts are copied. */
  readonly expectedTexts: number;
  readonly expectedTextBytes: number;
}

export interface AnnexWork {
  readonly step: DraftStep;
  readonly signal: AbortSignal;
  readonly resume: AnnexCheckpoint | undefined;
  readonly limits: { readonly textBytes: number };
  /** Opens a place of the source with the rights of the one who annexes. */
  open(action: 'list' | 'stat' | 'download', path: Path): Promise<SourceHandle>;
  readonly stat: StatObject;
  /** Where a key stands, for deciding rights. */
  placeOf(key: Key): Path;
  isInline(path: Path, size: number): boolean;
  /** Those that may be pointed to; all where left out. */
  without?(leaves: readonly Leaf[]): Promise<readonly Leaf[]>;
  progress(counts: AnnexCounts): void;
  /** What goes into the unit of each batch: how far the annex is then. Errors: that of the signal. */
  alongside(checkpoint: AnnexCheckpoint): readonly Write[];
}

const examplesLimit = 100;
const statsAtOnce = 8;
/** Items of a list that are looked up before they are put. */
const listSize = 500;
/** Bytes of copied texts that wait to be written. */
const heldBytes = 8 * 1024 * 1024;
const nothing: AnnexCounts = {
  seen: 0,
  unnamable: 0,
  missing: 0,
  examples: [],
  texts: 0,
  textBytes: 0,
  expectedTexts: 0,
  expectedTextBytes: 0,
};

export async function annex(request: AnnexRequest, work: AnnexWork): Promise<AnnexCounts> {
  const run = new Annex(request, work);
  return 'list' in request.select ? run.takeList(request.select.list) : run.takeSelection(request.select);
}

/** Errors that can be told before the job starts. */
export function checkAnnex(request: AnnexRequest): void {
  if ('list' in request.select) {
    if (request.rename !== undefined || request.strip !== undefined)
      throw new PackageRError('request_invalid', 'A list names its paths itself: “rename” and “strip” are for selections.');
  } else compileChoice(request, request.select);
}

class Annex {
  readonly #request: AnnexRequest;
  readonly #work: AnnexWork;
  #counts: AnnexCounts;

  constructor(request: AnnexRequest, work: AnnexWork) {
    this.#request = request;
    this.#work = work;
    this.#counts = work.resume?.counts ?? nothing;
  }

  async takeSelection(select: AnnexSelection): Promise<AnnexCounts> {
    const { open, resume, signal } = this.#work;
    const choose = compileChoice(this.#request, select);
    const starts = outermost(startsOf(select));
    if (this.#request.copyTexts === true && resume === undefined) await this.#countTexts(starts, choose);
    for (const [part, start] of starts.entries()) {
      if (resume !== undefined && part < resume.part) continue;
      const { tree } = await open(this.#request.copyTexts === true ? 'download' : 'list', start);
      const after = resume?.part === part && resume.after !== '' ? parsePath(resume.after) : undefined;
      const before = this.#counts.seen;
      const walk = walkBatches(tree, start, { signal, after, onUnnamable: ({ key }) => this.#note('unnamable', key) });
      for await (const leaves of gather(walk)) {
        await setImmediate();
        await this.#putFound(tree, leaves, choose, part);
      }
      if (select.paths !== undefined && after === undefined && this.#counts.seen === before && this.#counts.unnamable === 0)
        throw new PackageRError('not_found', `There is nothing at ${JSON.stringify(start)} in the source.`);
    }
    return this.#counts;
  }

  async takeList(list: readonly AnnexItem[]): Promise<AnnexCounts> {
    const { resume, signal } = this.#work;
    for (let at = Number(resume?.after ?? 0); at < list.length; at += listSize) {
      signal.throwIfAborted();
      const pointers: Pointer[] = [];
      const items = list.slice(at, at + listSize);
      for (let from = 0; from < items.length; from += statsAtOnce) {
        const found = await Promise.all(items.slice(from, from + statsAtOnce).map((item) => this.#lookUp(item)));
        pointers.push(...found.filter((one) => one !== undefined));
      }
      this.#count({ seen: items.length });
      await setImmediate();
      await this.#put(pointers, [], { part: 0, after: String(at + items.length) });
    }
    return this.#counts;
  }

  async #putFound(tree: Tree, leaves: readonly Leaf[], choose: ChoosePath, part: number): Promise<void> {
    let chosen: Leaf[] = [];
    let texts: { readonly sha256: string; readonly bytes: Buffer }[] = [];
    let held = 0;
    for (const leaf of leaves) {
      const path = leaf.kind === 'pointer' ? choose(leaf) : undefined;
      if (path === undefined || leaf.kind !== 'pointer') continue;
      if (!this.#isText(leaf)) {
        chosen.push(leaf.path === path ? leaf : { ...leaf, path });
        continue;
      }
      const { text, bytes } = await this.#copyText(tree, leaf, path);
      chosen.push(text);
      texts.push({ sha256: text.sha256, bytes });
      held += bytes.length;
      if (held < heldBytes) continue;
      await this.#put(chosen, texts, undefined);
      [chosen, texts, held] = [[], [], 0];
    }
    this.#count({ seen: leaves.length });
    await this.#put(chosen, texts, { part, after: leaves.at(-1)?.path ?? '' });
  }

  async #put(leaves: readonly Leaf[], texts: readonly TextBytes[], at: Omit<AnnexCheckpoint, 'counts'> | undefined): Promise<void> {
    const { step, alongside } = this.#work;
    const counts = this.#counts;
    const saving = at === undefined ? {} : { alongside: () => alongside({ ...at, counts }) };
    const kept = (await this.#work.without?.(leaves)) ?? leaves;
    await step.put(kept, this.#request.onConflict ?? 'refuse', { texts, ...saving });
  }

  async #copyText(tree: Tree, pointer: Pointer, path: Path): Promise<{ text: Text; bytes: Buffer }> {
    const bytes = await readAll(tree.read(pointer.path, { signal: this.#work.signal }), this.#work.limits.textBytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    this.#count({ texts: 1, textBytes: bytes.length });
    const { modifiedAt } = pointer;
    return { text: { kind: 'text', path, size: bytes.length, sha256, ...(modifiedAt === undefined ? {} : { modifiedAt }) }, bytes };
  }

  async #countTexts(starts: readonly Path[], choose: ChoosePath): Promise<void> {
    for (const start of starts) {
      const { tree } = await this.#work.open('download', start);
      for await (const leaf of tree.walk(start, { signal: this.#work.signal })) {
        if (leaf.kind !== 'pointer' || !this.#isText(leaf) || choose(leaf) === undefined) continue;
        this.#counts = {
          ...this.#counts,
          expectedTexts: this.#counts.expectedTexts + 1,
          expectedTextBytes: this.#counts.expectedTextBytes + leaf.size,
        };
      }
    }
    this.#work.progress(this.#counts);
  }

  #isText(pointer: Pointer): boolean {
    return this.#request.copyTexts === true && pointer.inline && pointer.size <= this.#work.limits.textBytes;
  }

  /** The pointer of a list item; undefined for one that has no path, or that is not there. */
  async #lookUp(item: AnnexItem): Promise<Pointer | undefined> {
    const key = parseKey(item.key);
    const own = item.to === undefined ? toPath(key) : parsePath(item.to);
    if (own === undefined || own === root) {
      this.#note('unnamable', key);
      return undefined;
    }
    const path = joinPath(this.#request.to, own);
    const stated = (item.checksums ?? []).map((one) => parseChecksum(one, 'stated'));
    const handle = await this.#work.open('stat', this.#work.placeOf(key));
    const facts = await this.#factsOf(handle, key, item);
    if (facts === undefined) {
      this.#note('missing', key);
      return undefined;
    }
    const { size, etag, version, modifiedAt, checksums = [] } = facts;
    return {
      kind: 'pointer',
      path,
      source: handle.source.id,
      key,
      size,
      ...(etag === undefined ? {} : { etag }),
      ...(version === undefined ? {} : { version }),
      ...(modifiedAt === undefined ? {} : { modifiedAt }),
      checksums: join(checksums, stated),
      inline: this.#work.isInline(toPath(nameOf(key as string as Path)) ?? path, size),
    };
  }

  async #factsOf(handle: SourceHandle, key: Key, item: AnnexItem): Promise<ObjectFacts | undefined> {
    const { size, etag, version, modifiedAt } = item;
    const given = { ...(version === undefined ? {} : { version }), ...(modifiedAt === undefined ? {} : { modifiedAt }) };
    if (size !== undefined && etag !== undefined) return { size, etag, ...given };
    try {
      const facts = await this.#work.stat(handle, key, { version, signal: this.#work.signal });
      if (size !== undefined && facts.size !== size)
        throw new PackageRError('drifted', `${JSON.stringify(key)} has ${facts.size} bytes, not the ${size} of the list.`);
      return facts;
    } catch (error) {
      if (isError(error, 'object_not_found')) return undefined;
      throw error;
    }
  }

  #note(what: 'unnamable' | 'missing', key: string): void {
    const { examples } = this.#counts;
    this.#counts = {
      ...this.#counts,
      [what]: this.#counts[what] + 1,
      examples: examples.length < examplesLimit ? [...examples, key] : examples,
    };
  }

  #count(more: { readonly seen?: number; readonly texts?: number; readonly textBytes?: number }): void {
    const { seen = 0, texts = 0, textBytes = 0 } = more;
    const before = this.#counts;
    this.#counts = { ...before, seen: before.seen + seen, texts: before.texts + texts, textBytes: before.textBytes + textBytes };
    this.#work.progress(this.#counts);
  }
}

/** Of the size that a put takes, where they come in smaller ones. */
async function* gather(batches: AsyncIterable<readonly Leaf[]>): AsyncGenerator<readonly Leaf[], void> {
  let held: readonly Leaf[] = [];
  for await (const batch of batches) {
    held = held.length === 0 ? batch : [...held, ...batch];
    for (; held.length >= batchSize; held = held.slice(batchSize)) yield held.slice(0, batchSize);
  }
  if (held.length > 0) yield held;
}

/** What the store says stays; what the list says is added where the store is silent. */
function join(stored: readonly Checksum[], stated: readonly Checksum[]): Checksum[] {
  const known = new Set(stored.map((one) => one.algorithm));
  return [...stored, ...stated.filter((one) => !known.has(one.algorithm))];
}
