/**
 * Creating only once, on stores that let `If-None-Match: *` pass where they keep object versions: looked up before, and once more behind the
 * write. Of several writers the first stays; the others take back what they wrote.
 */
import type { ObjectInfo } from '#drivers/driver.ts';
import type { S3Client } from '#drivers/s3/client.ts';
import { storeError } from '#drivers/s3/errors.ts';
import { statObject } from '#drivers/s3/read.ts';
import { decodeText, decodeUrlText, innerOf, textOf, verifyRoot } from '#drivers/s3/xml.ts';
import { isError } from '#errors/error.ts';
import type { Key } from '#model/key.ts';

const operation = 'driver.write';

/** Errors: exists. */
export async function verifyAbsent(client: S3Client, key: Key, signal: AbortSignal | undefined): Promise<void> {
  if (client.habits.createsOnce) return;
  try {
    await statObject(client, key, { signal }, 'off');
  } catch (error) {
    if (isError(error, 'object_not_found')) return;
    throw error;
  }
  throw exists(key);
}

/** `version`: that which is to be the first. Errors: exists, and then it is gone again. */
export async function verifyFirst(client: S3Client, { key, version }: ObjectInfo, signal: AbortSignal | undefined): Promise<void> {
  if (client.habits.createsOnce || version === undefined) return;
  const query = [['versions', ''] as const, ['encoding-type', 'url'] as const, ['prefix', key] as const, ['max-keys', '100'] as const];
  const { xml } = await client.text({ method: 'GET', query, signal, expect: [200], operation });
  verifyRoot(xml, 'ListVersionsResult', operation);
  const decode = textOf(xml, 'EncodingType') === 'url' ? decodeUrlText : decodeText;
  const history = [...xml.matchAll(/<(Version|DeleteMarker)>(.*?)<\/\1>/gs)]
    .map(([, kind, entry = '']) => ({ kind, key: decode(innerOf(entry, 'Key') ?? ''), version: textOf(entry, 'VersionId') }))
    .filter((one) => one.key === key);
  const before = history[history.findIndex((one) => one.version === version) + 1];
  if (before?.kind !== 'Version') return;
  await client.run({ method: 'DELETE', key, query: [['versionId', version]], signal, expect: [200, 204], operation });
  throw exists(key);
}

function exists(key: Key): Error {
  return storeError({ status: 412, code: 'PreconditionFailed' }, { operation, key, ifAbsent: true });
}
