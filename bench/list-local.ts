/**
 * Listing 1,000,000 keys from a store that does not make wait, over one connection: what the client itself costs. The peer is the paginator
 * of the AWS SDK. Flags: --keys N.
 */
import type { Bench, Done } from './bench.ts';
import { digestOf, ListServer, shapes } from './list/list-server.ts';
import { SideProcess } from './processes.ts';

let keys = 1_000_000;
let server: ListServer;
let our: SideProcess;
let sdk: SideProcess;

export const listLocal: Bench = {
  name: 'list-local',
  unit: 'keys',
  variants: shapes,
  async prepare(flags) {
    keys = Number(flags['keys'] ?? keys);
    server = await ListServer.start(keys, 0);
    our = new SideProcess(new URL('list/ours.ts', import.meta.url), { args: [server.endpoint, server.output('ours'), '1'], core: 1 });
    sdk = new SideProcess(new URL('list/sdk.ts', import.meta.url), { args: [server.endpoint, server.output('sdk')], core: 1 });
  },
  async verify() {
    for (const shape of shapes) {
      await Promise.all([our.run('list', shape), sdk.run('list', shape)]);
      const [ours, theirs] = [digestOf(server.output('ours')), digestOf(server.output('sdk'))];
      if (ours.count !== keys || ours.digest !== theirs.digest) throw new Error(`${shape}: ${JSON.stringify({ ours, theirs })}`);
    }
  },
  ours: (shape) => counted(our, shape),
  peers: { 'aws-sdk-js': (shape) => counted(sdk, shape) },
  async close() {
    await our.close();
    await sdk.close();
    await server.close();
  },
};

async function counted(side: SideProcess, shape: string): Promise<Done> {
  await server.stats();
  const done = await side.run('list', shape);
  const { requests, most } = await server.stats();
  return { ...done, facts: { ...done.facts, 'requests per page': requests / Math.ceil(keys / 1000), 'in flight': most } };
}
