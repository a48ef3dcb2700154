/**
 * Events: what happened, who did it, from where. Append-only. They are buffered and written together, so that recording costs a caller
 * nothing; what is recorded is made harmless first (no control characters, no tokens, no queries of URLs).
 */
import { hash } from 'node:crypto';
import { PackageRError } from '#errors/error.ts';
import type { ErrorCode } from '#errors/table.ts';
import { cleanDetails, cleanText } from '#events/clean.ts';
import type { Actor } from '#model/actor.ts';
import type { Clock } from '#model/clock.ts';
import { insertRows } from '#state/insert.ts';
import type { EventRow } from '#state/schema.ts';
import type { SqlValue, State } from '#state/state.ts';

export type EventDetails = Readonly<Record<string, string | number | boolean>>;

export interface EventInput {
  readonly actor: Actor;
  /** `noun.verb`: user.login, share.open, package.freeze. */
  readonly action: string;
  /** `package:12@3`, `source:1`, `share:4`, `user:<id>`. */
  readonly subject: string;
  /** ok where left out. */
  readonly outcome?: 'ok' | ErrorCode;
  readonly details?: EventDetails;
}

export interface EventView {
  readonly id: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** `user:<name>:<id>`, `visitor:<digest of the client>`, `system:<name>`. */
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly outcome: string;
  readonly address: string;
  readonly details: EventDetails;
}

export interface EventQuery {
  readonly cursor?: string | undefined;
  /** 1 to 1000; 200 where left out. */
  readonly limit?: number | undefined;
  readonly subject?: string | undefined;
  readonly action?: string | undefined;
  /** `user:alice` is enough for all events of users who bore that name. */
  readonly actor?: string | undefined;
  /** Milliseconds since 1970, inclusive. */
  readonly since?: number | undefined;
  /** Milliseconds since 1970, exclusive. */
  readonly until?: number | undefined;
}

/** Newest first. */
export interface EventPage {
  readonly events: readonly EventView[];
  readonly cursor?: string;
}

export interface EventsOptions {
  readonly state: State;
  readonly clock: Clock;
  /** Told of a write that failed; the events stay buffered. */
  readonly onFailure?: (error: unknown, waiting: number) => void;
}

/** Milliseconds. */
const flushAfter = 100;
const retryAfter = 1000;
const bufferLimit = 10_000;
const batchSize = 1000;

const columns = ['at', 'actor', 'action', 'subject', 'outcome', 'address', 'details'] as const;

export class Events {
  readonly #state: State;
  readonly #clock: Clock;
  readonly #onFailure: (error: unknown, waiting: number) => void;
  #buffer: SqlValue[][] = [];
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor({ state, clock, onFailure = () => undefined }: EventsOptions) {
    this.#state = state;
    this.#clock = clock;
    this.#onFailure = onFailure;
  }

  /** Never throws and never waits. Beyond 10 000 that could not be written yet, further ones are only counted. */
  record(event: EventInput): void {
    if (this.#isClosed) return;
    if (this.#buffer.length >= bufferLimit) {
      this.#dropped++;
      return;
    }
    this.#buffer.push(toValues(event, this.#clock()));
    this.#schedule(flushAfter);
  }

  /** One page, newest first. It is for administrators: the caller has authorised it. Errors: cursor_invalid, request_invalid. */
  async list({ cursor, limit = 200, subject, action, actor, since, until }: EventQuery = {}): Promise<EventPage> {
    if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
      throw new PackageRError('request_invalid', 'The limit of a page is 1 to 1000.');
    await this.flush();
    let query = this.#state.db.selectFrom('event').selectAll().orderBy('id', 'desc');
    if (cursor !== undefined) query = query.where('id', '<', parseCursor(cursor));
    if (subject !== undefined) query = query.where('subject', '=', subject);
    if (action !== undefined) query = query.where('action', '=', action);
    if (since !== undefined) query = query.where('at', '>=', since);
    if (until !== undefined) query = query.where('at', '<', until);
    if (actor !== undefined)
      query = query.where((on) =>
        on.or([on('actor', '=', actor), on.and([on('actor', '>=', `${actor}:`), on('actor', '<', `${actor};`)])]),
      );
    const rows = await query.limit(limit + 1).execute();
    const events = rows.slice(0, limit).map(toView);
    const last = events.at(-1);
    return rows.length > limit && last !== undefined ? { events, cursor: String(last.id) } : { events };
  }

  /** Resolves when all that was recorded before was written, or could not be. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#writeAll());
    return this.#writing;
  }

  /** Writes what is buffered. Nothing is recorded afterwards. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.flush();
    clearTimeout(this.#timer);
  }

  #schedule(delay: number): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => void this.flush(), delay);
    this.#timer.unref();
  }

  async #writeAll(): Promise<void> {
    this.#noteDropped();
    while (this.#buffer.length > 0) {
      const batch = this.#buffer.slice(0, batchSize);
      try {
        await this.#state.write(insertRows(this.#state, 'event', columns, batch));
      } catch (error) {
        this.#onFailure(error, this.#buffer.length);
        if (!this.#isClosed) this.#schedule(retryAfter);
        return;
      }
      this.#buffer.splice(0, batch.length);
    }
  }

  #noteDropped(): void {
    if (this.#dropped === 0 || this.#buffer.length >= bufferLimit) return;
    const details = { count: this.#dropped };
    this.#buffer.push(
      toValues({ actor: { kind: 'system', name: 'events' }, action: 'events.drop', subject: 'events', details }, this.#clock()),
    );
    this.#dropped = 0;
  }
}

function toValues({ actor, action, subject, outcome = 'ok', details = {} }: EventInput, at: number): SqlValue[] {
  const address = actor.kind === 'system' ? '' : (actor.address ?? '');
  return [at, nameActor(actor), cleanText(action), cleanText(subject), outcome, cleanText(address), JSON.stringify(cleanDetails(details))];
}

/** Of a visitor neither the share’s id nor the client is kept: both may be all that is needed to come in. */
function nameActor(actor: Actor): string {
  if (actor.kind === 'user') return `user:${cleanText(actor.name)}:${cleanText(actor.id)}`;
  if (actor.kind === 'system') return `system:${cleanText(actor.name)}`;
  return `visitor:${hash('sha256', actor.client, 'hex').slice(0, 16)}`;
}

function toView({ details, ...row }: EventRowRead): EventView {
  return { ...row, details: JSON.parse(details) as EventDetails };
}

type EventRowRead = Omit<EventRow, 'id'> & { readonly id: number };

function parseCursor(cursor: string): number {
  if (!/^[1-9]\d{0,14}$/.test(cursor)) throw new PackageRError('cursor_invalid');
  return Number(cursor);
}
