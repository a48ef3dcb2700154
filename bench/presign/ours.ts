/** Our side of the bench `presign`: the presigner of the s3 driver. Arguments: file of the keys, folder for URLs to compare. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fixedCredentials } from '#drivers/s3/credentials.ts';
import { makePresigner } from '#drivers/s3/presign.ts';
import { parseSettings } from '#drivers/s3/settings.ts';
import { encodeKeyPath, type Query, Signer } from '#drivers/s3/sign.ts';
import type { Key } from '#model/key.ts';
import type { TemporaryUrl } from '#model/temporary-url.ts';
import { serveSide } from '../processes.ts';
import { bucket, credentials, expiresIn, instant, readKeys, region } from './setting.ts';

const [file = '', folder = ''] = process.argv.slice(2);
const keys = readKeys(file) as Key[];
const clock = () => Date.parse(instant);
const at = clock();
const presign = makePresigner({ ...parseSettings({ bucket, region }), region }, fixedCredentials(credentials, clock), () => at);
const signer = new Signer({ credentials, region });
const host = `${bucket}.s3.${region}.amazonaws.com`;

function urlOf(key: Key): string {
  return (presign({ method: 'GET', key, expiresIn }) as TemporaryUrl).url;
}

/** As SDKs sign that have other parameters. */
function urlWith(key: Key, query: Query): string {
  const path = `/${encodeKeyPath(key)}`;
  return `https://${host}${path}?${signer.presign({ method: 'GET', host, path, query, expiresIn, at })}`;
}

const forms: Readonly<Record<string, (key: Key) => string>> = {
  sdk: urlOf,
  go: (key) => urlWith(key, [['x-id', 'GetObject']]),
  boto3: (key) => urlWith(key, []),
};
let sink = 0;

serveSide({
  sign: (count) => {
    const units = Math.min(Number(count), keys.length);
    for (let index = 0; index < units; index++) {
      const url = urlOf(keys[index] as Key);
      sink = (sink + url.charCodeAt(url.length - 1)) | 0;
    }
    return units;
  },
  write: (form) => {
    const some = keys.slice(0, form === 'sdk' ? 10_000 : 1000);
    writeFileSync(join(folder, form), `${some.map(forms[form] ?? urlOf).join('\n')}\n`);
    return some.length;
  },
});
