/** Our own driver against a server, as a source would open it. */
import type { Driver } from '#drivers/driver.ts';
import { s3Driver } from '#drivers/s3/definition.ts';
import { createConnector } from '#layers/connector.ts';
import type { Clock } from '#model/clock.ts';
import { systemClock } from '#model/clock.ts';
import { Secret } from '#model/secret.ts';
import { TestUrlSigner } from '#testing/url-server.ts';
import type { StoreKeys } from '../support/stores/signed-request.ts';
import type { StoreServer } from '../support/stores/store-server.ts';

export interface OpenOptions {
  readonly options?: Readonly<Record<string, string | number | boolean>>;
  readonly keys?: StoreKeys;
  readonly sessionToken?: string;
  readonly clock?: Clock;
}

export async function openOurs(server: StoreServer, bucket: string, more: OpenOptions = {}): Promise<Driver> {
  const { accessKeyId, secretAccessKey } = more.keys ?? server.keys;
  const { endpoint, region, provider } = server;
  const connector = createConnector({ allow: [new URL(endpoint).host] });
  const clock = more.clock ?? systemClock;
  const driver = await s3Driver.open(
    {
      options: { bucket, endpoint, region, provider, credentials: 'keys', writable: true, ...more.options },
      secrets: {
        AWS_ACCESS_KEY_ID: Secret.parse(accessKeyId),
        AWS_SECRET_ACCESS_KEY: Secret.parse(secretAccessKey),
        ...(more.sessionToken !== undefined && { AWS_SESSION_TOKEN: Secret.parse(more.sessionToken) }),
      },
    },
    { source: 'test', clock, connector, signer: new TestUrlSigner(clock) },
  );
  return {
    ...driver,
    async close() {
      await driver.close?.();
      await connector.close();
    },
  };
}
