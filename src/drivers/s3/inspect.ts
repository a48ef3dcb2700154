/** What a test of the source wants to know of a bucket: region, versioning, and rights beyond what the source needs. Nothing is changed. */
import type { ExcessRight, InspectOptions, StoreFacts } from '#drivers/driver.ts';
import type { S3Client } from '#drivers/s3/client.ts';
import type { Versioning } from '#drivers/s3/headers.ts';
import { deleteObject } from '#drivers/s3/write.ts';
import { eachInner, textOf, verifyRoot } from '#drivers/s3/xml.ts';
import { isError, PackageRError } from '#errors/error.ts';
import type { Key } from '#model/key.ts';

/** Errors: cancelled, and those of a store that does not answer. What is refused is left out. */
export async function inspectBucket(client: S3Client, { prefix = '', signal }: InspectOptions): Promise<StoreFacts> {
  const { settings } = client;
  const region = await learned(findRegion(client, signal));
  const versioning = await learned(findVersioning(client, signal));
  const excessRights = await findExcessRights(client, prefix, signal);
  const { host } = settings.publicEndpoint;
  return {
    ...(region !== undefined && { region: { signed: client.region, actual: region } }),
    ...(versioning !== undefined && { versioning }),
    excessRights,
    leastPolicy: leastPolicy(client, prefix),
    ...(host !== settings.endpoint.host && { publicEndpoint: host }),
  };
}

/** Errors: forbidden, unsupported, and those of a store that does not answer. */
export async function findVersioning(client: S3Client, signal?: AbortSignal): Promise<Versioning> {
  const operation = 'driver.inspect';
  const { xml } = await client.text({ method: 'GET', query: [['versioning', '']], signal, expect: [200], operation });
  verifyRoot(xml, 'VersioningConfiguration', operation);
  const status = textOf(xml, 'Status');
  return status === 'Enabled' ? 'on' : status === 'Suspended' ? 'suspended' : 'off';
}

/** Where the bucket says it lies. Other stores answer to GetBucketLocation with names that are no regions to sign for. Source: Amazon S3 API reference, GetBucketLocation and HeadBucket. */
async function findRegion(client: S3Client, signal: AbortSignal | undefined): Promise<string | undefined> {
  const operation = 'driver.inspect';
  const { headers } = await client.run({ method: 'HEAD', signal, expect: [200], operation });
  const stated = headers['x-amz-bucket-region'];
  if (stated !== undefined || client.settings.quirks.name !== 'aws') return stated;
  const { xml } = await client.text({ method: 'GET', query: [['location', '']], signal, expect: [200], operation });
  verifyRoot(xml, 'LocationConstraint', operation);
  const located = textOf(xml, 'LocationConstraint') ?? '';
  return located === '' ? 'us-east-1' : located === 'EU' ? 'eu-west-1' : located;
}

async function findExcessRights(client: S3Client, prefix: string, signal: AbortSignal | undefined): Promise<ExcessRight[]> {
  const found: ExcessRight[] = [];
  if (!client.settings.writable && (await isTrue(canWrite(client, prefix, signal)))) found.push('write');
  if (await isTrue(seesOtherBuckets(client, signal))) found.push('buckets');
  if (prefix !== '' && (await isTrue(canListBeyond(client, signal)))) found.push('outside');
  return found;
}

/**
 * Sends a part of an upload that never began: who may not write is refused for that, who may is told that there is none. It needs the
 * right to put objects, changes nothing, and is answered alike by all stores (to finish such an upload is a fault to Ceph).
 */
async function canWrite(client: S3Client, prefix: string, signal: AbortSignal | undefined): Promise<boolean> {
  const key = `${prefix}.package-r-probe` as Key;
  try {
    await client.run({
      method: 'PUT',
      key,
      isUpload: true,
      query: [
        ['partNumber', '1'],
        ['uploadId', 'package-r-probe'],
      ],
      body: Buffer.from('x'),
      signal,
      expect: [200],
      operation: 'driver.inspect',
    });
    // A store that knows nothing of parts has made an object of it.
    await deleteObject(client, key, { signal }, 'off');
    return true;
  } catch (error) {
    if (isError(error, 'not_found')) return true;
    throw error;
  }
}

async function seesOtherBuckets(client: S3Client, signal: AbortSignal | undefined): Promise<boolean> {
  const { xml } = await client.text({ method: 'GET', service: true, signal, expect: [200], operation: 'driver.inspect' });
  verifyRoot(xml, 'ListAllMyBucketsResult', 'driver.inspect');
  for (const bucket of eachInner(xml, 'Bucket')) if (textOf(bucket, 'Name') !== client.settings.bucket) return true;
  return false;
}

async function canListBeyond(client: S3Client, signal: AbortSignal | undefined): Promise<boolean> {
  const query = [['list-type', '2'] as const, ['max-keys', '1'] as const];
  await client.run({ method: 'GET', query, signal, expect: [200], operation: 'driver.inspect' });
  return true;
}

async function isTrue(question: Promise<boolean>): Promise<boolean> {
  return (await learned(question)) ?? false;
}

/** What a store refuses to tell is undefined; that it cannot be reached, or that the caller went, is an error. */
async function learned<T>(question: Promise<T>): Promise<T | undefined> {
  try {
    return await question;
  } catch (error) {
    if (error instanceof PackageRError && !['cancelled', 'timeout'].includes(error.kind) && error.code !== 'source_unavailable')
      return undefined;
    throw error;
  }
}

/** Source: Amazon S3 user guide, “Actions, resources, and condition keys”. */
function leastPolicy({ settings: { bucket, writable } }: S3Client, prefix: string): string {
  const arn = `arn:aws:s3:::${bucket}`;
  const objects = ['s3:GetObject', 's3:GetObjectVersion'];
  const writing = ['s3:PutObject', 's3:DeleteObject', 's3:AbortMultipartUpload', 's3:ListMultipartUploadParts'];
  const statements = [
    {
      Effect: 'Allow',
      Action: ['s3:ListBucket', 's3:ListBucketVersions'],
      Resource: arn,
      ...(prefix !== '' && { Condition: { StringLike: { 's3:prefix': [`${prefix}*`] } } }),
    },
    { Effect: 'Allow', Action: ['s3:GetBucketLocation', 's3:GetBucketVersioning', 's3:GetBucketCORS'], Resource: arn },
    { Effect: 'Allow', Action: writable ? [...objects, ...writing] : objects, Resource: `${arn}/${prefix}*` },
  ];
  return JSON.stringify({ Version: '2012-10-17', Statement: statements }, undefined, 2);
}
