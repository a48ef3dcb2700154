/** Registers the s3 driver. */
import type { DriverDefinition } from '#drivers/driver.ts';
import { openS3 } from '#drivers/s3/driver.ts';
import { openCredentials } from '#drivers/s3/identity.ts';
import { s3Options, s3Secrets } from '#drivers/s3/options.ts';
import { parseSettings } from '#drivers/s3/settings.ts';

export const s3Driver: DriverDefinition = {
  kind: 's3',
  title: 'S3 and compatible object storage',
  options: s3Options,
  secrets: s3Secrets,
  async open(options, context) {
    const settings = parseSettings(options.options);
    const credentials = openCredentials(options, settings, context);
    try {
      return await openS3(settings, credentials, context);
    } catch (error) {
      credentials.close();
      throw error;
    }
  },
};
