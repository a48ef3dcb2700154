/** The listener that only the operator of a data folder can reach: a unix socket of mode 0600. Who comes by it is packageR itself. */
import { chmod, rm } from 'node:fs/promises';
import { createServer, type Server as NodeServer } from 'node:http';
import type { Socket } from 'node:net';
import { markLocal } from './actor.ts';
import { answerProblem } from './errors.ts';
import type { Server } from './route.ts';

export interface LocalListener {
  readonly path: string;
  close(): Promise<void>;
}

/** The caller made sure that nobody else listens there, in a folder that only the operator can enter. */
export async function listenLocal(server: Server, path: string): Promise<LocalListener> {
  await server.ready();
  await rm(path, { force: true });
  const node: NodeServer = createServer({ maxHeaderSize: 16 * 1024, requestTimeout: 0 }, (request, response) =>
    server.routing(request, response),
  );
  node.on('connection', (socket: Socket) => markLocal(socket));
  node.on('clientError', answerProblem);
  const before = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      node.once('error', reject);
      node.listen(path, resolve);
    });
  } finally {
    process.umask(before);
  }
  await chmod(path, 0o600);
  return {
    path,
    async close() {
      node.closeAllConnections();
      await new Promise<void>((resolve) => {
        node.close(() => resolve());
      });
      await rm(path, { force: true });
    },
  };
}
