/**
 * A driver that fails as stores do, by a seeded plan: the same seed gives the same faults in the same order. Everything
 * downstream is tested against it.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Driver, ListPage, ListRequest, ObjectBody } from '#drivers/driver.ts';
import { PackageRError } from '#errors/error.ts';
import type { ErrorCode } from '#errors/table.ts';

/** Each number is a chance from 0 to 1, by call (`errors`, `slow`), by page, or by body. */
export interface ChaosPlan {
  readonly seed: number;
  readonly errors?: readonly { readonly code: ErrorCode; readonly retry: 'temporary' | 'permanent'; readonly chance: number }[];
  readonly slow?: { readonly chance: number /** Milliseconds. */; readonly delay: number };
  /** The last object of a page comes again as the first of the next. */
  readonly duplicates?: number;
  /** A page is given out twice: its cursor leads to itself once. */
  readonly repeatedPages?: number;
  /** The body ends early, as if it were whole. */
  readonly truncated?: number;
  /** The body breaks in the middle with a temporary error. */
  readonly resets?: number;
  /** An etag of another object is told. */
  readonly wrongEtags?: number;
  /** A byte of the body is another one. */
  readonly corrupted?: number;
  /** The size of another object is told with a body. */
  readonly wrongSizes?: number;
  /** Two objects of a page have changed places. */
  readonly outOfOrder?: number;
  /** A page leads to where the listing has been. */
  readonly olderCursors?: number;
  /** A page without anything, that leads to itself. */
  readonly emptyPages?: number;
  /** An object is listed that is gone; one that is there is not listed. No listing can tell, so only who asks for objects finds out. */
  readonly ghosts?: number;
  readonly missing?: number;
}

export interface ChaosDriver extends Driver {
  /** How often each fault struck. */
  readonly faults: Readonly<Record<Fault, number>>;
}

const faultNames = [
  'error',
  'slow',
  'duplicate',
  'repeated',
  'truncated',
  'reset',
  'wrongEtag',
  'corrupted',
  'wrongSize',
  'order',
  'older',
  'empty',
  'ghost',
  'missing',
] as const;

export type Fault = (typeof faultNames)[number];

export function chaos(inner: Driver, plan: ChaosPlan): ChaosDriver {
  const random = seeded(plan.seed);
  const faults = Object.fromEntries(faultNames.map((name) => [name, 0])) as Record<Fault, number>;
  const strikes = (chance: number | undefined, fault: Fault): boolean => {
    const hit = chance !== undefined && chance > 0 && random() < chance;
    if (hit) faults[fault]++;
    return hit;
  };
  const trouble = async (operation: string, signal?: AbortSignal): Promise<void> => {
    if (plan.slow !== undefined && strikes(plan.slow.chance, 'slow')) await wait(plan.slow.delay, undefined, signal && { signal });
    for (const { code, retry, chance } of plan.errors ?? []) {
      if (strikes(chance, 'error')) throw new PackageRError(code, undefined, { operation, retry });
    }
  };
  const repeated = new Set<string>();
  /** What comes again on the page of a cursor. */
  const held = new Map<string, ListPage['objects']>();

  const listed = (page: ListPage, { cursor, limit = 1000 }: ListRequest): ListPage => {
    const objects = [...(held.get(cursor ?? '') ?? []), ...page.objects];
    if (page.cursor !== undefined && limit > 1 && strikes(plan.duplicates, 'duplicate')) held.set(page.cursor, page.objects.slice(-1));
    if (cursor !== undefined && page.cursor !== undefined && !repeated.has(cursor) && strikes(plan.repeatedPages, 'repeated')) {
      repeated.add(cursor);
      return { ...page, objects, cursor };
    }
    return { ...page, objects };
  };
  /** Cursors given out, by listing. */
  const given = new Map<string, string[]>();
  const misled = (page: ListPage, { prefix, delimiter }: ListRequest): ListPage => {
    let objects = [...page.objects];
    if (objects.length > 1 && strikes(plan.outOfOrder, 'order'))
      objects = [...objects.slice(1, 2), ...objects.slice(0, 1), ...objects.slice(2)];
    if (objects.length > 2 && strikes(plan.missing, 'missing')) objects.splice(1, 1);
    const [first] = objects;
    if (first !== undefined && strikes(plan.ghosts, 'ghost'))
      objects.splice(1, 0, { ...first, key: `${first.key}~gone` as typeof first.key });
    if (page.cursor === undefined) return { ...page, objects };
    const before = given.get(`${delimiter} ${prefix}`) ?? [];
    given.set(`${delimiter} ${prefix}`, [...before, page.cursor]);
    const older = before.length > 0 && strikes(plan.olderCursors, 'older') ? before[Math.floor(random() * before.length)] : undefined;
    return { ...page, objects, cursor: older ?? page.cursor };
  };
  const readBody = ({ info, body }: ObjectBody): ObjectBody => {
    const known = strikes(plan.wrongEtags, 'wrongEtag') ? { ...info, etag: `wrong-${faults.wrongEtag}` } : info;
    const told = strikes(plan.wrongSizes, 'wrongSize') ? { ...known, size: known.size + (random() < 0.5 ? -1 : 1) } : known;
    const isTruncated = strikes(plan.truncated, 'truncated');
    const isReset = !isTruncated && strikes(plan.resets, 'reset');
    const whole = strikes(plan.corrupted, 'corrupted') ? corrupted(body) : body;
    return { info: told, body: isTruncated || isReset ? broken(whole, isReset) : whole };
  };
  return {
    ...inner,
    faults,
    async list(request) {
      await trouble('chaos.list', request.signal);
      const { cursor } = request;
      if (cursor !== undefined && strikes(plan.emptyPages, 'empty')) return { objects: [], prefixes: [], cursor };
      const limit = (request.limit ?? 1000) - (held.get(cursor ?? '')?.length ?? 0);
      return misled(listed(await inner.list({ ...request, limit }), request), request);
    },
    async stat(key, options) {
      await trouble('chaos.stat', options?.signal);
      return inner.stat(key, options);
    },
    async read(key, options) {
      await trouble('chaos.read', options?.signal);
      return readBody(await inner.read(key, options));
    },
    ...(inner.capabilities.presign === 'remote'
      ? {
          presign: async (request) => {
            await trouble('chaos.presign');
            return inner.presign(request);
          },
        }
      : {}),
    ...(inner.write === undefined
      ? {}
      : {
          write: async (key, body, options) => {
            await trouble('chaos.write', options?.signal);
            return (inner.write as NonNullable<Driver['write']>)(key, body, options);
          },
        }),
  };
}

/** The first byte of each chunk with a bit turned. */
async function* corrupted(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    const other = Uint8Array.from(chunk);
    if (other[0] !== undefined) other[0] ^= 1;
    yield other;
  }
}

/** Half of the first chunk, then the end or a reset. */
async function* broken(body: AsyncIterable<Uint8Array>, isReset: boolean): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    yield chunk.subarray(0, Math.floor(chunk.length / 2));
    break;
  }
  if (isReset) throw new PackageRError('source_unavailable', 'The connection broke.', { operation: 'chaos.read', retry: 'temporary' });
}

/** mulberry32: small, fast, the same everywhere. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
