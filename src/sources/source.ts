/** A source as people see and describe it: a connected place with a name. Secrets are told as set, never shown. */
import type { Capabilities } from '#drivers/capability.ts';
import type { SecretOption } from '#drivers/driver.ts';
import type { ErrorCode } from '#errors/table.ts';
import type { Name } from '#model/name.ts';
import type { Secret } from '#model/secret.ts';

/** Values of a driver’s options as they are kept: flat, never a secret. */
export type SourceOptions = Readonly<Record<string, string | number | boolean>>;

/** Where a secret comes from. One in the secrets folder wins over one that is kept in the state. */
export interface SecretView {
  readonly set: true;
  readonly from: 'state' | 'folder';
}

export interface SourceView {
  /** Decimal, never used again. */
  readonly id: string;
  readonly name: Name;
  readonly driver: string;
  readonly title: string;
  /** For those who may manage sources, as `secrets` and `problem` are. */
  readonly options?: SourceOptions;
  readonly secrets?: Readonly<Record<string, SecretView>>;
  /** Known once the source was opened. */
  readonly capabilities?: Capabilities;
  /** ok: it was opened · unknown: not opened yet · down: it failed again and again, and is probed · broken: it cannot be opened. */
  readonly state: 'ok' | 'unknown' | 'down' | 'broken';
  readonly problem?: { readonly code: ErrorCode; readonly message: string };
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface NewSource {
  readonly name: Name;
  readonly driver: string;
  /** The name where left out. */
  readonly title?: string | undefined;
  /** As given: checked against the driver’s schema. */
  readonly options?: Readonly<Record<string, unknown>> | undefined;
  readonly secrets?: Readonly<Record<string, Secret>> | undefined;
}

/** What is left out stays as it is. The driver never changes. */
export interface SourceChange {
  readonly name?: Name | undefined;
  readonly title?: string | undefined;
  /** Replaces single options; null removes one. */
  readonly options?: Readonly<Record<string, unknown>> | undefined;
  /** Replaces single secrets; null removes one. */
  readonly secrets?: Readonly<Record<string, Secret | null>> | undefined;
}

export interface DriverView {
  readonly kind: string;
  readonly title: string;
  /** JSON Schema of the options. */
  readonly optionsSchema: Readonly<Record<string, unknown>>;
  readonly secrets: readonly SecretOption[];
}

/** One finding of a source test, in plain words. */
export interface SourceCheck {
  readonly name: string;
  readonly outcome: 'ok' | 'warning' | 'failed' | 'skipped';
  readonly says: string;
  readonly remedy?: string;
  /** What the remedy says to put somewhere: a rule, a policy. Several lines. */
  readonly paste?: string;
}

export interface SourceTest {
  /** False where a check failed. */
  readonly works: boolean;
  readonly checks: readonly SourceCheck[];
}
