/** The CORS rules of a bucket. Source: Amazon S3 API reference, GetBucketCors and PutBucketCors. */
import { createHash } from 'node:crypto';
import type { Cors, CorsRule } from '#drivers/driver.ts';
import type { S3Client } from '#drivers/s3/client.ts';
import { decodeText, eachInner, encodeText, textOf, verifyRoot } from '#drivers/s3/xml.ts';
import { isError } from '#errors/error.ts';

export function s3Cors(client: S3Client): Cors {
  return {
    async get(signal) {
      const operation = 'driver.cors.get';
      try {
        const { xml } = await client.text({ method: 'GET', query: [['cors', '']], signal, expect: [200], operation });
        verifyRoot(xml, 'CORSConfiguration', operation);
        return [...eachInner(xml, 'CORSRule')].map(parseRule);
      } catch (error) {
        if (isError(error, 'not_found')) return [];
        throw error;
      }
    },
    async set(rules, signal) {
      const query = [['cors', ''] as const];
      const shared = { query, signal, expect: [200, 204], operation: 'driver.cors.set' };
      if (rules.length === 0) {
        await client.run({ ...shared, method: 'DELETE' });
        return;
      }
      const body = Buffer.from(
        `<CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${rules.map(writeRule).join('')}</CORSConfiguration>`,
      );
      const headers = { 'content-type': 'application/xml', 'content-md5': createHash('md5').update(body).digest('base64') };
      await client.run({ ...shared, method: 'PUT', headers, body });
    },
  };
}

function parseRule(xml: string): CorsRule {
  const all = (name: string): string[] => [...eachInner(xml, name)].map(decodeText);
  const maxAge = Number(textOf(xml, 'MaxAgeSeconds') ?? Number.NaN);
  return {
    origins: all('AllowedOrigin'),
    methods: all('AllowedMethod'),
    headers: all('AllowedHeader'),
    exposedHeaders: all('ExposeHeader'),
    ...(Number.isInteger(maxAge) && { maxAgeSeconds: maxAge }),
  };
}

function writeRule({ origins, methods, headers, exposedHeaders, maxAgeSeconds }: CorsRule): string {
  const all = (name: string, values: readonly string[]): string =>
    values.map((value) => `<${name}>${encodeText(value)}</${name}>`).join('');
  const maxAge = maxAgeSeconds === undefined ? '' : `<MaxAgeSeconds>${maxAgeSeconds}</MaxAgeSeconds>`;
  return `<CORSRule>${all('AllowedOrigin', origins)}${all('AllowedMethod', methods)}${all('AllowedHeader', headers)}${all('ExposeHeader', exposedHeaders)}${maxAge}</CORSRule>`;
}
