/** Plans of archives that were asked for lately: the archive of a version never changes, and a download that was cut off comes again. */
import { hashFacts } from '#exports/body.ts';
import type { ExportRequest } from '#exports/export.ts';
import { withoutTicket } from '#model/pointer-file.ts';
import type { ZipPlan } from './plan.ts';

/** Items of all that are kept: some 9 MB. A plan of more is forgotten with its request. */
const mostItems = 1_001_000;
const mostPlans = 50;

export class Plans {
  readonly #kept = new Map<string, ZipPlan>();

  /** The plan of the same archive, or what `make` gives. Nothing is kept of a tree that may change, or with locations in it. */
  async find(request: ExportRequest, make: () => Promise<ZipPlan>): Promise<ZipPlan> {
    const key = await keyOf(request);
    if (key === undefined) return make();
    const known = this.#kept.get(key);
    this.#kept.delete(key);
    const plan = known ?? (await make());
    this.#kept.set(key, plan);
    this.#forget();
    return plan;
  }

  #forget(): void {
    const items = (): number => [...this.#kept.values()].reduce((sum, { facts }) => sum + facts.length, 0);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= mostPlans && items() <= mostItems) return;
      this.#kept.delete(oldest);
    }
  }
}

async function keyOf(request: ExportRequest): Promise<string | undefined> {
  const mark = request.location === undefined ? await request.tree.mark?.() : undefined;
  return mark === undefined ? undefined : `${hashFacts('package.zip', request, withoutTicket(request.base))} ${mark}`;
}
