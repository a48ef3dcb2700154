/** Races: what is told of two operations at once, and how often a property is tried. */
import fc from 'fast-check';
import { asError } from '#errors/error.ts';
import { anyTurns, type Turns } from '#testing/scheduler.ts';

/** The usual number, or more in a long run: PACKAGE_R_RUNS multiplies it. */
export function runsOf(usual: number): number {
  const factor = Number(process.env['PACKAGE_R_RUNS'] ?? 1);
  return Math.max(1, Math.round(usual * (factor > 0 ? factor : 1)));
}

/** Tries `body` in many orders of turns. A failure prints seed and path, with which the same order comes again (see `replay`). */
export function inAnyOrder(runs: number, body: (turns: Turns) => Promise<void>, operations = 2): Promise<void> {
  return inAnyOrderOf(runs, fc.constant(undefined), (turns) => body(turns), operations);
}

/** As `inAnyOrder`, with something chosen for each run. */
export function inAnyOrderOf<T>(
  runs: number,
  chosen: fc.Arbitrary<T>,
  body: (turns: Turns, chosen: T) => Promise<void>,
  operations = 2,
): Promise<void> {
  const property = fc.asyncProperty(anyTurns(operations), chosen, body);
  return fc.assert(property, { numRuns: runsOf(runs), endOnFailure: true, ...replay() });
}

/** PACKAGE_R_SEED and PACKAGE_R_PATH, as a failure printed them. */
function replay(): { readonly seed?: number; readonly path?: string } {
  const { PACKAGE_R_SEED: seed, PACKAGE_R_PATH: path } = process.env;
  return { ...(seed === undefined ? {} : { seed: Number(seed) }), ...(path === undefined ? {} : { path }) };
}

/** `ok`, or the code of the error. */
export function codeOf(outcome: PromiseSettledResult<unknown> | undefined): string {
  if (outcome === undefined) return 'none';
  return outcome.status === 'fulfilled' ? 'ok' : asError(outcome.reason).code;
}

export function codesOf(outcomes: readonly PromiseSettledResult<unknown>[]): string[] {
  return outcomes.map(codeOf);
}
