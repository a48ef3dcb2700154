/** The identity that requests of a source are signed with: the one way that its options chose, never another. */
import type { DriverContext, DriverOptions } from '#drivers/driver.ts';
import { ambientProvider } from '#drivers/s3/ambient.ts';
import { type CredentialSource, fixedCredentials, noCredentials, refreshedCredentials } from '#drivers/s3/credentials.ts';
import { choose, refusal, type S3Settings, textOf } from '#drivers/s3/settings.ts';
import { parseInstant } from '#model/duration.ts';

/**
 * `environment`: that of the process, for ambient credentials alone.
 * Errors: source_credentials where keys are missing; request_invalid where options contradict each other or the secrets.
 */
export function openCredentials(
  { options, secrets }: DriverOptions,
  settings: S3Settings,
  context: DriverContext,
  environment: NodeJS.ProcessEnv = process.env,
): CredentialSource {
  const kind = choose(options, 'credentials', ['keys', 'anonymous', 'ambient']);
  const accessKeyId = secrets['AWS_ACCESS_KEY_ID']?.reveal();
  const secretAccessKey = secrets['AWS_SECRET_ACCESS_KEY']?.reveal();
  const sessionToken = secrets['AWS_SESSION_TOKEN']?.reveal();
  const ends = textOf(options, 'credentialsExpireAt');
  if (kind !== 'ambient') for (const name of ['ambient', 'profile']) refuseBeside(options, name, kind);
  if (kind !== 'keys') {
    if (accessKeyId !== undefined || secretAccessKey !== undefined || sessionToken !== undefined) {
      throw refusal(`With credentials ${kind} the keys of the source would not be used: remove them, or choose keys.`);
    }
    refuseBeside(options, 'credentialsExpireAt', kind);
  }
  if (kind === 'anonymous') return fixedCredentials(undefined, context.clock);
  if (kind === 'ambient') return refreshedCredentials(ambientProvider({ options, settings, context, environment }), context.clock);
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    const missing = accessKeyId === undefined ? 'AWS_ACCESS_KEY_ID' : 'AWS_SECRET_ACCESS_KEY';
    throw noCredentials(`The secret ${missing} is not set. Set it, or choose credentials anonymous for a public bucket.`);
  }
  if (ends !== undefined && sessionToken === undefined)
    throw refusal('Only keys with AWS_SESSION_TOKEN end: leave out credentialsExpireAt.');
  return fixedCredentials(
    {
      accessKeyId: plain('AWS_ACCESS_KEY_ID', accessKeyId),
      secretAccessKey: plain('AWS_SECRET_ACCESS_KEY', secretAccessKey),
      ...(sessionToken !== undefined && { sessionToken: plain('AWS_SESSION_TOKEN', sessionToken) }),
      ...(ends !== undefined && { expiresAt: parseInstant(ends) }),
    },
    context.clock,
  );
}

function refuseBeside(options: DriverOptions['options'], name: string, kind: string): void {
  if (textOf(options, name) !== undefined) throw refusal(`The option ${name} does not go with credentials ${kind}.`);
}

/** Keys travel in headers and URLs: what could not be sent is refused without being shown. */
function plain(name: string, value: string): string {
  if (/^[\x21-\x7e]+$/.test(value)) return value;
  throw noCredentials(`The secret ${name} holds a space or another character that no key has.`);
}
