import { type AttemptRules, attemptRules } from '#access/attempts.ts';

/** How long sign-ins and API tokens live, in milliseconds. */
export interface AccessSettings {
  readonly sessionIdle: number;
  readonly sessionLife: number;
  readonly adminSessionIdle: number;
  readonly adminSessionLife: number;
  readonly tokenLife: number;
  readonly tokenMaxLife: number;
  /** Bytes. */
  readonly passwordMin: number;
  /** Failures that are free: those of AttemptRules by default. */
  readonly attempts: AttemptRules;
}

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

export const defaultAccessSettings: AccessSettings = {
  sessionIdle: 2 * hour,
  sessionLife: 12 * hour,
  adminSessionIdle: 30 * minute,
  adminSessionLife: 8 * hour,
  tokenLife: 90 * day,
  tokenMaxLife: 365 * day,
  passwordMin: 12,
  attempts: attemptRules,
};
