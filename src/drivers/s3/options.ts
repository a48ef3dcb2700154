/** Options and secrets of the s3 driver. What they may be together is checked in `settings.ts` and `credentials.ts`. */
import { Type } from 'typebox';
import type { SecretOption } from '#drivers/driver.ts';
import { providers } from '#drivers/s3/quirks.ts';

const oneOf = (values: readonly string[], fallback: string, description: string) =>
  Type.Optional(Type.String({ enum: values, default: fallback, description }));
const text = (description: string, maxLength = 255) => Type.Optional(Type.String({ minLength: 1, maxLength, description }));
const flag = (description: string) => Type.Optional(Type.Boolean({ default: false, description }));

export const s3Options = Type.Object(
  {
    bucket: Type.String({ minLength: 1, maxLength: 255, description: 'Name of the bucket.' }),
    prefix: Type.Optional(
      Type.String({
        maxLength: 1023,
        pattern: '^([^/\\u0000]+/)*[^/\\u0000]*$',
        description: 'Only keys below this prefix, such as “data/2026”; a slash at the end may be left out. Nothing: the whole bucket.',
      }),
    ),
    provider: text(
      `Whose store it is: ${providers.map((one) => one.name).join(', ')}. “aws” where there is no endpoint, else “other”.`,
      40,
    ),
    endpoint: text('Address of the store, such as “https://s3.example.com”. Left out where the provider and region tell it.', 2048),
    publicEndpoint: text(
      'Address under which clients reach the store, if it is another than “endpoint”: temporary URLs are made for it.',
      2048,
    ),
    region: text('Region of the bucket. Left out: found out when the source is opened.', 64),
    style: oneOf(
      ['auto', 'path', 'virtual'],
      'auto',
      'Where the bucket is named: in the path, or in the host name (virtual). “auto” knows by provider and name.',
    ),
    credentials: oneOf(
      ['keys', 'anonymous', 'ambient'],
      'keys',
      'How requests are signed: with the keys of this source, not at all (public buckets), or with what the machine that runs packageR holds (ambient).',
    ),
    credentialsExpireAt: text(
      'Instant at which keys with a session token end, such as “2026-11-23T12:00:00Z”; URLs do not outlive it.',
      40,
    ),
    ambient: oneOf(
      ['chain', 'environment', 'profile', 'web-identity', 'container', 'instance'],
      'chain',
      'With “credentials: ambient”: where they come from. “chain” takes the first that is there: environment, web-identity, profile, container, instance.',
    ),
    profile: text('With “ambient: profile” (or “chain”): profile of the AWS configuration files; “default” where left out.'),
    versions: oneOf(['auto', 'on', 'off'], 'auto', 'Whether object versions are used; “auto” asks the bucket.'),
    writable: flag('Let people with the right to create, modify and delete objects in it.'),
    ca: text('Certificates (PEM) of a private authority that the store’s certificate comes from.', 65_536),
    insecure: flag('Accept any certificate of the store. Anyone on the way can then read and change what is sent.'),
  },
  { additionalProperties: false },
);

export const s3Secrets: readonly SecretOption[] = [
  { name: 'AWS_ACCESS_KEY_ID', description: 'Access key id.', required: false, file: 'AWS_ACCESS_KEY_ID' },
  { name: 'AWS_SECRET_ACCESS_KEY', description: 'Secret access key.', required: false, file: 'AWS_SECRET_ACCESS_KEY' },
  { name: 'AWS_SESSION_TOKEN', description: 'Session token, for temporary keys only.', required: false, file: 'AWS_SESSION_TOKEN' },
];
