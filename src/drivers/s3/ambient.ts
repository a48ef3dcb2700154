/**
 * Ambient credentials: what the machine that runs packageR holds, taken only where an administrator chose so, and only in the way chosen.
 * `chain` takes the first way that is set up – environment, web-identity, profile, container, instance – and stays with it; a way that is
 * set up and fails is an error. Roles are assumed by the AWS SDK, which is loaded when needed and speaks through our connector.
 */
import type { Connector } from '#drivers/connector.ts';
import type { DriverContext, DriverOptions } from '#drivers/driver.ts';
import { type CredentialProvider, noCredentials } from '#drivers/s3/credentials.ts';
import { containerProvider, instanceProvider } from '#drivers/s3/metadata.ts';
import { checkProfile, profileFiles, readProfiles } from '#drivers/s3/profiles.ts';
import { choose, refusal, type S3Settings, textOf } from '#drivers/s3/settings.ts';
import type { Credentials } from '#drivers/s3/sign.ts';
import { PackageRError } from '#errors/error.ts';

export interface AmbientOptions {
  readonly options: DriverOptions['options'];
  readonly settings: S3Settings;
  readonly context: Pick<DriverContext, 'connector'>;
  readonly environment: NodeJS.ProcessEnv;
}

type Way = 'environment' | 'web-identity' | 'profile' | 'container' | 'instance';

/** Errors: request_invalid for an unknown way or a profile that goes with another; the provider's: see CredentialProvider. */
export function ambientProvider({ options, settings, context, environment }: AmbientOptions): CredentialProvider {
  const way = choose(options, 'ambient', ['chain', 'environment', 'web-identity', 'profile', 'container', 'instance']);
  const named = textOf(options, 'profile');
  if (named !== undefined && way !== 'profile' && way !== 'chain') throw refusal(`The option profile does not go with ambient ${way}.`);
  const profile = named ?? environment['AWS_PROFILE'] ?? 'default';
  const { connector } = context;
  const client = {
    region: settings.region ?? environment['AWS_REGION'] ?? 'us-east-1',
    requestHandler: new SdkHandler(connector),
    maxAttempts: 2,
  };
  const ways: Readonly<Record<Way, CredentialProvider>> = {
    environment: async () => fromEnvironment(environment),
    'web-identity': () => fromWebIdentity(environment, client),
    profile: () => fromProfile(profile, environment, client),
    container: containerProvider(connector, environment),
    instance: instanceProvider(connector, environment),
  };
  let chosen: Way | undefined = way === 'chain' ? undefined : way;
  return async (signal) => {
    chosen ??= await findWay(environment, named !== undefined, profile);
    try {
      return await ways[chosen](signal);
    } catch (error) {
      throw explain(error, chosen);
    }
  };
}

async function findWay(environment: NodeJS.ProcessEnv, isNamed: boolean, profile: string): Promise<Way> {
  if (isNamed) return 'profile';
  if (environment['AWS_ACCESS_KEY_ID'] && environment['AWS_SECRET_ACCESS_KEY']) return 'environment';
  if (environment['AWS_WEB_IDENTITY_TOKEN_FILE'] && environment['AWS_ROLE_ARN']) return 'web-identity';
  if ((await readProfiles(profileFiles(environment))).has(profile)) return 'profile';
  if (environment['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'] ?? environment['AWS_CONTAINER_CREDENTIALS_FULL_URI']) return 'container';
  return 'instance';
}

function fromEnvironment(environment: NodeJS.ProcessEnv): Credentials {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: sessionToken } = environment;
  if (!accessKeyId || !secretAccessKey)
    throw noCredentials('AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not in the environment of packageR.');
  const expiresAt = Date.parse(environment['AWS_CREDENTIAL_EXPIRATION'] ?? '');
  return { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }), ...(!Number.isNaN(expiresAt) && { expiresAt }) };
}

async function fromWebIdentity(environment: NodeJS.ProcessEnv, clientConfig: object): Promise<Credentials> {
  const { AWS_WEB_IDENTITY_TOKEN_FILE: webIdentityTokenFile, AWS_ROLE_ARN: roleArn, AWS_ROLE_SESSION_NAME: roleSessionName } = environment;
  if (!webIdentityTokenFile || !roleArn)
    throw noCredentials('AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN are not in the environment of packageR.');
  const { fromTokenFile } = await import('@aws-sdk/credential-providers');
  const given = { webIdentityTokenFile, roleArn, roleSessionName: roleSessionName ?? 'package-r', clientConfig };
  return fromSdk(await fromTokenFile(given)());
}

async function fromProfile(profile: string, environment: NodeJS.ProcessEnv, clientConfig: object): Promise<Credentials> {
  const files = profileFiles(environment);
  checkProfile(await readProfiles(files), profile);
  const { fromIni } = await import('@aws-sdk/credential-providers');
  const given = { profile, filepath: files.credentials, configFilepath: files.config, ignoreCache: true, clientConfig };
  return fromSdk(await fromIni(given)());
}

interface SdkCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
}

function fromSdk({ accessKeyId, secretAccessKey, sessionToken, expiration }: SdkCredentials): Credentials {
  return { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }), ...(expiration && { expiresAt: expiration.getTime() }) };
}

/** Our errors as they are, also below those of the SDK; whatever else without its text. */
function explain(error: unknown, way: Way): PackageRError {
  for (let cause = error; cause instanceof Error; cause = cause.cause) if (cause instanceof PackageRError) return cause;
  const name = error instanceof Error && /^[A-Za-z]{1,60}$/.test(error.name) ? ` (${error.name})` : '';
  return noCredentials(`The ${way} of the machine that runs packageR gave no credentials${name}.`, error);
}

interface SdkRequest {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>;
  readonly headers: Record<string, string>;
  readonly body?: string | Uint8Array;
}

/** How the SDK's clients send: through our connector. */
class SdkHandler {
  readonly #connector: Connector;

  constructor(connector: Connector) {
    this.#connector = connector;
  }

  async handle(request: SdkRequest): Promise<{ response: { statusCode: number; headers: Record<string, string>; body: unknown } }> {
    const { method, protocol, hostname, port, path, query = {}, headers, body } = request;
    const url = new URL(`${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}`);
    for (const [name, value] of Object.entries(query)) for (const one of [value].flat()) url.searchParams.append(name, one ?? '');
    const bytes = body === undefined ? {} : { body: Buffer.from(body) };
    const { status, headers: received, body: answer } = await this.#connector.request({ method, url, headers, ...bytes });
    return { response: { statusCode: status, headers: { ...received }, body: answer } };
  }

  updateHttpClientConfig(): void {}

  httpHandlerConfigs(): object {
    return {};
  }

  destroy(): void {}
}
