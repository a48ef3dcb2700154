/**
 * Receipts: what was given out to whom, as events. The first ones of a client in a second each say their path; a client that goes on
 * faster than people do is summed up until the second has passed, so that the record of a whole archive costs a few rows and no figure
 * is lost.
 */
import type { Handle } from '#access/handle.ts';
import type { Events } from '#events/events.ts';
import type { Actor } from '#model/actor.ts';
import type { Clock } from '#model/clock.ts';
import type { Path } from '#model/path.ts';

interface Total {
  readonly objects: number;
  readonly bytes: number;
  readonly failed: number;
}

interface Sum {
  readonly actor: Actor;
  readonly subject: string;
  told: number;
  objects: number;
  bytes: number;
}

/** Milliseconds. */
const span = 1000;
/** Of one client and subject in a span. */
const toldOneByOne = 20;
const mostSums = 10_000;

export class Receipts {
  readonly #events: Events;
  readonly #clock: Clock;
  #sums = new Map<string, Sum>();
  #until = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor({ events, clock }: { readonly events: Events; readonly clock: Clock }) {
    this.#events = events;
    this.#clock = clock;
  }

  one(handle: Handle, path: Path, bytes: number): void {
    const sum = this.#sumOf(handle);
    if (sum.told < toldOneByOne) {
      sum.told++;
      this.#record(handle, { path, bytes });
      return;
    }
    sum.objects++;
    sum.bytes += bytes;
  }

  many(handle: Handle, { objects, bytes, failed }: Total): void {
    this.#record(handle, { objects, bytes, failed, bulk: true });
  }

  close(): void {
    this.#tell();
  }

  #sumOf({ actor, subject }: Handle): Sum {
    if (this.#clock() >= this.#until || this.#sums.size >= mostSums) this.#begin();
    const key = `${clientOf(actor)} ${subject}`;
    let sum = this.#sums.get(key);
    if (sum === undefined) {
      sum = { actor, subject, told: 0, objects: 0, bytes: 0 };
      this.#sums.set(key, sum);
    }
    return sum;
  }

  #begin(): void {
    this.#tell();
    this.#until = this.#clock() + span;
    this.#timer = setTimeout(() => this.#tell(), span).unref();
  }

  #tell(): void {
    clearTimeout(this.#timer);
    this.#until = 0;
    const sums = this.#sums;
    this.#sums = new Map();
    for (const { objects, bytes, ...who } of sums.values()) if (objects > 0) this.#record(who, { objects, bytes, failed: 0, bulk: true });
  }

  #record({ actor, subject }: Pick<Sum, 'actor' | 'subject'>, details: Readonly<Record<string, string | number | boolean>>): void {
    const [noun] = subject.split(':');
    this.#events.record({ actor, action: `${noun}.exchange`, subject, details });
  }
}

function clientOf(actor: Actor): string {
  if (actor.kind === 'visitor') return `${actor.client} ${actor.address ?? ''}`;
  return actor.kind === 'user' ? actor.id : actor.name;
}
