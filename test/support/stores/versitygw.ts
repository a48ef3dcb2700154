/** versitygw: S3 in front of a folder. Buckets are folders, objects are files, what a file has no place for is in its extended attributes. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts } from '../free-port.ts';
import { makeProcesses, type Processes } from './processes.ts';
import type { StoreKeys } from './signed-request.ts';
import { answers, freshKeys, type StoreServer, storeServer } from './store-server.ts';

/** Its buckets are the folders below `folder`/data. Up in less than a second. */
export async function startVersitygw(): Promise<StoreServer> {
  const keys = freshKeys();
  const processes = await makeProcesses('versitygw', () => ({ ROOT_ACCESS_KEY: keys.accessKeyId, ROOT_SECRET_KEY: keys.secretAccessKey }));
  try {
    return await start(processes, keys, []).catch((error: unknown) => {
      // The file system of the temporary folder has no extended attributes: they become files beside.
      if (!processes.log().includes('xattr')) throw error;
      return start(processes, keys, ['--sidecar', join(processes.folder, 'sidecar')]);
    });
  } catch (error) {
    await processes.stop();
    throw error;
  }
}

async function start(processes: Processes, keys: StoreKeys, metadata: readonly string[]): Promise<StoreServer> {
  const { folder } = processes;
  for (const name of ['data', 'versions', 'users', 'sidecar']) await mkdir(join(folder, name), { recursive: true });
  const [port] = await freePorts(1);
  const endpoint = `http://127.0.0.1:${port}`;
  const region = 'us-east-1';
  const gateway = processes.start('versitygw', [
    ...['--port', `127.0.0.1:${port}`, '--region', region, '--health', '/health', '--quiet', '--keep-alive'],
    ...['--iam-dir', join(folder, 'users'), '--iam-cache-disable', '--virtual-domain', 'localhost'],
    ...['posix', '--versioning-dir', join(folder, 'versions'), ...metadata, join(folder, 'data')],
  ]);
  const ready = (): Promise<void> => answers(endpoint, '/health', processes);
  await ready();
  async function addKeys(): Promise<StoreKeys> {
    const more = freshKeys();
    const root = ['--access', keys.accessKeyId, '--secret', keys.secretAccessKey, '--endpoint-url', endpoint, '--region', region];
    const user = ['--role', 'admin', '--access', more.accessKeyId, '--secret', more.secretAccessKey];
    await processes.run('versitygw', ['admin', ...root, 'create-user', ...user]);
    return more;
  }
  return storeServer({ name: 'versitygw', provider: 'versitygw', endpoint, region, keys, processes, gateway, ready, addKeys });
}
