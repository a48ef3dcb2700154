/** SeaweedFS in one process: its own lineage of S3, so other quirks than Ceph's. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts } from '../free-port.ts';
import { makeProcesses, waitFor } from './processes.ts';
import { type StoreKeys, send } from './signed-request.ts';
import { freshKeys, type StoreServer, storeServer } from './store-server.ts';

/** Without an identity it would let everybody in: the file names two, and being ready means refusing a stranger. */
export async function startSeaweedfs(): Promise<StoreServer> {
  const [keys, more] = [freshKeys(), freshKeys()];
  const processes = await makeProcesses('seaweedfs');
  try {
    const { folder } = processes;
    const [port, portGrpc, master, masterGrpc, volume, volumeGrpc, filer, filerGrpc, admin, adminGrpc] = await freePorts(10);
    const identities = [keys, more].map((pair, index) => ({
      name: `tester${index}`,
      credentials: [{ accessKey: pair.accessKeyId, secretKey: pair.secretAccessKey }],
      actions: ['Admin', 'Read', 'List', 'Tagging', 'Write'],
    }));
    await writeFile(join(folder, 's3.json'), JSON.stringify({ identities }));
    const gateway = processes.start('weed', [
      ...['mini', `-dir=${folder}`, '-ip=127.0.0.1', '-ip.bind=127.0.0.1', '-master.telemetry=false'],
      ...[`-s3.port=${port}`, `-s3.port.grpc=${portGrpc}`, `-master.port=${master}`, `-master.port.grpc=${masterGrpc}`],
      ...[`-volume.port=${volume}`, `-volume.port.grpc=${volumeGrpc}`, `-filer.port=${filer}`, `-filer.port.grpc=${filerGrpc}`],
      ...[`-admin.port=${admin}`, `-admin.port.grpc=${adminGrpc}`],
      ...['-webdav=false', '-admin.ui=false', '-s3.port.iceberg=0', '-s3.port.lance=0', '-s3.autoCreateBucket=false'],
      ...[`-filer.localSocket=${folder}/filer.sock`, `-s3.localSocket=${folder}/s3.sock`],
      ...[`-s3.config=${join(folder, 's3.json')}`, '-s3.domainName=localhost', '-master.volumeSizeLimitMB=32'],
    ]);
    const endpoint = `http://127.0.0.1:${port}`;
    const region = 'us-east-1';
    async function ready(): Promise<void> {
      await waitFor('a gateway that refuses strangers and knows its own', processes, async () => {
        const address = { endpoint, region, keys };
        const stranger = await send(address, { method: 'GET', keys: 'anonymous' });
        const known = await send(address, { method: 'GET' });
        return stranger.status === 403 && known.status === 200;
      });
    }
    await ready();
    const addKeys = async (): Promise<StoreKeys> => more;
    return storeServer({ name: 'seaweedfs', provider: 'seaweedfs', endpoint, region, keys, processes, gateway, ready, addKeys });
  } catch (error) {
    await processes.stop();
    throw error;
  }
}
