/**
 * Credentials that a machine or container is given by its surroundings, asked for through the connector: an administrator must allow
 * the address (169.254.169.254, 169.254.170.2, …) by name in `endpoints.allow`.
 */
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import type { Connector } from '#drivers/connector.ts';
import { type CredentialProvider, noCredentials } from '#drivers/s3/credentials.ts';
import type { Credentials } from '#drivers/s3/sign.ts';

/** Milliseconds: they answer at once or not at all. */
const timeout = 5000;
const tokenSeconds = '21600';
/** Bytes. */
const answerLimit = 64 * 1024;

/** Source: Amazon EC2 user guide, “Use the Instance Metadata Service” (version 2 only: a token first, by PUT). */
export function instanceProvider(connector: Connector, environment: NodeJS.ProcessEnv): CredentialProvider {
  const base = new URL(environment['AWS_EC2_METADATA_SERVICE_ENDPOINT'] ?? 'http://169.254.169.254');
  const folder = '/latest/meta-data/iam/security-credentials/';
  return async (signal) => {
    if (environment['AWS_EC2_METADATA_DISABLED']?.toLowerCase() === 'true') {
      throw noCredentials('The instance metadata is switched off by AWS_EC2_METADATA_DISABLED.');
    }
    const ask = async (method: string, path: string, headers: Record<string, string>): Promise<string> =>
      read(connector, { method, url: new URL(path, base), headers, signal, what: 'instance metadata' });
    const token = await ask('PUT', '/latest/api/token', { 'x-aws-ec2-metadata-token-ttl-seconds': tokenSeconds });
    const headers = { 'x-aws-ec2-metadata-token': token };
    const role = (await ask('GET', folder, headers)).split('\n')[0]?.trim() ?? '';
    if (!/^[\w+=,.@-]{1,128}$/.test(role)) throw noCredentials('The instance has no role: attach one, or choose another way.');
    return parseAnswer(await ask('GET', folder + encodeURIComponent(role), headers), 'instance metadata');
  };
}

/** Source: AWS SDKs reference guide, “Container credential provider”. */
export function containerProvider(connector: Connector, environment: NodeJS.ProcessEnv): CredentialProvider {
  return async (signal) => {
    const url = containerUrl(environment);
    const file = environment['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'];
    const token = file === undefined ? environment['AWS_CONTAINER_AUTHORIZATION_TOKEN'] : await readToken(file);
    if (token !== undefined && !/^[\x20-\x7e]*$/.test(token)) throw noCredentials('The authorization token of the container is not valid.');
    const headers = token === undefined ? {} : { authorization: token };
    return parseAnswer(await read(connector, { method: 'GET', url, headers, signal, what: 'container endpoint' }), 'container endpoint');
  };
}

function containerUrl(environment: NodeJS.ProcessEnv): URL {
  const relative = environment['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'];
  const full = environment['AWS_CONTAINER_CREDENTIALS_FULL_URI'];
  if (relative !== undefined) {
    if (!relative.startsWith('/')) throw noCredentials('AWS_CONTAINER_CREDENTIALS_RELATIVE_URI begins with a slash.');
    return new URL(`http://169.254.170.2${relative}`);
  }
  const url = full !== undefined && URL.canParse(full) ? new URL(full) : undefined;
  if (url === undefined)
    throw noCredentials('Neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor a valid AWS_CONTAINER_CREDENTIALS_FULL_URI is set.');
  if (url.protocol !== 'https:' && (url.protocol !== 'http:' || !isNear(url.hostname.replace(/^\[|\]$/g, '')))) {
    throw noCredentials('AWS_CONTAINER_CREDENTIALS_FULL_URI leads to another machine without TLS: its token would be readable on the way.');
  }
  return url;
}

/** The addresses to which the token may go without TLS: this machine, and those of ECS and EKS. */
function isNear(host: string): boolean {
  return (
    (isIP(host) === 4 && host.startsWith('127.')) || ['::1', '169.254.170.2', '169.254.170.23', 'fd00:ec2::23', 'localhost'].includes(host)
  );
}

async function readToken(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (cause) {
    throw noCredentials('The file AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE cannot be read.', cause);
  }
}

interface Question {
  readonly method: string;
  readonly url: URL;
  readonly headers: Record<string, string>;
  readonly signal: AbortSignal;
  readonly what: string;
}

async function read(connector: Connector, { method, url, headers, signal, what }: Question): Promise<string> {
  const sent = method === 'PUT' ? { ...headers, 'content-length': '0' } : headers;
  const { status, body } = await connector.request({ method, url, headers: sent, signal, timeout });
  let text = '';
  for await (const chunk of body) {
    text += String(chunk);
    if (text.length > answerLimit) throw noCredentials(`The ${what} answered with too much.`);
  }
  if (status !== 200) throw noCredentials(`The ${what} gave no credentials (status ${status}).`);
  return text;
}

function parseAnswer(text: string, what: string): Credentials {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch (cause) {
    throw noCredentials(`The answer of the ${what} cannot be understood.`, cause);
  }
  const fields = (typeof answer === 'object' && answer !== null ? answer : {}) as Readonly<Record<string, unknown>>;
  const { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, Token: sessionToken, Expiration: expiration } = fields;
  const expiresAt = typeof expiration === 'string' ? Date.parse(expiration) : Number.NaN;
  if (
    ![accessKeyId, secretAccessKey, sessionToken].every((one) => typeof one === 'string' && /^[\x21-\x7e]+$/.test(one)) ||
    Number.isNaN(expiresAt)
  ) {
    throw noCredentials(`The answer of the ${what} holds no credentials.`);
  }
  return {
    accessKeyId: accessKeyId as string,
    secretAccessKey: secretAccessKey as string,
    sessionToken: sessionToken as string,
    expiresAt,
  };
}
