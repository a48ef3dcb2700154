/** What a demo shows: data that is connected, curated and shared, and the store that gives its bytes out. */
import type { NewSource } from '#api/sources.ts';
import type { Client } from '#client/client.ts';
import { apiPath } from '#client/client.ts';
import { ClientError } from '#client/error.ts';

export interface Scene {
  /** Hosts with their ports that sources of this scene connect to besides public ones. */
  readonly endpoints: readonly string[];
  /** Everything up to the share. Runs while the server does. Errors: in plain words; what the signal aborts with. */
  prepare(client: Client): Promise<Prepared>;
  /** What the store says of itself when all is over: `store 12345`. */
  sayStoreBytes(): Promise<string>;
  close(): Promise<void>;
}

export interface Prepared {
  /** `namespace/name`. */
  readonly package: string;
  readonly version: { readonly number: number; readonly digest: string };
  readonly share: { readonly id: string; readonly url: string; readonly warning?: string | undefined };
  /** The bucket; null where folders stand in. */
  readonly store: { readonly kind: 'seaweedfs' | 's3'; readonly endpoint: string; readonly bucket: string } | null;
  /** Where the bytes are, a line or two for people. */
  readonly about: string;
  /** Name of a folder to fetch into. */
  readonly folder: string;
}

/** Makes the source, or gives one of that name these options and secrets. True where it was made. */
export async function connect(client: Client, source: NewSource): Promise<boolean> {
  const isNew = await unlessExists(client.post('api/v1/sources', source));
  const { name, driver: _, ...change } = source;
  if (!isNew) await client.patch(apiPath`api/v1/sources/${name}`, change);
  return isNew;
}

/** False where it was there. */
export async function unlessExists(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (error instanceof ClientError && error.code === 'exists') return false;
    throw error;
  }
}
