/** Where a bucket and its objects are: the host and path of a request, as they are signed and sent. */

import type { S3Settings } from '#drivers/s3/settings.ts';
import { encodeKeyPath, encodeQuery } from '#drivers/s3/sign.ts';
import type { Key } from '#model/key.ts';

export interface Address {
  /** Scheme and host, without a slash at the end. */
  readonly origin: string;
  /** As the header Host says it: with the port where it is not the scheme's own. */
  readonly host: string;
  /** Encoded, as sent; begins with `/`, and with the bucket in path style. */
  readonly path: string;
}

/** `endpoint`: `settings.endpoint` to call, `settings.publicEndpoint` to sign for clients. Without a key: the bucket itself. */
export function addressOf({ bucket, style }: Pick<S3Settings, 'bucket' | 'style'>, endpoint: URL, key?: Key): Address {
  const host = style === 'virtual' ? `${bucket}.${endpoint.host}` : endpoint.host;
  const root = style === 'virtual' ? '' : `/${encodeQuery(bucket)}`;
  const path = key === undefined ? root || '/' : `${root}/${encodeKeyPath(key)}`;
  return { origin: `${endpoint.protocol}//${host}`, host, path };
}
