/** The s3 driver: Amazon S3 and what speaks like it. Listing and signing are done here, without an SDK. */
import { throwIfAborted } from '#drivers/abort.ts';
import type { Capabilities } from '#drivers/capability.ts';
import type { Driver, DriverContext } from '#drivers/driver.ts';
import { S3Client } from '#drivers/s3/client.ts';
import { s3Cors } from '#drivers/s3/cors.ts';
import type { CredentialSource } from '#drivers/s3/credentials.ts';
import { storedAlgorithms, type Versioning } from '#drivers/s3/headers.ts';
import { findVersioning, inspectBucket } from '#drivers/s3/inspect.ts';
import { listBucket } from '#drivers/s3/list.ts';
import { s3Multipart } from '#drivers/s3/multipart.ts';
import { makePresigner, presignMaxSeconds } from '#drivers/s3/presign.ts';
import { readObject, statObject } from '#drivers/s3/read.ts';
import type { S3Settings } from '#drivers/s3/settings.ts';
import { copyObject, deleteObject, writeObject } from '#drivers/s3/write.ts';
import { isError } from '#errors/error.ts';

/** Errors: source_credentials, source_broken where there is no such bucket, and those of a store that cannot be reached. */
export async function openS3(settings: S3Settings, credentials: CredentialSource, context: DriverContext): Promise<Driver> {
  const { connector, clock } = context;
  const client = new S3Client({ settings, credentials, connector, clock });
  const versioning = await decideVersioning(client);
  const { writable } = settings;
  const capabilities: Capabilities = {
    presign: credentials.kind === 'ambient' ? 'remote' : 'local',
    presignMaxSeconds,
    write: writable,
    copy: writable,
    delete: writable,
    multipart: writable,
    versions: versioning !== 'off',
    checksums: storedAlgorithms,
    keyCase: 'exact',
    publicUrls: credentials.kind === 'anonymous',
    cors: true,
    ordered: true,
    parallelListings: 32,
  };
  return {
    kind: 's3',
    capabilities,
    list: async (request) => {
      throwIfAborted(request.signal);
      return listBucket(client, request, versioning);
    },
    stat: async (key, options = {}) => {
      throwIfAborted(options.signal);
      return statObject(client, key, options, versioning);
    },
    read: async (key, options = {}) => {
      throwIfAborted(options.signal);
      return readObject(client, key, options, versioning);
    },
    presign: makePresigner({ ...client.located, versions: versioning === 'off' ? 'off' : 'on' }, credentials, clock),
    ...(writable && {
      write: async (key, body, options = {}) => writeObject(client, key, body, options, versioning),
      copy: async (from, to, options = {}) => copyObject(client, from, to, options, versioning),
      delete: async (key, options = {}) => deleteObject(client, key, options, versioning),
      multipart: s3Multipart(client, versioning),
    }),
    cors: s3Cors(client),
    inspect: (options = {}) => inspectBucket(client, options),
    async close() {
      credentials.close();
    },
  };
}

/** The first call of a source: it also finds the region where that is not known. */
async function decideVersioning(client: S3Client): Promise<Versioning> {
  const { versions, region } = client.settings;
  if (versions !== 'auto' && region !== undefined) return versions;
  const found = await findVersioning(client).catch((error: unknown) => {
    if (isRefusal(error)) return undefined;
    throw error;
  });
  if (versions !== 'auto') return versions;
  return found ?? guessVersioning(client);
}

/** Where the state of the bucket may not be read: an object that says its version tells that there are some. */
async function guessVersioning(client: S3Client): Promise<Versioning> {
  try {
    const { objects } = await listBucket(client, { prefix: '', limit: 1 }, 'off');
    const [first] = objects;
    if (first === undefined) return 'off';
    return (await statObject(client, first.key, {}, 'on')).version === undefined ? 'off' : 'on';
  } catch (error) {
    if (isRefusal(error)) return 'off';
    throw error;
  }
}

function isRefusal(error: unknown): boolean {
  return ['forbidden', 'unsupported', 'not_found', 'object_not_found', 'store_response'].some((code) =>
    isError(error, code as 'forbidden'),
  );
}
