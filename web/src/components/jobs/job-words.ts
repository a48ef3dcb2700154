/** What a job is, how it ends and what came of it, as keys of texts: one sentence, made of the parts that say something. */
import type { Job } from '#api/jobs.ts';

const kinds = ['annex', 'move', 'copy', 'remove', 'meta', 'restore', 'fork', 'freeze', 'verify', 'drift', 'purge', 'sweep'] as const;
type JobKind = (typeof kinds)[number];

/** Undefined for a kind that is not known here. */
export function kindOf({ kind }: Pick<Job, 'kind'>): JobKind | undefined {
  return kinds.find((one) => kind === `package.${one}`);
}

const facts = [
  'added',
  'removed',
  'replaced',
  'unchanged',
  'skipped',
  'texts',
  'unnamable',
  'missing',
  'entries',
  'intact',
  'changed',
  'gone',
  'unreachable',
] as const;

export interface Fact {
  readonly name: (typeof facts)[number];
  readonly count: number;
}

const told: Readonly<Record<JobKind, readonly Fact['name'][]>> = {
  annex: ['added', 'replaced', 'unchanged', 'skipped', 'texts', 'unnamable', 'missing'],
  move: ['added', 'skipped'],
  copy: ['added', 'replaced', 'unchanged', 'skipped'],
  remove: ['removed'],
  meta: ['added'],
  restore: ['added', 'removed'],
  fork: ['added'],
  freeze: ['entries'],
  verify: ['entries'],
  drift: ['intact', 'changed', 'gone', 'unreachable'],
  purge: [],
  sweep: [],
};

/** What is worth a word of its result; empty where nothing changed, or nothing is known. */
export function factsOf({ kind, result = {} }: Pick<Job, 'kind' | 'result'>): readonly Fact[] {
  const known = kindOf({ kind });
  return (known === undefined ? [] : told[known]).flatMap((name) => {
    const count = Number(result[name === 'replaced' ? 'removed' : name] ?? 0);
    return Number.isFinite(count) && count > 0 ? [{ name, count }] : [];
  });
}

/** The first keys that could not be put, where some could not. */
export function examplesOf({ result = {} }: Pick<Job, 'result'>): readonly string[] {
  const { examples } = result;
  return Array.isArray(examples) ? examples.filter((one) => typeof one === 'string').slice(0, 5) : [];
}

/** The namespace and the name; undefined where it is about none. */
export function packageOf({ package: name }: Pick<Job, 'package'>): { readonly namespace: string; readonly package: string } | undefined {
  const [namespace, rest, ...more] = name?.split('/') ?? [];
  return namespace === undefined || rest === undefined || more.length > 0 ? undefined : { namespace, package: rest };
}
