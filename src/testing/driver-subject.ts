/** What the parts of the driver suite share: making bodies, collecting them, walking pages. */
import { expect, it } from 'vitest';
import type { Driver, ListRequest, ObjectBody } from '#drivers/driver.ts';
import type { ErrorCode } from '#errors/table.ts';
import type { Key } from '#model/key.ts';

export const key = (text: string): Key => text as Key;

export async function* bodyOf(...chunks: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield Buffer.from(chunk);
}

export async function bytesOf(read: ObjectBody | Promise<ObjectBody>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await read).body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export interface Listed {
  readonly keys: readonly string[];
  readonly prefixes: readonly string[];
  readonly pages: number;
}

/** All pages of a listing. A cursor that leads nowhere ends as a failure, not as a loop. */
export async function listAll(driver: Driver, request: ListRequest): Promise<Listed> {
  const keys: string[] = [];
  const prefixes: string[] = [];
  let cursor: string | undefined;
  for (let pages = 1; pages < 5000; pages++) {
    const page = await driver.list({ ...request, cursor });
    expect(page.objects.length + page.prefixes.length).toBeLessThanOrEqual(request.limit ?? 1000);
    keys.push(...page.objects.map((object) => object.key));
    prefixes.push(...page.prefixes);
    cursor = page.cursor;
    if (cursor === undefined) return { keys, prefixes, pages };
    expect(Buffer.byteLength(cursor)).toBeLessThanOrEqual(2048);
  }
  throw new Error('The listing does not end.');
}

export async function expectError(work: Promise<unknown> | (() => unknown), code: ErrorCode): Promise<void> {
  const run = async (): Promise<unknown> => (typeof work === 'function' ? work() : work);
  await expect(run()).rejects.toMatchObject({ name: 'PackageRError', code });
}

/** A signal that is aborted already. */
export const aborted = (): AbortSignal => AbortSignal.abort();

type DefineTest = (name: string, run: () => Promise<void>) => void;

/** Defines a test where the subject declares what it is about. */
export const when = (isDeclared: boolean): DefineTest => (isDeclared ? (name, run) => it(name, run) : () => undefined);
