/** What a check of the matrix is, and what it is given. */
import type { PresignRequest } from '#drivers/driver.ts';
import type { StoreAnswer } from '../support/stores/signed-request.ts';
import type { StoreServer } from '../support/stores/store-server.ts';
import type { OpenOptions } from './ours.ts';

export interface Check {
  readonly name: string;
  /** What Amazon S3 does; where several are right, the first is shown. */
  readonly want: string | readonly [string, ...string[]];
  /** In a few words, the same at every run. */
  see(world: World): Promise<string>;
}

/** What a check has: a server, a bucket with the object `digits` of ten bytes, and URLs that our driver signs. */
export interface World {
  readonly server: StoreServer;
  readonly bucket: string;
  /** A URL of our driver's for `digits` in `bucket`, unless something else is asked. */
  sign(request?: Partial<PresignRequest>, options?: SignOptions): Promise<string>;
  /** Sends the URL exactly as it is. */
  use(url: string, init?: UseInit): Promise<StoreAnswer>;
}

export interface SignOptions extends OpenOptions {
  readonly bucket?: string;
}

export interface UseInit {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export const codes = (...answers: readonly StoreAnswer[]): string => answers.map((answer) => answer.status).join(', ');
