/** Packages and versions as rows, found by name and told as views. Decides nothing about rights. */
import { PackageRError } from '#errors/error.ts';
import { parseDigest } from '#model/digest.ts';
import type { Name } from '#model/name.ts';
import type { StepRow, VersionRow } from '#state/schema.ts';
import type { State } from '#state/state.ts';
import type { KeptPackage } from './open-step.ts';
import type { Operation, PackageReference, PackageView, StepView, VersionView } from './package.ts';

export interface FoundPackage {
  readonly row: KeptPackage;
  readonly namespace: Name;
  /** The newest that is not withdrawn. */
  readonly latest: number | undefined;
}

export class PackageRows {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
  }

  async namespaceId(name: Name): Promise<string | undefined> {
    return (await this.#state.db.selectFrom('namespace').select('id').where('name', '=', name).executeTakeFirst())?.id;
  }

  /** Errors: not_found. */
  async get(reference: PackageReference, namespaceId: string): Promise<FoundPackage> {
    const row = await this.#state.db
      .selectFrom('package')
      .selectAll()
      .where('namespace_id', '=', namespaceId)
      .where('name', '=', reference.name)
      .where('removed_at', 'is', null)
      .executeTakeFirst();
    if (row === undefined) throw new PackageRError('not_found', `There is no package ${reference.namespace}/${reference.name}.`);
    return { row, namespace: reference.namespace, latest: await this.latest(row.id) };
  }

  async latest(packageId: number): Promise<number | undefined> {
    const versions = this.#state.db
      .selectFrom('version')
      .select('number')
      .where('package', '=', packageId)
      .where('withdrawn_at', 'is', null);
    return (await versions.orderBy('number', 'desc').limit(1).executeTakeFirst())?.number;
  }

  /** Errors: not_found; version_withdrawn unless `withdrawn` is allowed. */
  async getVersion(found: FoundPackage, wanted: number | 'latest', options: { readonly withdrawn?: boolean } = {}): Promise<VersionRow> {
    const number = wanted === 'latest' ? found.latest : wanted;
    const name = `${found.namespace}/${found.row.name}`;
    if (number === undefined) throw new PackageRError('not_found', `${name} has no version yet.`);
    const row = await this.#state.db
      .selectFrom('version')
      .selectAll()
      .where('package', '=', found.row.id)
      .where('number', '=', number)
      .executeTakeFirst();
    if (row === undefined) throw new PackageRError('not_found', `${name} has no version ${number}.`);
    if (row.withdrawn_at !== null && options.withdrawn !== true)
      throw new PackageRError('version_withdrawn', `Version ${number} of ${name} was withdrawn. Its digest is ${row.digest}.`);
    return row;
  }

  /** Newest first. */
  async versions(packageId: number, before: number, limit: number): Promise<VersionView[]> {
    const query = this.#state.db.selectFrom('version').selectAll().where('package', '=', packageId).where('number', '<', before);
    return (await query.orderBy('number', 'desc').limit(limit).execute()).map(toVersionView);
  }

  /** Newest first, undone ones included. */
  async steps(row: KeptPackage, before: number, limit: number): Promise<StepView[]> {
    const query = this.#state.db
      .selectFrom('step')
      .selectAll()
      .where('package', '=', row.id)
      .where('step', '<', before)
      .where('step', '<=', row.top);
    const steps = await query.orderBy('step', 'desc').limit(limit).execute();
    const numbers = steps.map((one) => one.step);
    const versions = this.#state.db.selectFrom('version').select(['number', 'step']).where('package', '=', row.id);
    const named = numbers.length === 0 ? [] : await versions.where('step', 'in', numbers).execute();
    return steps.map((one) => toStepView(one, row, named.find(({ step }) => step === one.step)?.number));
  }

  /** After a name, in order of namespace and name; removed ones left out. */
  async after(namespace: string | undefined, last: readonly [string, string], limit: number): Promise<FoundPackage[]> {
    let query = this.#state.db
      .selectFrom('package')
      .innerJoin('namespace', 'namespace.id', 'package.namespace_id')
      .selectAll('package')
      .select('namespace.name as namespace')
      .where('removed_at', 'is', null)
      .where((on) =>
        on.or([on('namespace.name', '>', last[0]), on.and([on('namespace.name', '=', last[0]), on('package.name', '>', last[1])])]),
      );
    if (namespace !== undefined) query = query.where('namespace.name', '=', namespace);
    const rows = await query.orderBy('namespace.name').orderBy('package.name').limit(limit).execute();
    return Promise.all(
      rows.map(async ({ namespace: name, ...row }) => ({ row, namespace: name as Name, latest: await this.latest(row.id) })),
    );
  }
}

export function toPackageView({ row, namespace, latest }: FoundPackage): PackageView {
  return {
    id: row.id,
    namespace,
    namespaceId: row.namespace_id,
    name: row.name as Name,
    ...(latest === undefined ? {} : { latest }),
    head: row.head,
    canUndo: row.open_step === null && row.head > row.frozen,
    canRedo: row.open_step === null && row.head < row.top,
    isChanged: row.head !== row.frozen,
    ...(row.open_job === null ? {} : { openJob: row.open_job }),
    ...(row.forked_from === null ? {} : { forkedFrom: row.forked_from }),
    createdAt: row.created_at,
  };
}

export function toVersionView(row: VersionRow): VersionView {
  const { number, step, digest, message, author, entries, bytes } = row;
  return {
    number,
    step,
    digest: parseDigest(digest),
    message,
    author,
    frozenAt: row.frozen_at,
    entries,
    bytes,
    manifestBytes: row.manifest_bytes,
    ...(row.withdrawn_at === null ? {} : { withdrawn: { at: row.withdrawn_at, reason: row.withdrawn_reason ?? '' } }),
  };
}

function toStepView(step: StepRow, row: KeptPackage, version: number | undefined): StepView {
  const { operation, summary, actor, at, added, removed } = step;
  const undone = step.step > row.head;
  return {
    step: step.step,
    operation: operation as Operation,
    summary,
    actor,
    at,
    added,
    removed,
    undone,
    ...(version === undefined ? {} : { version }),
  };
}
