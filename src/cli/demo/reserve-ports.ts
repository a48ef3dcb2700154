/** Free ports of the loopback, held until the program that is to listen on them starts. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';

export interface ReservedPorts<Name extends string> {
  readonly ports: Readonly<Record<Name, number>>;
  /** Lets go of them. May be called twice. */
  release(): Promise<void>;
}

export async function reservePorts<Name extends string>(names: readonly Name[]): Promise<ReservedPorts<Name>> {
  const held = names.map(() => createServer().listen(0, '127.0.0.1'));
  await Promise.all(held.map((server) => once(server, 'listening')));
  const ports = Object.fromEntries(names.map((name, index) => [name, portOf(held[index] as Server)])) as Record<Name, number>;
  const release = async (): Promise<void> => {
    await Promise.all(held.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
  };
  return { ports, release };
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
