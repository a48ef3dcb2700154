/**
 * The gaps of drafts. An edit leaves most of them as they are: those of the draft before it are carried over, but for where it put something.
 */
import type { State } from '#state/state.ts';
import { type Gaps, GapView } from './gaps.ts';
import type { KeptPackage } from './open-step.ts';

/** A draft as it was opened last. */
interface Seen {
  readonly generation: number;
  readonly head: number;
  readonly gaps: GapView;
}

const limits = { drafts: 200, steps: 50, rows: 1000 } as const;

export class DraftGaps {
  readonly #state: State;
  readonly #gaps: Gaps;
  readonly #seen = new Map<number, Seen>();

  constructor(state: State, gaps: Gaps) {
    this.#state = state;
    this.#gaps = gaps;
  }

  /** Of the draft that the row tells of. */
  async of({ id, generation, head }: Pick<KeptPackage, 'id' | 'generation' | 'head'>): Promise<GapView> {
    const name = `${id}~${generation}`;
    const before = this.#seen.get(id);
    const isNew = before !== undefined && !this.#gaps.has(name) && before.generation < generation && !before.gaps.isEmpty;
    const carried = isNew ? await this.#carry(id, before, { generation, head }) : undefined;
    const gaps = this.#gaps.of(name, () => carried ?? new GapView());
    if (before === undefined || before.generation <= generation) this.#remember(id, { generation, head, gaps });
    return gaps;
  }

  #remember(id: number, seen: Seen): void {
    this.#seen.delete(id);
    this.#seen.set(id, seen);
    const [oldest] = this.#seen.keys();
    if (this.#seen.size > limits.drafts && oldest !== undefined) this.#seen.delete(oldest);
  }

  /**
   * Undefined unless all that happened is that steps were added. Each of them, each undo and each freeze raises the generation by one: so
   * there are as many steps behind the former head, or it was a freeze alone.
   */
  async #carry(id: number, before: Seen, now: Pick<Seen, 'generation' | 'head'>): Promise<GapView | undefined> {
    const raised = now.generation - before.generation;
    if (raised === 1 && now.head === before.head) return before.gaps.copy();
    if (raised > limits.steps || now.head <= before.head) return undefined;
    const steps = this.#state.db.selectFrom('step').select(['step', 'added']).where('package', '=', id);
    const added = await steps.where('step', '>', before.head).where('step', '<=', now.head).orderBy('step').execute();
    if (added.length !== raised || added.at(-1)?.step !== now.head) return undefined;
    const gaps = before.gaps.copy();
    for (const step of added) for (const [first, last] of await this.#reaches(id, step)) gaps.forget(first, last);
    return gaps;
  }

  /** Row paths between which all lies that began in a step: each, or the first and the last of many. */
  async #reaches(id: number, { step, added }: { readonly step: number; readonly added: number }): Promise<[string, string][]> {
    const rows = this.#state.db.selectFrom('entry').select('path').where('package', '=', id).where('from_step', '=', step);
    if (added <= limits.rows) return (await rows.execute()).map(({ path }) => [path, path]);
    const first = await rows.orderBy('path').limit(1).executeTakeFirst();
    const last = await rows.orderBy('path', 'desc').limit(1).executeTakeFirst();
    return first === undefined || last === undefined ? [] : [[first.path, last.path]];
  }
}
