/** The AWS SDK against a server: the oracle for what our own client reads. */
import { S3Client } from '@aws-sdk/client-s3';
import type { StoreServer } from '../support/stores/store-server.ts';

export function sdkClient({ endpoint, region, keys }: StoreServer): S3Client {
  return new S3Client({ endpoint, region, credentials: keys, forcePathStyle: true });
}
