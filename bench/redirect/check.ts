/** Proof of one answer: its status, and its signature computed once more from the rules of AWS, without any code of ours. */
import { createHash, createHmac } from 'node:crypto';
import { request } from 'node:http';
import { type Store, versionOf } from './servers.ts';

/** Throws where the answer is not a 307 to exactly this object, signed for GET with the key of the store, for a while from now on. */
export async function checkAnswer(base: string, path: string, store: Store): Promise<void> {
  const { status, location } = await ask(`${base}${path}`);
  if (status !== 307 || location === undefined) throw new Error(`${path} answered ${status}.`);
  const url = new URL(location);
  const query = url.searchParams;
  const fault = (what: string): Error => new Error(`The temporary URL of ${path} is wrong: ${what}.`);
  if (`${url.origin}${url.pathname}` !== `${store.endpoint}/${store.bucket}/${path}`) throw fault('object');
  if (query.get('versionId') !== versionOf(path)) throw fault('object version');
  if (query.get('X-Amz-SignedHeaders') !== 'host') throw fault('signed headers');
  const time = query.get('X-Amz-Date') ?? '';
  if (Math.abs(Date.now() - parseTime(time)) > 10_000) throw fault('time');
  if (Number(query.get('X-Amz-Expires')) !== 900) throw fault('life');
  const scope = `${time.slice(0, 8)}/${store.region}/s3/aws4_request`;
  if (query.get('X-Amz-Credential') !== `${store.accessKeyId}/${scope}`) throw fault('credential');
  const pairs = url.search
    .slice(1)
    .split('&')
    .filter((pair) => !pair.startsWith('X-Amz-Signature='));
  const asked = ['GET', url.pathname, pairs.sort().join('&'), `host:${url.host}\n`, 'host', 'UNSIGNED-PAYLOAD'].join('\n');
  const text = ['AWS4-HMAC-SHA256', time, scope, createHash('sha256').update(asked).digest('hex')].join('\n');
  const key = [time.slice(0, 8), store.region, 's3', 'aws4_request'].reduce(
    (last: string | Buffer, part) => createHmac('sha256', last).update(part).digest(),
    `AWS4${store.secretAccessKey}`,
  );
  if (createHmac('sha256', key).update(text).digest('hex') !== query.get('X-Amz-Signature')) throw fault('signature');
}

/** `20261123T103000Z` in milliseconds since 1970. */
function parseTime(time: string): number {
  return Date.parse(time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
}

function ask(url: string): Promise<{ status: number | undefined; location: string | undefined }> {
  return new Promise((resolve, reject) => {
    const sent = request(url, (response) => {
      response.resume();
      resolve({ status: response.statusCode, location: response.headers.location });
    });
    sent.once('error', reject);
    sent.end();
  });
}
