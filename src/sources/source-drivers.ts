/**
 * The drivers of sources: opened when first needed, once for each generation of a source, and wrapped by the layers. When a source
 * changes, the next call takes a new driver, and the old one is closed after its last call. What is wrong with one source stays with it.
 *
 * Layers, from the outside: drain · log (one event a call, retries included) · breaker (a source that is down is not tried) · retry (waits
 * outside of the limit) · limit (calls at once) · timeout (of each attempt) · prefix · order (of listings) · driver.
 */
import { createHash } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { Connector } from '#drivers/connector.ts';
import type { Driver, DriverDefinition, DriverOptions, UrlSigner } from '#drivers/driver.ts';
import { asError, PackageRError } from '#errors/error.ts';
import { breaker } from '#layers/breaker.ts';
import { drain } from '#layers/drain.ts';
import { limit } from '#layers/limit.ts';
import { type DriverEvent, log } from '#layers/log.ts';
import { order } from '#layers/order.ts';
import { prefix } from '#layers/prefix.ts';
import { retry } from '#layers/retry.ts';
import { timeout } from '#layers/timeout.ts';
import type { Clock } from '#model/clock.ts';
import { findDefinition, parseSourceOptions } from '#sources/options.ts';
import type { Reach } from '#sources/presign.ts';
import type { KeptSource } from '#sources/source-rows.ts';
import type { SourceSecrets } from '#sources/source-secrets.ts';

/** Limits of calls to a store; those of the layers where left out. Milliseconds. */
interface UpstreamLimits {
  readonly concurrency?: number;
  readonly callTimeout?: number;
  readonly firstByteTimeout?: number;
  readonly idleTimeout?: number;
  readonly finishTimeout?: number;
  readonly retries?: number;
  readonly retryDeadline?: number;
  readonly failures?: number;
  readonly probeIn?: number;
}

export interface SourceDriversOptions {
  readonly drivers: readonly DriverDefinition[];
  readonly secrets: SourceSecrets;
  readonly connector: Connector;
  readonly signer: UrlSigner;
  readonly clock: Clock;
  readonly log?: ((event: DriverEvent & { readonly source: string }) => void) | undefined;
  readonly limits?: UpstreamLimits | undefined;
}

/** The opened driver of one source at one generation. */
export interface OpenDriver extends Reach {
  /** The breaker let go of it: it failed again and again. */
  readonly isDown: boolean;
}

/** Milliseconds in which requests that are under way go on with keys that were replaced. */
export const handover = 10_000;

interface OwnDriver extends OpenDriver {
  /**
   * Gives it to nobody new, refuses those who have it after `stays` milliseconds, and resolves when what is under way has ended and it is
   * closed.
   */
  retire(stays: number): Promise<void>;
  /** Begins nothing any more. */
  refuse(): void;
  /** At once: what is under way fails. */
  close(): Promise<void>;
}

interface Entry {
  generation: number;
  readonly row: KeptSource;
  readonly opened: Promise<OwnDriver>;
  /** Set once it is open. */
  driver?: OpenDriver;
}

export class SourceDrivers {
  readonly #options: SourceDriversOptions;
  readonly #entries = new Map<number, Entry>();
  /** With the ids of their sources. */
  readonly #retiring = new Map<OwnDriver, number>();
  readonly #failures = new Map<number, { readonly generation: number; readonly error: PackageRError }>();
  #isClosed = false;

  constructor(options: SourceDriversOptions) {
    this.#options = options;
  }

  /** Errors: source_broken where options or secrets do not do; key_missing; those of the driver when it opens. */
  async get(row: KeptSource): Promise<OpenDriver> {
    if (this.#isClosed) throw new PackageRError('source_unavailable', 'The sources are closed.', { operation: 'sources.open' });
    const known = this.#entries.get(row.id);
    if (known !== undefined && known.generation >= row.generation) return known.opened;
    if (known !== undefined) this.retire(row.id, row.generation, leadsTo(known.row, row) ? handover : 0);
    const entry: Entry = { generation: row.generation, row, opened: this.#open(row) };
    this.#entries.set(row.id, entry);
    try {
      entry.driver = await entry.opened;
      this.#failures.delete(row.id);
      return entry.driver;
    } catch (error) {
      if (this.#entries.get(row.id) === entry) this.#entries.delete(row.id);
      this.#failures.set(row.id, { generation: row.generation, error: asError(error) });
      throw error;
    }
  }

  /** A driver of its own, with the secrets of now, that the caller closes: what is under way is not disturbed. Errors: those of `get`. */
  async openApart(row: KeptSource): Promise<Driver> {
    const open = await this.#open(row);
    return { ...open.current(), close: () => open.close() };
  }

  /** The driver where it is open already; opens nothing. */
  find(row: KeptSource): OpenDriver | undefined {
    const entry = this.#entries.get(row.id);
    return entry?.generation === row.generation ? entry.driver : undefined;
  }

  /** For who has `reach` since it was opened for `row`: the driver of now where only secrets changed since. Errors: those of `current`. */
  follow(row: KeptSource, reach: Reach): Driver {
    const entry = reach.isReplaced ? this.#entries.get(row.id) : undefined;
    const next = entry !== undefined && leadsTo(row, entry.row) ? entry.driver : undefined;
    return (next ?? reach).current();
  }

  /** Why it could not be opened when that was tried last. */
  findFailure(row: KeptSource): PackageRError | undefined {
    const failure = this.#failures.get(row.id);
    return failure?.generation === row.generation ? failure.error : undefined;
  }

  /** Opens and closes a driver, to see whether these options do. Errors: request_invalid and others of kind invalid; the rest is no fault of them. */
  async check(definition: DriverDefinition, id: string, options: DriverOptions): Promise<void> {
    try {
      const driver = await definition.open(options, this.#contextOf(id));
      await driver.close?.();
    } catch (error) {
      if (asError(error).kind === 'invalid') throw error;
    }
  }

  /** Goes on with the open driver for a later generation: only names and titles changed. */
  keep(id: number, generation: number): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined && entry.generation === generation - 1) entry.generation = generation;
  }

  /** Closes the driver of one source; what it is doing fails. */
  async drop(id: number): Promise<void> {
    const retiring = this.#retiringOf(id);
    const open = await this.#forget(id)?.opened.catch(() => undefined);
    await Promise.all([open, ...retiring].map((one) => one?.close()));
  }

  /**
   * Whoever comes next gets a new driver; the one that is open ends what it is doing. `before`: only one of an older generation;
   * `stays`: for so many milliseconds it also begins what those ask who have it.
   */
  retire(id: number, before: number = Number.POSITIVE_INFINITY, stays = 0): void {
    const known = this.#entries.get(id);
    if (known !== undefined && known.generation >= before) return;
    if (stays === 0) for (const open of this.#retiringOf(id)) open.refuse();
    this.#forget(id)?.opened.then(
      async (open) => {
        this.#retiring.set(open, id);
        await open.retire(stays).catch(() => undefined);
        this.#retiring.delete(open);
      },
      () => undefined,
    );
  }

  retireAll(): void {
    for (const id of [...this.#entries.keys()]) this.retire(id);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...[...this.#entries.keys()].map((id) => this.drop(id)), ...[...this.#retiring.keys()].map((open) => open.close())]);
  }

  #retiringOf(id: number): OwnDriver[] {
    return [...this.#retiring].filter(([, source]) => source === id).map(([open]) => open);
  }

  #forget(id: number): Entry | undefined {
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    this.#failures.delete(id);
    return entry;
  }

  #contextOf(source: string) {
    const { clock, connector, signer } = this.#options;
    return { source, clock, connector, signer };
  }

  async #open(row: KeptSource): Promise<OwnDriver> {
    const definition = findKnown(this.#options.drivers, row);
    const options = readOptions(definition, row);
    const secrets = await this.#options.secrets.open(String(row.id), row.name, definition).catch((error: unknown) => {
      throw asError(error).kind === 'invalid' ? broken(row, error) : error;
    });
    const bare = await openBare(async () => {
      const driver = await definition.open({ options, secrets }, this.#contextOf(String(row.id)));
      return prefix(order(driver), rootOf(options['prefix']));
    }, row);
    return this.#wrap(bare, row);
  }

  #wrap(bare: Driver, { id, name, driver: kind, options }: KeptSource): OwnDriver {
    const { clock, limits = {}, log: write } = this.#options;
    let isDown = false;
    let isReplaced = false;
    let isRefusing = false;
    let isClosed = false;
    const onChange = (down: boolean): void => {
      isDown = down;
    };
    const timed = timeout(
      bare,
      defined({ call: limits.callTimeout, firstByte: limits.firstByteTimeout, idle: limits.idleTimeout, finish: limits.finishTimeout }),
    );
    const limited = limit(timed, defined({ concurrency: limits.concurrency }));
    const retried = retry(limited, { ...defined({ retries: limits.retries, deadline: limits.retryDeadline }), clock });
    const broken = breaker(retried, { ...defined({ failures: limits.failures, probeIn: limits.probeIn }), clock, onChange });
    const logged = write === undefined ? broken : log(broken, { clock, write: (event) => write({ ...event, source: String(id) }) });
    const { driver, idle } = drain(logged);
    const close = async (): Promise<void> => {
      isReplaced = true;
      isRefusing = true;
      if (isClosed) return;
      isClosed = true;
      await bare.close?.();
    };
    return {
      leadsTo: createHash('sha256')
        .update(JSON.stringify([kind, options]))
        .digest('hex')
        .slice(0, 32),
      get isDown() {
        return isDown;
      },
      get isReplaced() {
        return isReplaced;
      },
      current() {
        if (!isRefusing) return driver;
        throw new PackageRError('source_unavailable', `The source ${name} was changed or removed meanwhile.`, { retry: 'temporary' });
      },
      refuse() {
        isRefusing = true;
      },
      async retire(stays) {
        isReplaced = true;
        if (stays > 0) await setTimeout(stays, undefined, { ref: false });
        isRefusing = true;
        await idle();
        await close();
      },
      close,
    };
  }
}

/** Whoever opened a source as it was may go on with it as it is: only secrets, names and titles changed. */
function leadsTo(before: KeptSource, now: KeptSource): boolean {
  return before.driver === now.driver && before.options === now.options;
}

function findKnown(drivers: readonly DriverDefinition[], row: KeptSource): DriverDefinition {
  try {
    return findDefinition(drivers, row.driver);
  } catch (cause) {
    throw broken(row, cause);
  }
}

/** The kept options, checked again: a damaged row harms this source only. */
export function readOptions(definition: DriverDefinition, row: KeptSource): DriverOptions['options'] {
  try {
    const options: unknown = JSON.parse(row.options);
    if (typeof options !== 'object' || options === null || Array.isArray(options))
      throw new PackageRError('request_invalid', 'They are no object.');
    return parseSourceOptions(definition, options as Record<string, unknown>);
  } catch (cause) {
    throw broken(row, cause instanceof PackageRError ? cause : new PackageRError('request_invalid', 'Its options are damaged.', { cause }));
  }
}

/** The option `prefix` of any driver, with its one slash at the end. */
function rootOf(option: string | number | boolean | undefined): string {
  const plain = option === undefined ? '' : String(option).replace(/\/$/, '');
  return plain === '' ? '' : `${plain}/`;
}

async function openBare(open: () => Driver | Promise<Driver>, row: KeptSource): Promise<Driver> {
  try {
    return await open();
  } catch (error) {
    const known = asError(error, 'sources.open');
    throw known.kind === 'invalid' || known.kind === 'internal' ? broken(row, known) : known;
  }
}

function broken(row: KeptSource, cause: unknown): PackageRError {
  const known = asError(cause);
  const why = known.code === 'internal' ? '' : ` ${known.message}`;
  return new PackageRError('source_broken', `The source ${row.name} cannot be opened.${why}`, { operation: 'sources.open', cause });
}

/** Without what is undefined. */
function defined<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as { [K in keyof T]?: NonNullable<T[K]> };
}
