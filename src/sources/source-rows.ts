/** The rows of sources in the state. A removed source keeps its row, so that its id is never used again. */
import type { Selectable } from 'kysely';
import { PackageRError } from '#errors/error.ts';
import type { Name } from '#model/name.ts';
import type { SourceRow } from '#state/schema.ts';
import { returned, type State, type Write } from '#state/state.ts';

/** A row as it is read. */
export type KeptSource = Selectable<SourceRow>;

export interface NewRow {
  readonly name: Name;
  readonly driver: string;
  readonly title: string;
  /** JSON. */
  readonly options: string;
  readonly at: number;
}

export class SourceRows {
  readonly #state: State;
  #generation = 0;
  readonly #found = new Map<string, KeptSource>();

  constructor(state: State) {
    this.#state = state;
  }

  async findByName(name: Name): Promise<KeptSource | undefined> {
    return this.#state.db.selectFrom('source').selectAll().where('name', '=', name).where('removed_at', 'is', null).executeTakeFirst();
  }

  /** `id` in decimal; anything else finds nothing. */
  async findById(id: string): Promise<KeptSource | undefined> {
    const known = this.findLoaded(id);
    if (known !== undefined || !/^[1-9]\d{0,14}$/.test(id)) return known;
    const { generation } = this.#state;
    const query = this.#state.db.selectFrom('source').selectAll().where('id', '=', Number(id));
    const row = await query.where('removed_at', 'is', null).executeTakeFirst();
    if (row !== undefined && generation === this.#generation) this.#found.set(id, row);
    return row;
  }

  /** What findById found under this generation of the state. */
  findLoaded(id: string): KeptSource | undefined {
    if (this.#generation !== this.#state.generation) {
      this.#generation = this.#state.generation;
      this.#found.clear();
    }
    return this.#found.get(id);
  }

  /** By name. */
  async list(): Promise<KeptSource[]> {
    return this.#state.db.selectFrom('source').selectAll().where('removed_at', 'is', null).orderBy('name').execute();
  }

  async names(ids: readonly string[]): Promise<Map<string, Name>> {
    const numbers = [...new Set(ids)].map(Number).filter(Number.isSafeInteger);
    const names = new Map<string, Name>();
    for (let from = 0; from < numbers.length; from += 500) {
      const query = this.#state.db.selectFrom('source').select(['id', 'name']).where('removed_at', 'is', null);
      const rows = await query.where('id', 'in', numbers.slice(from, from + 500)).execute();
      for (const row of rows) names.set(String(row.id), row.name as Name);
    }
    return names;
  }

  /**
   * Adds a row and what `alongside` writes for its id. The row comes into sight with the last of these writes only.
   * Errors: exists.
   */
  async add(row: NewRow, alongside: (id: string) => readonly Write[]): Promise<string> {
    if ((await this.findByName(row.name)) !== undefined) throw exists(row.name);
    const hidden = { ...this.#values(row), generation: 1, created_at: row.at, removed_at: row.at };
    const [made] = await this.#state.write({ query: this.#state.db.insertInto('source').values(hidden).returning('id') });
    const { id } = returned<{ id: number }>(made);
    const show = this.#state.db.updateTable('source').set({ removed_at: null }).where('id', '=', id);
    await this.#named(row.name, this.#state.write(...alongside(String(id)), { query: show }));
    return String(id);
  }

  /** Errors: exists; precondition_failed where the row changed since it was read. */
  async update(row: KeptSource, change: NewRow, alongside: readonly Write[]): Promise<void> {
    const query = this.#state.db
      .updateTable('source')
      .set({ ...this.#values(change), generation: row.generation + 1 })
      .where('id', '=', row.id)
      .where('generation', '=', row.generation)
      .where('removed_at', 'is', null);
    const expect = { changes: 1, code: 'precondition_failed', message: `The source ${row.name} was changed in the meantime.` } as const;
    await this.#named(change.name, this.#state.write({ query, expect }, ...alongside));
  }

  /** Whatever else is changed at the same time. Errors: not_found where it was removed already. */
  async remove(row: KeptSource, at: number, alongside: readonly Write[]): Promise<void> {
    const query = this.#state.db
      .updateTable('source')
      .set((on) => ({ removed_at: at, updated_at: at, generation: on('generation', '+', 1) }))
      .where('id', '=', row.id)
      .where('removed_at', 'is', null);
    await this.#state.write({ query, expect: { changes: 1, code: 'not_found', message: 'The source was removed already.' } }, ...alongside);
  }

  #values({ name, driver, title, options, at }: NewRow) {
    return { name, driver, title, options, updated_at: at };
  }

  async #named<T>(name: Name, done: Promise<T>): Promise<T> {
    try {
      return await done;
    } catch (error) {
      if (error instanceof PackageRError && error.code === 'exists') throw exists(name);
      throw error;
    }
  }
}

function exists(name: Name): PackageRError {
  return new PackageRError('exists', `There is already a source ${JSON.stringify(name)}.`);
}
