/** What is told of a package, its versions and its steps, and how a package is named: `namespace/name`, `@3` or `@latest` behind it. */
import { PackageRError } from '#errors/error.ts';
import type { Digest } from '#model/digest.ts';
import { type Name, parseName } from '#model/name.ts';

export interface PackageReference {
  readonly namespace: Name;
  readonly name: Name;
  /** Left out: the draft. `latest`: the newest version that is not withdrawn. */
  readonly version?: number | 'latest';
}

export interface PackageView {
  readonly id: number;
  readonly namespace: Name;
  /** Id of the namespace. */
  readonly namespaceId: string;
  readonly name: Name;
  /** Number of the newest version that is not withdrawn. */
  readonly latest?: number;
  /** The newest visible step of the draft; 0 where nothing was done yet. */
  readonly head: number;
  readonly canUndo: boolean;
  readonly canRedo: boolean;
  /** The draft holds steps that no version has. */
  readonly isChanged: boolean;
  /** Id of the job that is writing a step now. */
  readonly openJob?: string;
  /** `namespace/name@number` that it was forked from. */
  readonly forkedFrom?: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

export interface VersionView {
  readonly number: number;
  /** The step that it names. */
  readonly step: number;
  readonly digest: Digest;
  readonly message: string;
  /** Id of the user who froze it and whose rights on the sources count. */
  readonly author: string;
  /** Milliseconds since 1970. */
  readonly frozenAt: number;
  readonly entries: number;
  /** Sum of the sizes of all texts and pointers. */
  readonly bytes: number;
  readonly manifestBytes: number;
  readonly withdrawn?: { readonly at: number; readonly reason: string };
}

/** One operation of the draft. */
export interface StepView {
  readonly step: number;
  readonly operation: Operation;
  /** One sentence. */
  readonly summary: string;
  /** Id of the user, or the name of the part of packageR that did it. */
  readonly actor: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly added: number;
  readonly removed: number;
  /** Undone: redo brings it back. */
  readonly undone: boolean;
  /** Number of the version that names this step. */
  readonly version?: number;
}

export type Operation = 'annex' | 'put' | 'mkdir' | 'move' | 'copy' | 'remove' | 'meta' | 'restore' | 'fork';

/** What to do where a file of that path is there already. `keep` keeps both: `name (1).ext`. */
export const conflictPolicies = ['refuse', 'skip', 'replace', 'keep'] as const;
export type OnConflict = (typeof conflictPolicies)[number];

/** What an edit did. `step` is the new head; the one before where nothing changed. */
export interface EditResult {
  readonly step: number;
  readonly added: number;
  readonly removed: number;
  /** Left alone by the policy `skip`. */
  readonly skipped: number;
  /** Already there, the same. */
  readonly unchanged: number;
}

/** `namespace/name`, `namespace/name@3`, `namespace/name@latest`. Errors: reference_invalid. */
export function parseReference(text: string): PackageReference {
  const match = /^([^/@]+)\/([^/@]+)(?:@([^/@]+))?$/.exec(text);
  const invalid = () => new PackageRError('reference_invalid', `${JSON.stringify(text.slice(0, 160))} is not a package reference.`);
  if (match === null) throw invalid();
  const [, namespace = '', name = '', version] = match;
  try {
    const reference = { namespace: parseName(namespace), name: parseName(name) };
    if (version === undefined) return reference;
    if (version === 'latest') return { ...reference, version };
    if (!/^[1-9][0-9]{0,8}$/.test(version)) throw invalid();
    return { ...reference, version: Number(version) };
  } catch {
    throw invalid();
  }
}

/** The twin of parseReference. */
export function writeReference({ namespace, name, version }: PackageReference): string {
  return version === undefined ? `${namespace}/${name}` : `${namespace}/${name}@${version}`;
}
