/** A share: a right to reach one tree by a link. What its owner sees, what strangers see, and what people ask for. */
import type { UserActor } from '#model/actor.ts';
import type { Name } from '#model/name.ts';
import type { Path } from '#model/path.ts';

/** link: whoever has it · password · users: whoever is signed in · named: these users and groups. */
export const audiences = ['link', 'password', 'users', 'named'] as const;
export type Audience = (typeof audiences)[number];

/** view: names, sizes, structure · exchange: everything with bytes. */
export const shareRights = ['view', 'exchange'] as const;
export type ShareRight = (typeof shareRights)[number];

/** What happens where a store has no object versions and the object has changed. */
export const driftPolicies = ['refuse', 'warn', 'follow'] as const;
export type DriftPolicy = (typeof driftPolicies)[number];

/** open: works now, as far as the share is concerned · closed: the owner lost a right, or the target is gone. */
export type ShareState = 'open' | 'pending' | 'paused' | 'expired' | 'revoked' | 'closed';

/** For the owner and administrators. Never a password, a hash or a ticket. */
export interface ShareView {
  /** Stable for the owner; rotation keeps it. */
  readonly number: number;
  /** What stands in the link; whoever has it has the share. */
  readonly id: string;
  readonly owner: { readonly id: string; readonly name: Name };
  readonly state: ShareState;
  /** `namespace/name@3`, `namespace/name@latest`, `source:name`, as things are called now. Undefined where the target is gone. */
  readonly target: string | undefined;
  readonly kind: 'version' | 'latest' | 'live';
  /** Root of the share within its target. */
  readonly path: Path;
  readonly audience: Audience;
  readonly hasPassword: boolean;
  /** Names, for the audience `named`. */
  readonly users: readonly Name[];
  readonly groups: readonly Name[];
  readonly rights: readonly ShareRight[];
  readonly title: string;
  readonly note: string;
  /** '' for none. */
  readonly terms: string;
  readonly onDrift: DriftPolicy;
  /** Distinct objects and their bytes, per client in 24 hours. */
  readonly maxObjects: number | undefined;
  readonly maxBytes: number | undefined;
  readonly notBefore: number | undefined;
  /** Undefined: never. */
  readonly expiresAt: number | undefined;
  /** When the last temporary URL that was given out ends: from then on a revocation is complete. 0: none was. */
  readonly horizonAt: number;
  readonly opened: number;
  readonly exchanged: number;
  readonly usedAt: number | undefined;
  readonly createdAt: number;
}

/** For whoever holds the link. Never a source, bucket, key, owner, namespace, or anything above the root of the share. */
export interface PublicShareView {
  readonly title: string;
  readonly note: string;
  readonly terms: string;
  /** True until this client has accepted the terms as they stand. */
  readonly needsAcceptance: boolean;
  /** For people with an account: no other program comes in by the link alone. */
  readonly needsSignIn: boolean;
  /** Behind a password: what other programs are given holds a ticket. */
  readonly needsTicket: boolean;
  readonly kind: 'version' | 'latest' | 'live';
  readonly rights: readonly ShareRight[];
  readonly onDrift: DriftPolicy;
  readonly expiresAt: number | undefined;
  readonly maxObjects: number | undefined;
  readonly maxBytes: number | undefined;
  /** Of a package. */
  readonly version: number | undefined;
  readonly digest: string | undefined;
  readonly frozenAt: number | undefined;
  /** Of the whole version, where the share shows all of it. */
  readonly description: string | undefined;
  readonly entries: number | undefined;
  readonly bytes: number | undefined;
}

export interface ShareSettings {
  readonly audience?: Audience | undefined;
  /** 8 to 1024 bytes; for the audience `password`. */
  readonly password?: string | undefined;
  /** Names; for the audience `named`. */
  readonly users?: readonly string[] | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly rights?: readonly ShareRight[] | undefined;
  /** Milliseconds since 1970; null: never, where the setting allows it; left out when creating: after 30 days. */
  readonly expiresAt?: number | null | undefined;
  readonly notBefore?: number | null | undefined;
  readonly maxObjects?: number | null | undefined;
  readonly maxBytes?: number | null | undefined;
  /** At most 10 KiB. */
  readonly terms?: string | undefined;
  /** At most 10 KiB. */
  readonly note?: string | undefined;
  /** At most 200 characters. */
  readonly title?: string | undefined;
  readonly onDrift?: DriftPolicy | undefined;
}

export interface NewShare extends ShareSettings {
  /** `namespace/name@3`, `namespace/name@latest`, `source:name` or `source:name/folder`. */
  readonly target: string;
  /** A folder or file within the target; below the folder of a `source:` target. */
  readonly path?: string | undefined;
}

/** What is left out stays. A new password, audience or set of names ends all tickets. */
export type ShareChange = ShareSettings;

/** Who stands before a share. */
export interface Visitor {
  /** `ID` or `ID~TICKET`, as it stands in the link. */
  readonly share: string;
  /** The signed-in user or the owner of the API token, where there is one. */
  readonly user?: UserActor | undefined;
  /** Of the peer, as the edge verified it. */
  readonly address: string;
  /** For clients that send it with each request (X-SHARE-PASSWORD). */
  readonly password?: string | undefined;
}

export interface Unlocked {
  /** For pages: one hour. */
  readonly ticket: string;
  readonly expiresAt: number;
  /** For lists and pasted lines: until the share ends, at most seven days. */
  readonly listTicket: string;
  readonly listExpiresAt: number;
}

/** For lists and pasted lines. */
export interface ListTicket {
  readonly ticket: string;
  readonly expiresAt: number;
}

export interface ShareLimits {
  /** Shares of one owner that are not revoked or expired. */
  readonly perOwner: number;
  readonly createdPerHour: number;
  /** Seconds. */
  readonly defaultLife: number;
  /** Seconds; an end that is further away is refused. */
  readonly maxLife: number;
  /** Whether a share may never expire. */
  readonly allowEndless: boolean;
  readonly passwordMinBytes: number;
}

export const shareLimits: ShareLimits = {
  perOwner: 1000,
  createdPerHour: 60,
  defaultLife: 30 * 86_400,
  maxLife: 365 * 86_400,
  allowEndless: false,
  passwordMinBytes: 8,
};
