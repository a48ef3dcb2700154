/** From a bucket on a real server to a collaborator's disk, by the product as people run it. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import type { StoreServer } from '../support/stores/store-server.ts';
import { life, testClients } from './journey-clients.ts';
import { testPins } from './journey-pins.ts';
import { testRotation } from './journey-rotation.ts';
import { testUploads } from './journey-uploads.ts';
import { openStoreWorld, type StoreWorld, secretsFolder } from './store-world.ts';

/** `start` is asked when tests run, and gives the server that runs already; who started it stops it. */
export function testJourneys(start: () => StoreServer): void {
  describe('journeys', () => {
    let world: StoreWorld;

    beforeAll(async () => {
      const server = start();
      world = await openStoreWorld(server, {
        PACKAGE_R_EXCHANGE_DEFAULT_SECONDS: String(life),
        PACKAGE_R_EXCHANGE_FLOOR_SECONDS: '1',
        PACKAGE_R_SECRETS_FOLDER: join(server.folder, secretsFolder),
        PACKAGE_R_LIMITS_HTTP_IN_FLIGHT_PER_PEER: '1000',
      });
    });
    afterAll(() => world?.stop());

    testClients(() => world);
    testPins(() => world);
    testRotation(() => world);
    testUploads(() => world);
  });
}
