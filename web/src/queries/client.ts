/** The one client of the application: the same as the command line’s, by the cookie of the session. */
import { Client } from '#client/client.ts';
import { ClientError } from '#client/error.ts';
import { base } from '../base.ts';

export const client = new Client({ base });

/** The code of a refusal; undefined for what is none. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof ClientError ? error.code : undefined;
}

/** What went wrong and what to do, as the server says it. */
export function describe(error: unknown): { readonly title: string; readonly help: string } {
  if (error instanceof ClientError) return { title: error.detail || error.message, help: error.help };
  return { title: String(error), help: '' };
}
