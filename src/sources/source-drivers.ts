/**
 * The drivers of sources: opened when first needed, once for each generation of a source, wrapped by the layers, and closed when the
 * source changes or goes. What is wrong with one source stays with it.
 *
 * Layers, from the outside: log (one event a call, retries included) · breaker (a source that is down is not tried) · retry (waits
 * outside of the limit) · limit (calls at once) · timeout (of each attempt) · prefix · driver.
 */
import type { Connector } from '#drivers/connector.ts';
import type { Driver, DriverDefinition, DriverOptions, UrlSigner } from '#drivers/driver.ts';
import { asError, PackageRError } from '#errors/error.ts';
import { breaker } from '#layers/breaker.ts';
import { limit } from '#layers/limit.ts';
import { type DriverEvent, log } from '#layers/log.ts';
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

interface Entry {
  generation: number;
  readonly opened: Promise<OpenDriver & { close(): Promise<void> }>;
  /** Set once it is open. */
  driver?: OpenDriver;
}

export class SourceDrivers {
  readonly #options: SourceDriversOptions;
  readonly #entries = new Map<number, Entry>();
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
    if (known !== undefined) void this.drop(row.id);
    const entry: Entry = { generation: row.generation, opened: this.#open(row) };
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
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    this.#failures.delete(id);
    const open = await entry?.opened.catch(() => undefined);
    await open?.close();
  }

  async dropAll(): Promise<void> {
    await Promise.all([...this.#entries.keys()].map((id) => this.drop(id)));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.dropAll();
  }

  #contextOf(source: string) {
    const { clock, connector, signer } = this.#options;
    return { source, clock, connector, signer };
  }

  async #open(row: KeptSource): Promise<OpenDriver & { close(): Promise<void> }> {
    const definition = findKnown(this.#options.drivers, row);
    const options = readOptions(definition, row);
    const secrets = await this.#options.secrets.open(String(row.id), row.name, definition).catch((error: unknown) => {
      throw asError(error).kind === 'invalid' ? broken(row, error) : error;
    });
    const bare = await openBare(async () => {
      const driver = await definition.open({ options, secrets }, this.#contextOf(String(row.id)));
      return prefix(driver, rootOf(options['prefix']));
    }, row);
    return this.#wrap(bare, row);
  }

  #wrap(bare: Driver, { id, name }: KeptSource): OpenDriver & { close(): Promise<void> } {
    const { clock, limits = {}, log: write } = this.#options;
    let isDown = false;
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
    const driver = write === undefined ? broken : log(broken, { clock, write: (event) => write({ ...event, source: String(id) }) });
    return {
      get isDown() {
        return isDown;
      },
      current() {
        if (!isClosed) return driver;
        throw new PackageRError('source_unavailable', `The source ${name} was changed or removed meanwhile.`, { retry: 'temporary' });
      },
      async close() {
        if (isClosed) return;
        isClosed = true;
        await bare.close?.();
      },
    };
  }
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
