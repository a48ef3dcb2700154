/** Ceph's gateway on a cluster of one monitor and one disk in memory: the strictest S3 peer there is for tests. */
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts } from '../free-port.ts';
import { makeProcesses, type Processes, waitFor } from './processes.ts';
import type { StoreKeys } from './signed-request.ts';
import { answers, freshKeys, type StoreServer, storeServer } from './store-server.ts';

interface Cluster {
  readonly folder: string;
  readonly id: string;
  readonly monitorPort: number;
  readonly port: number;
}

/**
 * Without authentication between its daemons, and only their old protocol. The two `update on start` lines and the place that
 * `startCluster` gives the disk by hand belong together: else the disk asks the monitor before it knows the cluster, and stops.
 */
const configuration = ({ folder, id, monitorPort, port }: Cluster): string => `[global]
fsid = ${id}
mon initial members = a
mon host = [v1:127.0.0.1:${monitorPort}]
ms bind msgr2 = false
public addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 2000
mon data avail crit = 1
run dir = ${folder}/run
log file = ${folder}/log/$name.log
admin socket = ${folder}/run/$name.asok
keyring = ${folder}/keyring
[mon.a]
mon data = ${folder}/mon
mon addr = 127.0.0.1:${monitorPort}
[osd]
osd data = ${folder}/osd0
osd objectstore = memstore
memstore device bytes = 4294967296
osd class update on start = false
osd crush update on start = false
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:${port}
rgw data = ${folder}/rgw
rgw dns name = localhost
rgw enable usage log = false
rgw run sync thread = false
`;

/** Up in about 12 s, most of which the gateway needs to create its pools. */
export async function startRadosgw(): Promise<StoreServer> {
  const processes = await makeProcesses('radosgw', (folder) => ({ CEPH_CONF: join(folder, 'ceph.conf') }));
  try {
    const [monitorPort = 0, port = 0] = await freePorts(2);
    const cluster = { folder: processes.folder, id: randomUUID(), monitorPort, port };
    await startCluster(processes, cluster);
    const endpoint = `http://127.0.0.1:${cluster.port}`;
    const gateway = processes.start('radosgw', ['-n', 'client.rgw', '-f']);
    const ready = (): Promise<void> => answers(endpoint, '/', processes);
    await ready();
    const addKeys = (): Promise<StoreKeys> => addUser(processes);
    const keys = await addKeys();
    return storeServer({ name: 'radosgw', provider: 'ceph', endpoint, region: 'us-east-1', keys, processes, gateway, ready, addKeys });
  } catch (error) {
    await processes.stop();
    throw error;
  }
}

async function startCluster(processes: Processes, cluster: Cluster): Promise<void> {
  const { run, folder } = processes;
  const [keyring, map] = [join(folder, 'keyring'), join(folder, 'monmap')];
  for (const name of ['mon', 'osd0', 'rgw', 'run', 'log']) await mkdir(join(folder, name));
  await writeFile(join(folder, 'ceph.conf'), configuration(cluster));

  await run('ceph-authtool', ['-C', keyring, '--gen-key', '-n', 'mon.', '--cap', 'mon', 'allow *']);
  await run('ceph-authtool', [keyring, '--gen-key', '-n', 'client.admin', '--cap', 'mon', 'allow *', '--cap', 'osd', 'allow *']);
  await run('monmaptool', ['--create', '--addv', 'a', `[v1:127.0.0.1:${cluster.monitorPort}]`, '--fsid', cluster.id, map]);
  await run('ceph-mon', ['-i', 'a', '--mkfs', '--monmap', map, '--keyring', keyring]);
  processes.start('ceph-mon', ['-i', 'a', '-f']);
  const ceph = (...args: string[]): Promise<string> => run('ceph', ['--connect-timeout', '5', ...args]);
  await waitFor('monitor', processes, async () => (await ceph('mon', 'stat')) !== '');

  const disk = randomUUID();
  await ceph('osd', 'new', disk, '0');
  await run('ceph-osd', ['-i', '0', '--mkfs', '--osd-uuid', disk]);
  await ceph('osd', 'crush', 'add', 'osd.0', '1.0', 'host=h', 'root=default');
  processes.start('ceph-osd', ['-i', '0', '-f']);
  await waitFor('disk', processes, async () => (await ceph('osd', 'stat')).includes('1 up'));
}

/** Users of the gateway own their buckets: a second pair of keys belongs to the same user. */
async function addUser(processes: Processes): Promise<StoreKeys> {
  const keys = freshKeys();
  const pair = ['--uid=tester', `--access-key=${keys.accessKeyId}`, `--secret-key=${keys.secretAccessKey}`];
  const isThere = await processes.run('radosgw-admin', ['user', 'info', '--uid=tester']).then(
    () => true,
    () => false,
  );
  if (isThere) await processes.run('radosgw-admin', ['key', 'create', '--key-type=s3', ...pair]);
  else await processes.run('radosgw-admin', ['user', 'create', '--display-name=tester', ...pair]);
  return keys;
}
