/** The paginator of the AWS SDK, one kept client and connection, in a process of its own: ENDPOINT FILE. The variant is the bucket. */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3';
import type { Done } from '../bench.ts';
import { serveSide } from '../processes.ts';

const [endpoint = '', file = ''] = process.argv.slice(2);
const client = new S3Client({
  endpoint,
  region: 'us-east-1',
  forcePathStyle: true,
  credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
  requestHandler: { httpAgent: { keepAlive: true, maxSockets: 1 } },
});

async function list(bucket: string): Promise<Done> {
  const output = createWriteStream(file);
  const since = performance.now();
  let units = 0;
  let first = 0;
  for await (const page of paginateListObjectsV2({ client }, { Bucket: bucket })) {
    if (units === 0) first = performance.now() - since;
    let lines = '';
    for (const { Key } of page.Contents ?? []) lines += `${Key}\n`;
    units += page.Contents?.length ?? 0;
    if (!output.write(lines, 'latin1')) await once(output, 'drain');
  }
  output.end();
  await finished(output);
  return { units, facts: { 'first entry ms': first } };
}

serveSide({ list });
