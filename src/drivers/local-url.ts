/** Temporary URLs of stores whose bytes packageR itself serves (`folder`, `memory`): signed by the UrlSigner of the context. */
import type { Capabilities } from '#drivers/capability.ts';
import type { DriverContext, PresignRequest } from '#drivers/driver.ts';
import { PackageRError } from '#errors/error.ts';
import type { TemporaryUrl } from '#model/temporary-url.ts';

/** Seconds: seven days, the limit of every cloud too. */
export const localUrlMaxSeconds = 604_800;

/** Errors: request_invalid for a life out of range; unsupported for a PUT where the store is read-only, or a version where it has none. */
export function presignLocally(request: PresignRequest, capabilities: Capabilities, context: DriverContext): TemporaryUrl {
  const { method, key, expiresIn, version, etag, responseHeaders, part } = request;
  if (!Number.isInteger(expiresIn) || expiresIn < 1 || expiresIn > localUrlMaxSeconds) {
    throw refused('request_invalid', `A temporary URL lives 1 to ${localUrlMaxSeconds} seconds.`);
  }
  if (method === 'PUT' && !capabilities.write) throw refused('unsupported', 'This source is read-only.');
  if (part !== undefined && method !== 'PUT') throw refused('request_invalid', 'Only a PUT can be for a part of an upload.');
  if (version !== undefined && !capabilities.versions) throw refused('unsupported', 'This source keeps no object versions.');
  const expiresAt = context.clock() + expiresIn * 1000;
  const url = context.signer.sign({ source: context.source, key, method, expiresAt, version, etag, responseHeaders, part });
  return { method, url, headers: {}, expiresAt };
}

function refused(code: 'request_invalid' | 'unsupported', message: string): PackageRError {
  return new PackageRError(code, message, { operation: 'driver.presign' });
}
