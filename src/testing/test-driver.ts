/**
 * The conformance suite of the driver contract. A driver’s own test only says how to get a subject; tests are chosen by what
 * the driver declares. Works against real servers: every test keeps to a prefix of its own.
 */
import { afterAll, describe } from 'vitest';
import type { Driver } from '#drivers/driver.ts';
import type { Key } from '#model/key.ts';
import type { TemporaryUrl } from '#model/temporary-url.ts';
import { testListing } from '#testing/test-driver-list.ts';
import { testPresign } from '#testing/test-driver-presign.ts';
import { testReading } from '#testing/test-driver-read.ts';
import { testMultipart, testVersions, testWriting } from '#testing/test-driver-write.ts';

export interface TestSubject {
  readonly driver: Driver;
  /** Puts an object in place, also where the driver cannot write. */
  put(key: Key, bytes: Uint8Array): Promise<void>;
  /** Names that this store can hold, beside letters, digits and `/`: whole segments, or parts of keys with `//`. */
  readonly awkwardKeys: readonly string[];
  /** Those of the awkward keys that no URL can carry: to presign them is refused as unsupported. */
  readonly unlinkable?: readonly string[];
  /** Bytes of the longest key that this store can hold (with segments of at most 200). */
  readonly longestKey: number;
  /** Algorithms of the checksums that the store states for an object of one piece; all that the driver declares where left out. */
  readonly stated?: readonly string[];
  /** Uses a temporary URL as a client would; left out where nothing serves them. */
  fetchUrl?(url: TemporaryUrl, init?: FetchInit): Promise<FetchAnswer>;
  /** Lets this many seconds pass for whoever checks temporary URLs. */
  passSeconds?(seconds: number): Promise<void>;
  close(): Promise<void>;
}

export interface FetchInit {
  /** Where another method than the signed one is tried. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

export interface FetchAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
}

export function testDriver(name: string, make: () => Promise<TestSubject>): void {
  // The subject is made while tests are collected: what it does not declare is no test that was skipped.
  describe(`driver ${name}`, async () => {
    const subject = await make();
    const get = (): TestSubject => subject;
    afterAll(async () => {
      await subject.driver.close?.();
      await subject.driver.close?.();
      await subject.close();
    });
    testListing(get);
    testReading(get);
    testWriting(get);
    testMultipart(get);
    testVersions(get);
    testPresign(get);
  });
}

/** For subjects whose URLs an ordinary HTTP client can fetch. */
export async function fetchPlainly(url: TemporaryUrl, init: FetchInit = {}): Promise<FetchAnswer> {
  const answer = await fetch(url.url, {
    method: init.method ?? url.method,
    headers: { ...url.headers, ...init.headers },
    redirect: 'manual',
    ...(init.body === undefined ? {} : { body: Buffer.from(init.body) }),
  });
  return { status: answer.status, headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer()) };
}
