/**
 * What all layers have in common: a driver with each call passed through one function. Optional members are there only where the
 * wrapped driver has them; capabilities pass through; a `local` presign is arithmetic and passes untouched.
 */
import type { Driver, Multipart, ObjectBody, ReadObjectOptions } from '#drivers/driver.ts';
import type { Key } from '#model/key.ts';

export type Verb =
  | 'list'
  | 'stat'
  | 'read'
  | 'presign'
  | 'write'
  | 'copy'
  | 'delete'
  | 'cors.get'
  | 'cors.set'
  | 'inspect'
  | `multipart.${'create' | 'list' | 'write' | 'complete' | 'abort'}`;

export interface Call {
  readonly verb: Verb;
  /** The key, or the prefix of a listing; undefined where a call has none. */
  readonly key?: string;
  readonly signal: AbortSignal | undefined;
  /** The body of a write. */
  readonly body?: AsyncIterable<Uint8Array>;
}

/** What `run` may be given instead of the caller’s signal and body. */
export interface CallChange {
  readonly signal?: AbortSignal;
  readonly body?: AsyncIterable<Uint8Array>;
}

export interface Interceptor {
  /** Around every call. `run` may be called again for a verb that is idempotent. */
  call<T>(call: Call, run: (change?: CallChange) => Promise<T>): Promise<T>;
  /** Around `read`, whose body outlives the call; `call` where left out. */
  read?(call: Call, options: ReadObjectOptions, run: (options: ReadObjectOptions) => Promise<ObjectBody>): Promise<ObjectBody>;
}

export function intercept(inner: Driver, interceptor: Interceptor): Driver {
  const around = <T>(call: Call, run: (change: CallChange) => Promise<T>): Promise<T> =>
    interceptor.call(call, (change = {}) => run({ ...(call.signal === undefined ? {} : { signal: call.signal }), ...change }));
  const { write, copy, delete: remove, cors, multipart, inspect } = inner;
  return {
    kind: inner.kind,
    capabilities: inner.capabilities,
    list: (request) =>
      around({ verb: 'list', key: request.prefix, signal: request.signal }, (change) => inner.list({ ...request, ...change })),
    stat: (key, options) => around({ verb: 'stat', key, signal: options?.signal }, (change) => inner.stat(key, { ...options, ...change })),
    read: (key, options = {}) => {
      const call: Call = { verb: 'read', key, signal: options.signal };
      if (interceptor.read !== undefined) return interceptor.read(call, options, (changed) => inner.read(key, changed));
      return around(call, (change) => inner.read(key, { ...options, ...change }));
    },
    presign: (request) =>
      inner.capabilities.presign === 'remote'
        ? around({ verb: 'presign', key: request.key, signal: undefined }, async () => inner.presign(request))
        : inner.presign(request),
    ...(write && {
      write: (key, body, options) =>
        around({ verb: 'write', key, signal: options?.signal, body }, ({ body: other = body, ...change }) =>
          write.call(inner, key, other, { ...options, ...change }),
        ),
    }),
    ...(copy && {
      copy: (from, to, options) =>
        around({ verb: 'copy', key: to, signal: options?.signal }, (change) => copy.call(inner, from, to, { ...options, ...change })),
    }),
    ...(remove && {
      delete: (key, options) =>
        around({ verb: 'delete', key, signal: options?.signal }, (change) => remove.call(inner, key, { ...options, ...change })),
    }),
    ...(cors && {
      cors: {
        get: (signal) => around({ verb: 'cors.get', signal }, (change) => cors.get(change.signal)),
        set: (rules, signal) => around({ verb: 'cors.set', signal }, (change) => cors.set(rules, change.signal)),
      },
    }),
    ...(inspect && {
      inspect: (options) =>
        around({ verb: 'inspect', signal: options?.signal }, (change) => inspect.call(inner, { ...options, ...change })),
    }),
    ...(multipart && { multipart: interceptMultipart(multipart, around) }),
    ...(inner.close && { close: () => inner.close?.() ?? Promise.resolve() }),
  };
}

function interceptMultipart(inner: Multipart, around: <T>(call: Call, run: (change: CallChange) => Promise<T>) => Promise<T>): Multipart {
  const call = (verb: Verb, key: Key, signal: AbortSignal | undefined): Call => ({ verb, key, signal });
  return {
    limits: inner.limits,
    create: (key, options) =>
      around(call('multipart.create', key, options?.signal), (change) => inner.create(key, { ...options, ...change })),
    list: (key, upload, options) =>
      around(call('multipart.list', key, options?.signal), (change) => inner.list(key, upload, { ...options, ...change })),
    write: (key, upload, part, body, options) =>
      around({ ...call('multipart.write', key, options?.signal), body }, ({ body: other = body, ...change }) =>
        inner.write(key, upload, part, other, { ...options, ...change }),
      ),
    complete: (key, upload, parts, options) =>
      around(call('multipart.complete', key, options?.signal), (change) => inner.complete(key, upload, parts, { ...options, ...change })),
    abort: (key, upload, options) =>
      around(call('multipart.abort', key, options?.signal), (change) => inner.abort(key, upload, { ...options, ...change })),
  };
}

/** The body with a word at its end: `end` is called once, with the error if it broke, also when it is returned before it began. */
export function watched(
  body: AsyncIterable<Uint8Array>,
  watch: { chunk?(bytes: number): void; end(error?: unknown): void },
): AsyncIterable<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]();
  let ended = false;
  const end = (error?: unknown): void => {
    if (!ended) watch.end(error);
    ended = true;
  };
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        try {
          const next = await iterator.next();
          if (next.done === true) end();
          else watch.chunk?.(next.value.length);
          return next;
        } catch (error) {
          end(error);
          throw error;
        }
      },
      async return() {
        end();
        await iterator.return?.();
        return { done: true, value: undefined };
      },
    }),
  };
}
