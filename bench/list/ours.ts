/** Our side of the list benches, in a process of its own: ENDPOINT FILE CONCURRENCY. The variant is the bucket. */

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { Driver } from '#drivers/driver.ts';
import { walkRangePages } from '#drivers/ranges.ts';
import { s3Driver } from '#drivers/s3/definition.ts';
import { createConnector } from '#layers/connector.ts';
import { systemClock } from '#model/clock.ts';
import { Secret } from '#model/secret.ts';
import type { Done } from '../bench.ts';
import { serveSide } from '../processes.ts';

const [endpoint = '', file = '', concurrency = '1'] = process.argv.slice(2);
const inFlight = Number(concurrency);
const connector = createConnector({ allow: ['127.0.0.1'], connections: inFlight });
const drivers = new Map<string, Driver>();

async function open(bucket: string): Promise<Driver> {
  const secrets = { AWS_ACCESS_KEY_ID: Secret.parse('bench'), AWS_SECRET_ACCESS_KEY: Secret.parse('bench') };
  const options = { bucket, endpoint, region: 'us-east-1', versions: 'off' };
  const signer = { sign: () => '' };
  return s3Driver.open({ options, secrets }, { source: '1', clock: systemClock, connector, signer });
}

async function list(bucket: string): Promise<Done> {
  const driver = drivers.get(bucket) ?? (await open(bucket));
  drivers.set(bucket, driver);
  const output = createWriteStream(file);
  const since = performance.now();
  let units = 0;
  let first = 0;
  for await (const page of walkRangePages(() => driver, { prefix: '', concurrency: inFlight })) {
    if (units === 0) first = performance.now() - since;
    units += page.length;
    let lines = '';
    for (const { key } of page) lines += `${key}\n`;
    if (!output.write(lines, 'latin1')) await once(output, 'drain');
  }
  output.end();
  await finished(output);
  return { units, facts: { 'first entry ms': first } };
}

serveSide({ list });
