/** What a test of a source finds, and the list that it grows into. Each finding is one check with an outcome and a sentence. */
import type { DriverDefinition } from '#drivers/driver.ts';
import { asError, PackageRError } from '#errors/error.ts';
import type { SourceCheck } from '#sources/source.ts';

export type Finding = Omit<SourceCheck, 'name'>;

/** `remedy`: what to do. `paste`: a text to put where the remedy says. */
interface Advice {
  readonly remedy?: string | undefined;
  readonly paste?: string | undefined;
}

export function ok(says: string): Finding {
  return { outcome: 'ok', says };
}

export function skipped(says: string): Finding {
  return { outcome: 'skipped', says };
}

export function warning(says: string, advice: Advice = {}): Finding {
  return { outcome: 'warning', says, ...given(advice) };
}

export function failed(says: string, advice: Advice = {}): Finding {
  return { outcome: 'failed', says, ...given(advice) };
}

function given({ remedy, paste }: Advice): { remedy?: string; paste?: string } {
  return { ...(remedy !== undefined && { remedy }), ...(paste !== undefined && { paste }) };
}

export class Report {
  readonly checks: SourceCheck[] = [];
  readonly #definition: DriverDefinition | undefined;
  readonly #signal: AbortSignal | undefined;

  constructor(definition: DriverDefinition | undefined, signal: AbortSignal | undefined) {
    this.#definition = definition;
    this.#signal = signal;
  }

  add(name: string, finding: Finding): void {
    this.checks.push({ name, ...finding });
  }

  /** What `run` gives, undefined where it failed and the failure was noted. Errors: cancelled. */
  async check<T>(name: string, run: () => Promise<T>, say: (result: T) => Finding): Promise<T | undefined> {
    const result = await this.attempt(run);
    if (result instanceof PackageRError) {
      this.add(name, this.failure(result));
      return undefined;
    }
    this.add(name, say(result));
    return result;
  }

  /** What `run` gives, or its error. Errors: cancelled. */
  async attempt<T>(run: () => Promise<T>): Promise<T | PackageRError> {
    try {
      return await run();
    } catch (error) {
      if (this.#signal?.aborted) throw new PackageRError('cancelled', 'The test of the source was cancelled.', { cause: error });
      return asError(error);
    }
  }

  failure(error: PackageRError): Finding {
    return failed(sayError(error), { remedy: remedyOf(error, this.#definition) });
  }
}

/** A sentence of ours; nothing of what lies inside. */
export function sayError(error: PackageRError): string {
  return error.code === 'internal' ? error.help : error.message;
}

function remedyOf(error: PackageRError, definition: DriverDefinition | undefined): string | undefined {
  switch (error.code) {
    case 'source_credentials':
      return `Update the secrets of the source${namesOf(definition)}, and see that they have not expired.`;
    case 'forbidden':
      return 'Allow the identity that the source uses to list and read it.';
    case 'source_broken':
      return `Correct what is named, with “sources update”${namesOf(definition)}.`;
    case 'endpoint_refused':
      return 'Set endpoints.allow, then start packageR anew.';
    default:
      return error.help;
  }
}

function namesOf(definition: DriverDefinition | undefined): string {
  const names = definition?.secrets.map((secret) => secret.name) ?? [];
  return names.length === 0 ? '' : ` (${names.join(', ')})`;
}
