/**
 * What is remembered: one interface per table, as rows are read. Instants are milliseconds since 1970, flags 0 or 1, JSON is text.
 * The same schema serves SQLite and PostgreSQL; texts that are compared as paths use the byte order (BINARY, COLLATE "C").
 */
import type { Generated } from 'kysely';

/** `to_step` of a row that has not ended. 2^53 − 1. */
export const openStep: number = Number.MAX_SAFE_INTEGER;

/** `entry.kind`. */
export const entryKinds = { folder: 0, text: 1, pointer: 2 } as const;

export interface Schema {
  setting: SettingRow;
  user: UserRow;
  group: GroupRow;
  group_member: GroupMemberRow;
  grant: GrantRow;
  session: SessionRow;
  token: TokenRow;
  attempt: AttemptRow;
  sealed: SealedRow;
  signing_key: SigningKeyRow;
  source: SourceRow;
  namespace: NamespaceRow;
  package: PackageRow;
  step: StepRow;
  entry: EntryRow;
  text: TextRow;
  manifest_range: ManifestRangeRow;
  version: VersionRow;
  version_source: VersionSourceRow;
  share: ShareRow;
  share_audience: ShareAudienceRow;
  share_use: ShareUseRow;
  share_use_object: ShareUseObjectRow;
  share_acceptance: ShareAcceptanceRow;
  ticket: TicketRow;
  job: JobRow;
  event: EventRow;
  idempotency: IdempotencyRow;
  search_segment: SearchSegmentRow;
  search_block: SearchBlockRow;
  search_gram: SearchGramRow;
  upload: UploadRow;
}

/** Settings stored by an administrator; `value` is JSON. */
export interface SettingRow {
  key: string;
  value: string;
}

export interface UserRow {
  id: string;
  name: string;
  /** PHC-like string of the password hash; null: cannot sign in by password. */
  password: string | null;
  admin: number;
  disabled: number;
  /** Raised by every change of password, rights or status: older sessions and tokens are dead at once. */
  generation: number;
  created_at: number;
}

export interface GroupRow {
  id: string;
  name: string;
  created_at: number;
}

export interface GroupMemberRow {
  group_id: string;
  user_id: string;
}

export interface GrantRow {
  id: string;
  subject_kind: 'user' | 'group' | 'everyone';
  /** '' for everyone. */
  subject_id: string;
  target_kind: 'source' | 'namespace';
  /** Decimal id of the source, or id of the namespace. */
  target_id: string;
  /** The grant holds at and below this path; '' for all. */
  path: string;
  /** Space-separated actions of model/actor.ts, in their order there. */
  actions: string;
  created_at: number;
}

export interface SessionRow {
  /** Hex SHA-256 of the token: the token itself is not kept. */
  id: string;
  user_id: string;
  user_generation: number;
  created_at: number;
  seen_at: number;
  expires_at: number;
  revoked_at: number | null;
  address: string;
  agent: string;
}

export interface TokenRow {
  id: string;
  user_id: string;
  name: string;
  /** Hex SHA-256 of the token. */
  hash: string;
  /** Space-separated actions; the rights are these and the user’s, never more. */
  actions: string;
  user_generation: number;
  created_at: number;
  expires_at: number;
  used_at: number | null;
  revoked_at: number | null;
}

/** Failures that slow guessing down, by account or peer. Survives a restart. */
export interface AttemptRow {
  key: string;
  failures: number;
  since: number;
  blocked_until: number;
}

/** Secrets sealed with the key of the data folder. */
export interface SealedRow {
  /** `source:3`, `namespace:…`. */
  owner: string;
  name: string;
  sealed: Uint8Array;
}

/** Keys of packageR’s own signatures. The newest signs; older ones verify until they are retired. */
export interface SigningKeyRow {
  id: string;
  sealed: Uint8Array;
  created_at: number;
  retires_at: number | null;
}

export interface SourceRow {
  id: Generated<number>;
  name: string;
  driver: string;
  title: string;
  /** JSON object of the driver’s options; never a secret. */
  options: string;
  /** Raised by every change: decisions and drivers kept for an older one are dropped. */
  generation: number;
  created_at: number;
  updated_at: number;
  /** Set when removed: ids are never reused, packages keep the id, opening answers not_found. */
  removed_at: number | null;
}

export interface NamespaceRow {
  id: string;
  name: string;
  /** Set for a user’s own namespace. */
  user_id: string | null;
  upload_source: number | null;
  upload_prefix: string;
  created_at: number;
}

export interface PackageRow {
  id: Generated<number>;
  namespace_id: string;
  name: string;
  /** The newest visible step. 0: empty, nothing done yet. */
  head: number;
  /** The highest step that redo can reach; equal to head where there is nothing to redo. */
  top: number;
  /** The highest step that a version names; steps at or below it never change. */
  frozen: number;
  /** The step being written, null where none is. */
  open_step: number | null;
  open_job: string | null;
  /**
   * Rows that began or ended at this step or a later one are left-overs of large steps that were undone and given up: no step that can be
   * reached has such a number, and they go in the background. Null where there are none.
   */
  gone_from: number | null;
  /** `namespace/name@number` that it was forked from. */
  forked_from: string | null;
  generation: number;
  created_at: number;
  removed_at: number | null;
}

export interface StepRow {
  package: number;
  step: number;
  /** annex, put, move, remove, copy, meta, restore, fork, undo marks are not steps. */
  operation: string;
  /** One sentence. */
  summary: string;
  actor: string;
  at: number;
  added: number;
  removed: number;
}

/** One entry over a half-open span of steps [from_step, to_step). WITHOUT ROWID, key (package, path, from_step). */
export interface EntryRow {
  package: number;
  path: string;
  from_step: number;
  to_step: number;
  kind: number;
  size: number;
  /** Pointers: id of the source, else null. */
  source: number | null;
  /** Pointers: the key where it is well-formed Unicode, else null and `key_bytes` holds it. */
  key: string | null;
  key_bytes: Uint8Array | null;
  version: string | null;
  etag: string | null;
  modified_at: number | null;
  /** Texts: hex SHA-256 of the bytes. */
  sha256: string | null;
  /** Pointers: JSON array of {algorithm, value, evidence} as known when it was added; null for none. */
  checksums: string | null;
  /** JSON object, null for none. */
  meta: string | null;
  inline: number;
  ends_range: number;
}

export interface TextRow {
  package: number;
  sha256: string;
  bytes: Uint8Array;
}

/** A run of manifest lines that ends with `last_path`, over a span of steps. */
export interface ManifestRangeRow {
  package: number;
  last_path: string;
  from_step: number;
  to_step: number;
  /** Hex SHA-256 of the bytes of the range. */
  sha256: string;
  lines: number;
  bytes: number;
}

export interface VersionRow {
  package: number;
  number: number;
  step: number;
  digest: string;
  message: string;
  author: string;
  frozen_at: number;
  entries: number;
  /** Sum of the sizes of all texts and pointers. */
  bytes: number;
  /** Bytes of the manifest. */
  manifest_bytes: number;
  withdrawn_at: number | null;
  withdrawn_reason: string | null;
}

/** What a version holds of one source. Versions that were frozen before this was kept have no rows: then the sums are not those of the version. */
export interface VersionSourceRow {
  package: number;
  number: number;
  /** 0: its texts. */
  source: number;
  entries: number;
  /** Sum of the sizes. */
  bytes: number;
}

export interface ShareRow {
  /** 128 random bits, base64url. Rotating gives a new one. */
  id: string;
  /** Stable id for its owner, which survives rotation. */
  number: Generated<number>;
  owner_id: string;
  /** Raised by a new password, rotation, pause and revocation: tickets of an older one are dead. */
  generation: number;
  target: 'version' | 'latest' | 'live';
  package: number | null;
  version: number | null;
  source: number | null;
  /** Root of the share within its target. */
  path: string;
  audience: 'link' | 'password' | 'users' | 'named';
  password: string | null;
  /** Space-separated: view, exchange. */
  rights: string;
  title: string;
  note: string;
  /** Text to accept before exchange; '' for none. */
  terms: string;
  on_drift: 'refuse' | 'warn' | 'follow';
  max_objects: number | null;
  max_bytes: number | null;
  not_before: number | null;
  expires_at: number | null;
  paused_at: number | null;
  revoked_at: number | null;
  /** When the last temporary URL given out ends. */
  horizon_at: number;
  opened: number;
  exchanged: number;
  used_at: number | null;
  created_at: number;
}

export interface ShareAudienceRow {
  share: number;
  subject_kind: 'user' | 'group';
  subject_id: string;
}

/** Use of one share by one client in one window. */
export interface ShareUseRow {
  share: number;
  client: string;
  since: number;
  objects: number;
  bytes: number;
}

export interface ShareUseObjectRow {
  share: number;
  client: string;
  since: number;
  path: string;
}

export interface ShareAcceptanceRow {
  share: number;
  client: string;
  at: number;
  /** Hex SHA-256 of the accepted text. */
  terms: string;
}

export interface TicketRow {
  /** Hex SHA-256 of the ticket. */
  id: string;
  share: number;
  generation: number;
  kind: 'page' | 'list';
  created_at: number;
  expires_at: number;
}

export interface JobRow {
  id: string;
  kind: string;
  /** What it works on: `package:12`. At most one live job of a package holds its open step. */
  subject: string;
  owner_id: string;
  state: 'queued' | 'running' | 'done' | 'failed' | 'cancelled';
  /** JSON, as the kind defines; never a secret. */
  input: string;
  /** JSON {done, total?, note?}. */
  progress: string;
  /** JSON from which a restart resumes; null at the start. */
  checkpoint: string | null;
  /** JSON of what came out. */
  result: string | null;
  /** Code of the error table and a message. */
  error_code: string | null;
  error_message: string | null;
  lease_owner: string | null;
  leased_until: number;
  cancel_asked: number;
  /** Starts since its checkpoint last got on. */
  attempts: number;
  created_at: number;
  started_at: number | null;
  finished_at: number | null;
}

/** Append-only. */
export interface EventRow {
  id: Generated<number>;
  at: number;
  actor: string;
  action: string;
  subject: string;
  outcome: string;
  address: string;
  /** JSON, flat. */
  details: string;
}

export interface IdempotencyRow {
  actor: string;
  key: string;
  /** Hex SHA-256 of method, route and body. */
  request: string;
  status: number;
  answer: string;
  created_at: number;
}

/** A file on its way to an upload source, until the step that points to it. */
export interface UploadRow {
  /** Part of the key, never used twice. */
  id: string;
  package: number;
  source: number;
  key: string;
  /** The store’s name of an upload in parts, null where it is none or its name is not known yet. */
  parts: string | null;
  /** The process that sends or clears it, which counts `beat` up while it lives. */
  owner: string;
  beat: number;
  /** 1: it is being taken back, and no annex points to it from now on. */
  is_clearing: number;
  started_at: number;
}

/** Derived data: an index of the names of rows that began in the steps (after_step, through_step]. Deleted with the step it goes up to. */
export interface SearchSegmentRow {
  /** Never given again: rows of blocks and grams without a segment are left-overs. */
  id: Generated<number>;
  package: number;
  after_step: number;
  through_step: number;
  /** How many there are; 0 while it is built. */
  paths: number;
  blocks: number;
  /** Rows of grams. */
  grams: number;
  /** 1: complete, and used. */
  ready: number;
  created_at: number;
}

/** Some paths in byte order, as packages/search/blocks.ts writes them. */
export interface SearchBlockRow {
  segment: number;
  block: number;
  paths: Uint8Array;
}

/** In which blocks a gram stands; a long list falls into parts. */
export interface SearchGramRow {
  segment: number;
  /** As packages/search/grams.ts counts them. */
  gram: number;
  part: number;
  blocks: Uint8Array;
}
