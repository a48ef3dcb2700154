/**
 * Files that a package does not keep itself, since they are binary or long: they go to the upload source of its namespace, under a name
 * that is never used twice, and are annexed from there. Nothing here knows of drafts; the caller takes back what it cannot annex.
 */
import { createHash } from 'node:crypto';
import { isError, PackageRError } from '#errors/error.ts';
import type { Actor } from '#model/actor.ts';
import type { MakeId } from '#model/clock.ts';
import type { Pointer } from '#model/entry.ts';
import { encodeKey, type Key, keyLimits, parseKey } from '#model/key.ts';
import { joinPath, nameOf, type Path, parsePath } from '#model/path.ts';
import { type UploadedObject, uploadObject } from '#sources/objects.ts';
import type { SourceHandle } from '#sources/source-handle.ts';
import { type InlinePolicy, isInline } from '#sources/source-tree.ts';
import type { Sources } from '#sources/sources.ts';
import type { State, Write } from '#state/state.ts';
import { writeActorId } from './curator.ts';
import type { PendingUpload, PendingUploads } from './pending-uploads.ts';

export interface UploadLimits {
  /** Bytes of one file. */
  readonly bytes: number;
  /** Uploads of one user at once. */
  readonly perUser: number;
}

export interface UploadsOptions {
  readonly state: State;
  readonly sources: Sources;
  readonly makeId: MakeId;
  readonly inline: InlinePolicy;
  readonly limits: UploadLimits;
  readonly pending: PendingUploads;
}

/** Where uploads of a namespace go. */
export interface UploadTarget {
  /** Id of the source. */
  readonly source: string;
  /** Folder of the package in it. */
  readonly folder: Path;
}

export interface UploadRequest {
  readonly target: UploadTarget;
  /** Id of the package. */
  readonly package: number;
  /** Path in the package. */
  readonly path: Path;
  readonly body: AsyncIterable<Uint8Array>;
  /** Bytes, where they are known. */
  readonly size?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Upload {
  readonly pointer: Pointer;
  /** Goes into the unit of the step that points to it. */
  readonly kept: Write;
  /** Takes the object back. Never fails. */
  discard(): Promise<void>;
  /** The step is done. */
  release(): void;
}

/** The prefix of a source takes a part of a key too. */
const keyBytes = keyLimits.bytes - 256;

export class Uploads {
  readonly #options: UploadsOptions;
  readonly #unfinished = new Map<string, number>();

  constructor(options: UploadsOptions) {
    this.#options = options;
  }

  /** Undefined where the namespace has no upload source. */
  async findTarget(namespaceId: string, packageName: string): Promise<UploadTarget | undefined> {
    const row = await this.#options.state.db
      .selectFrom('namespace')
      .select(['upload_source', 'upload_prefix'])
      .where('id', '=', namespaceId)
      .executeTakeFirst();
    if (row === undefined || row.upload_source === null) return undefined;
    return { source: String(row.upload_source), folder: joinPath(row.upload_prefix as Path, packageName as Path) };
  }

  /**
   * Writes the object, in constant memory. Its checksum is that of the bytes as they came by.
   * Errors: too_large; rate_limited where too many uploads of the actor are under way; forbidden without the right to create in the upload
   * source; upload_source_invalid where that is gone or takes no objects; those of `body`, and of Driver.write. A failed one leaves nothing.
   */
  async write(actor: Actor, request: UploadRequest): Promise<Upload> {
    const { limits } = this.#options;
    if (request.size !== undefined && request.size > limits.bytes) throw tooLarge(limits.bytes);
    const free = this.#take(writeActorId(actor));
    try {
      return await this.#write(actor, request);
    } finally {
      free();
    }
  }

  async #write(actor: Actor, request: UploadRequest): Promise<Upload> {
    const { sources, makeId, pending } = this.#options;
    const { target, path } = request;
    const id = makeId();
    const key = keyFor(target.folder, id, path);
    const handle = await sources.openById(actor, 'create', target.source, parsePath(key)).catch((error: unknown) => {
      throw explain(error);
    });
    const upload = await pending.begin(id, { package: request.package, source: Number(target.source), key });
    try {
      const { info, sha256 } = await this.#send(handle, key, request, upload);
      return { pointer: this.#pointerTo(info, { source: target.source, path, sha256 }), ...upload };
    } catch (error) {
      await upload.discard();
      throw explain(error);
    }
  }

  async #send(handle: SourceHandle, key: Key, { body, size, signal }: UploadRequest, { onUpload }: PendingUpload) {
    const passing = new Passing(this.#options.limits.bytes);
    const info = await uploadObject(handle, key, passing.through(body), { size, signal, onUpload });
    if (info.size === passing.bytes) return { info, sha256: passing.sha256() };
    const message = 'The store kept another number of bytes than it was sent.';
    throw new PackageRError('store_response', message, { operation: 'packages.upload' });
  }

  #pointerTo(info: UploadedObject, facts: { readonly source: string; readonly path: Path; readonly sha256: string }): Pointer {
    const { key, size, etag, version, modifiedAt, checksums = [] } = info;
    const { source, path, sha256 } = facts;
    const stored = checksums.filter((one) => one.algorithm !== 'sha256');
    return {
      kind: 'pointer',
      path,
      source,
      key,
      size,
      ...(etag === undefined ? {} : { etag }),
      ...(version === undefined ? {} : { version }),
      ...(modifiedAt === undefined ? {} : { modifiedAt }),
      checksums: [{ algorithm: 'sha256', value: sha256, evidence: 'verified' }, ...stored],
      inline: isInline(path, size, this.#options.inline),
    };
  }

  #take(who: string): () => void {
    const { perUser } = this.#options.limits;
    const used = this.#unfinished.get(who) ?? 0;
    if (used >= perUser) {
      const message = `${perUser} uploads of yours are under way: wait until one has ended.`;
      throw new PackageRError('rate_limited', message, { operation: 'packages.upload', retry: 'temporary', retryAfter: 30 });
    }
    this.#unfinished.set(who, used + 1);
    return () => {
      const left = (this.#unfinished.get(who) ?? 1) - 1;
      if (left > 0) this.#unfinished.set(who, left);
      else this.#unfinished.delete(who);
    };
  }
}

/** Counts and hashes what goes through. */
class Passing {
  bytes = 0;
  readonly #most: number;
  readonly #hash = createHash('sha256');

  constructor(most: number) {
    this.#most = most;
  }

  async *through(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
    for await (const chunk of body) {
      this.bytes += chunk.length;
      if (this.bytes > this.#most) throw tooLarge(this.#most);
      this.#hash.update(chunk);
      yield chunk;
    }
  }

  sha256(): string {
    return this.#hash.digest('hex');
  }
}

/** `<folder>/<id>/<path>`; of a path that is too long for a key only its name, or nothing. */
function keyFor(folder: Path, id: string, path: Path): Key {
  const own = joinPath(folder, id as Path);
  const candidates = [joinPath(own, path), joinPath(own, nameOf(path) as Path), joinPath(own, 'object' as Path)];
  const fitting = candidates.find((one) => encodeKey(one as string as Key).length <= keyBytes);
  return parseKey(fitting ?? (candidates.at(-1) as string));
}

function explain(error: unknown): unknown {
  if (isError(error, 'forbidden'))
    return new PackageRError(
      'forbidden',
      'You may not create objects where uploads of this namespace go: ask for “create” on its upload source.',
      {
        cause: error,
      },
    );
  if (!isError(error, 'not_found') && !isError(error, 'unsupported')) return error;
  const message = 'The upload source of this namespace is gone, hidden from you or read-only: its owner names another (namespaces set).';
  return new PackageRError('upload_source_invalid', message, { cause: error });
}

function tooLarge(most: number): PackageRError {
  return new PackageRError('too_large', `A file that is uploaded has at most ${most} bytes (limits.uploads.bytes).`, {
    operation: 'packages.upload',
  });
}

/** The bytes of a body up to `most`, and what comes behind them; nothing does where `rest` is undefined. */
export async function readHead(
  body: AsyncIterable<Uint8Array>,
  most: number,
): Promise<{ readonly head: Buffer; readonly rest?: AsyncIterable<Uint8Array> }> {
  const iterator = body[Symbol.asyncIterator]();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
    chunks.push(next.value);
    size += next.value.length;
    if (size > most) return { head: Buffer.concat(chunks), rest: restOf(iterator) };
  }
  return { head: Buffer.concat(chunks) };
}

async function* restOf(iterator: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  try {
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
  } finally {
    await iterator.return?.();
  }
}

export async function* joined(head: Uint8Array, rest: AsyncIterable<Uint8Array> | undefined): AsyncGenerator<Uint8Array, void> {
  if (head.length > 0) yield head;
  if (rest !== undefined) yield* rest;
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** UTF-8 without a NUL. */
export function isTextual(bytes: Uint8Array): boolean {
  if (bytes.includes(0)) return false;
  try {
    decoder.decode(bytes);
    return true;
  } catch {
    return false;
  }
}
