/** The AWS SDK for JavaScript in the bench `presign`: one kept client, as its documentation has it. Arguments as in ours.ts. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { serveSide } from '../processes.ts';
import { bucket, credentials, expiresIn, instant, readKeys, region } from './setting.ts';

const [file = '', folder = ''] = process.argv.slice(2);
const keys = readKeys(file);
const client = new S3Client({
  region,
  credentials,
  requestChecksumCalculation: 'WHEN_REQUIRED',
  responseChecksumValidation: 'WHEN_REQUIRED',
});
const signingDate = new Date(instant);
let sink = 0;

async function urlOf(Key: string): Promise<string> {
  return getSignedUrl(client, new GetObjectCommand({ Bucket: bucket, Key }), { expiresIn, signingDate });
}

serveSide({
  sign: async (count) => {
    const units = Math.min(Number(count), keys.length);
    for (let index = 0; index < units; index++) {
      const url = await urlOf(keys[index] as string);
      sink = (sink + url.charCodeAt(url.length - 1)) | 0;
    }
    return units;
  },
  write: async (form) => {
    const urls: string[] = [];
    for (const key of keys.slice(0, 10_000)) urls.push(await urlOf(key));
    writeFileSync(join(folder, form), `${urls.join('\n')}\n`);
    return urls.length;
  },
});
