/** The one way to credentials that was chosen, against servers that act as a machine's surroundings. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Connector } from '#drivers/connector.ts';
import type { DriverContext } from '#drivers/driver.ts';
import { type CredentialSource, fixedCredentials, refreshedCredentials } from '#drivers/s3/credentials.ts';
import { openCredentials } from '#drivers/s3/identity.ts';
import { parseSettings } from '#drivers/s3/settings.ts';
import { PackageRError } from '#errors/error.ts';
import { Secret } from '#model/secret.ts';

const now = Date.UTC(2026, 10, 23);
const hour = 3_600_000;
const keys = { AWS_ACCESS_KEY_ID: 'AKIA', AWS_SECRET_ACCESS_KEY: 'se+/cret' };
const folder = mkdtempSync(join(tmpdir(), 'package-r-identity-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** One server for all roles: whoever asks is told by the path. */
let server: Server;
let origin = '';
let asked: Asked[] = [];
let answers: (request: Asked) => readonly [status: number, body: string];
/** Hosts that were dialled, as the connector saw them; all lead to the server. */
let hosts: string[] = [];

const connector: Connector = {
  async request({ method, url, headers = {}, body }) {
    hosts.push(url.hostname);
    const { host: _, ...sent } = headers as Record<string, string>;
    const answer = await fetch(origin + url.pathname + url.search, {
      method,
      headers: sent,
      ...(body !== undefined && { body: Buffer.from(body as Uint8Array) }),
    });
    return {
      status: answer.status,
      headers: Object.fromEntries(answer.headers),
      body: Readable.from([Buffer.from(await answer.arrayBuffer())]),
    };
  },
  close: async () => undefined,
};

beforeAll(async () => {
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method, url, headers } = request;
    const question = { method, url, headers, body: Buffer.concat(chunks).toString() };
    asked.push(question);
    const [status, body] = answers(question);
    response.writeHead(status, { 'content-type': 'text/plain' }).end(body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());
beforeEach(() => {
  [asked, hosts] = [[], []];
  answers = () => [404, ''];
});

function open(
  options: Record<string, string>,
  secrets: Record<string, string> = {},
  environment: NodeJS.ProcessEnv = {},
): CredentialSource {
  const given = { bucket: 'bucket', region: 'eu-west-1', ...options };
  const hidden = Object.fromEntries(Object.entries(secrets).map(([name, value]) => [name, Secret.parse(value)]));
  const context = { clock: () => now, connector } as unknown as DriverContext;
  const home = { HOME: folder, ...environment };
  return openCredentials({ options: given, secrets: hidden }, parseSettings(given), context, home);
}

const ambient = (ambient: string, environment: NodeJS.ProcessEnv = {}, more: Record<string, string> = {}): CredentialSource =>
  open({ credentials: 'ambient', ambient, ...more }, {}, environment);

const metadata = (expiresAt = now + hour): string =>
  JSON.stringify({ AccessKeyId: 'ASIA', SecretAccessKey: 'secret', Token: 'token', Expiration: new Date(expiresAt).toISOString() });

describe('keys', () => {
  it('are taken as they are, with their token and end', async () => {
    const source = open({ credentialsExpireAt: '2026-11-23T01:00:00Z' }, { ...keys, AWS_SESSION_TOKEN: 'token' });
    const whole = { accessKeyId: 'AKIA', secretAccessKey: 'se+/cret', sessionToken: 'token', expiresAt: now + hour };
    expect([source.kind, source.current, await source.get()]).toEqual(['keys', whole, whole]);
    expect(open({}, keys).current).toEqual({ accessKeyId: 'AKIA', secretAccessKey: 'se+/cret' });
  });

  it('end when they end', async () => {
    let time = now;
    const source = fixedCredentials({ accessKeyId: 'a', secretAccessKey: 'b', expiresAt: now + 10 }, () => time);
    expect(source.current).toBeDefined();
    time = now + 10;
    expect(source.current).toBeUndefined();
    await expect(source.get()).rejects.toMatchObject({ code: 'source_credentials' });
  });

  it.each<[Record<string, string>, Record<string, string>, string, string]>([
    [{}, {}, 'source_credentials', 'AWS_ACCESS_KEY_ID is not set'],
    [{}, { AWS_ACCESS_KEY_ID: 'AKIA' }, 'source_credentials', 'AWS_SECRET_ACCESS_KEY is not set'],
    [{}, { ...keys, AWS_SECRET_ACCESS_KEY: 'se cret' }, 'source_credentials', 'AWS_SECRET_ACCESS_KEY holds a space'],
    [{}, { ...keys, AWS_SESSION_TOKEN: 'a\nb' }, 'source_credentials', 'AWS_SESSION_TOKEN holds a space'],
    [{ credentials: 'anonymous' }, keys, 'request_invalid', 'would not be used'],
    [{ credentials: 'ambient' }, keys, 'request_invalid', 'would not be used'],
    [{ credentials: 'anonymous', profile: 'x' }, {}, 'request_invalid', 'profile does not go with credentials anonymous'],
    [{ ambient: 'instance' }, keys, 'request_invalid', 'ambient does not go with credentials keys'],
    [{ credentialsExpireAt: '2026-11-23T01:00:00Z' }, keys, 'request_invalid', 'Only keys with AWS_SESSION_TOKEN end'],
    [{ credentialsExpireAt: 'tomorrow' }, { ...keys, AWS_SESSION_TOKEN: 't' }, 'instant_invalid', 'tomorrow'],
    [
      { credentials: 'ambient', credentialsExpireAt: '2026-11-23T01:00:00Z' },
      {},
      'request_invalid',
      'does not go with credentials ambient',
    ],
    [{ credentials: 'ambient', ambient: 'instance', profile: 'x' }, {}, 'request_invalid', 'profile does not go with ambient instance'],
    [{ credentials: 'ambient', ambient: 'instnce' }, {}, 'request_invalid', 'Did you mean "instance"?'],
    [{ credentials: 'key' }, keys, 'request_invalid', 'Did you mean "keys"?'],
  ])('%j with %j', (options, secrets, code, message) => {
    const act = () => open(options, secrets);
    expect(act).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
    for (const value of Object.values(secrets)) if (value.length > 4) expect(act).not.toThrow(value);
  });
});

it('anonymous is nothing at all, whatever the machine holds', async () => {
  const source = open({ credentials: 'anonymous' }, {}, keys);
  expect([source.kind, source.current, await source.get()]).toEqual(['anonymous', undefined, undefined]);
});

it('keys are never taken from the environment unless that was chosen', () => {
  expect(() => open({}, {}, keys)).toThrow('AWS_ACCESS_KEY_ID is not set');
});

describe('ambient', () => {
  it('environment', async () => {
    const ends = new Date(now + hour).toISOString();
    const source = ambient('environment', { ...keys, AWS_SESSION_TOKEN: 'token', AWS_CREDENTIAL_EXPIRATION: ends });
    expect([source.kind, source.current]).toEqual(['ambient', undefined]);
    const whole = { accessKeyId: 'AKIA', secretAccessKey: 'se+/cret', sessionToken: 'token', expiresAt: now + hour };
    expect(await source.get()).toEqual(whole);
    expect(source.current).toEqual(whole);
    source.close();
    await expect(ambient('environment').get()).rejects.toMatchObject({ code: 'source_credentials' });
    expect(asked).toEqual([]);
  });

  it('instance: version 2, a token first', async () => {
    answers = ({ method, url, headers }) => {
      if (method === 'PUT' && url === '/latest/api/token') return [200, 'imds-token'];
      if (headers['x-aws-ec2-metadata-token'] !== 'imds-token') return [401, ''];
      if (url === '/latest/meta-data/iam/security-credentials/') return [200, 'my-role\n'];
      return url === '/latest/meta-data/iam/security-credentials/my-role' ? [200, metadata()] : [404, ''];
    };
    const source = ambient('instance');
    expect(await source.get()).toEqual({ accessKeyId: 'ASIA', secretAccessKey: 'secret', sessionToken: 'token', expiresAt: now + hour });
    expect(hosts).toEqual(['169.254.169.254', '169.254.169.254', '169.254.169.254']);
    expect(asked[0]?.headers['x-aws-ec2-metadata-token-ttl-seconds']).toBe('21600');
    source.close();
    await expect(ambient('instance', { AWS_EC2_METADATA_DISABLED: 'true' }).get()).rejects.toThrow('switched off');
  });

  it.each([
    ['no role', '', ''],
    ['a role that leads elsewhere', '../../user-data', metadata()],
    ['no JSON', 'role', '<html>secret'],
    ['no keys', 'role', '{"Code":"Failed"}'],
    ['no end', 'role', metadata().replace('Expiration', 'Other')],
    ['a line break in a key', 'role', metadata().replace('ASIA', 'A\\nB')],
    ['too much', 'role', 'x'.repeat(70_000)],
  ])('instance: %s is an error that shows nothing of the answer', async (_, role, answer) => {
    answers = ({ method, url }) => (method === 'PUT' ? [200, 'token'] : [200, url?.endsWith('/') ? role : answer]);
    const failed = await ambient('instance')
      .get()
      .catch((error: unknown) => error as PackageRError);
    expect(failed).toMatchObject({ code: 'source_credentials' });
    expect(String(failed)).not.toMatch(/ASIA|html|xxx/);
  });

  it('container: by relative or full address, with its token', async () => {
    answers = ({ url, headers }) => (url === '/v2/credentials/1' && headers.authorization === 'Bearer t' ? [200, metadata()] : [403, '']);
    const token = { AWS_CONTAINER_AUTHORIZATION_TOKEN: 'Bearer t' };
    const relative = ambient('container', { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/v2/credentials/1', ...token });
    expect(await relative.get()).toMatchObject({ accessKeyId: 'ASIA' });
    const file = join(folder, 'token');
    writeFileSync(file, 'Bearer t\n');
    const full = ambient('container', {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://169.254.170.23/v2/credentials/1',
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file,
    });
    expect(await full.get()).toMatchObject({ accessKeyId: 'ASIA' });
    expect(hosts).toEqual(['169.254.170.2', '169.254.170.23']);
    for (const source of [relative, full]) source.close();
    await expect(ambient('container').get()).rejects.toMatchObject({ code: 'source_credentials' });
    for (const far of ['http://store.example/x', 'http://127.0.0.1.evil.example/', 'ftp://127.0.0.1/', 'nothing']) {
      await expect(ambient('container', { AWS_CONTAINER_CREDENTIALS_FULL_URI: far, ...token }).get()).rejects.toMatchObject({
        code: 'source_credentials',
      });
    }
    expect(hosts).toHaveLength(2);
  });

  const assumed = (action: string): string => {
    const inner = `<Credentials><AccessKeyId>ASIASTS</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>${new Date(now + hour).toISOString()}</Expiration></Credentials>`;
    return `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${action}Result>${inner}</${action}Result></${action}Response>`;
  };

  it('web identity: the role is assumed by the SDK through our connector', async () => {
    answers = () => [200, assumed('AssumeRoleWithWebIdentity')];
    const file = join(folder, 'identity');
    writeFileSync(file, 'a.jwt.token');
    const source = ambient('web-identity', { AWS_WEB_IDENTITY_TOKEN_FILE: file, AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/r' });
    expect(await source.get()).toEqual({ accessKeyId: 'ASIASTS', secretAccessKey: 's', sessionToken: 't', expiresAt: now + hour });
    expect(hosts).toEqual(['sts.eu-west-1.amazonaws.com']);
    expect(asked[0]?.body).toContain('WebIdentityToken=a.jwt.token');
    source.close();
    await expect(ambient('web-identity').get()).rejects.toThrow('are not in the environment');
  });

  it('profile: keys, or a role by way of them', async () => {
    answers = () => [200, assumed('AssumeRole')];
    const credentials = join(folder, 'credentials');
    const config = join(folder, 'config');
    writeFileSync(
      credentials,
      '[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key = s\n[base]\naws_access_key_id=AKIABASE\naws_secret_access_key=s\n',
    );
    writeFileSync(
      config,
      '[profile role]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\n[profile runs]\ncredential_process = touch x\n' +
        '[profile by]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = runs\n[profile loop]\nrole_arn=a\nsource_profile=loop2\n[profile loop2]\nrole_arn=a\nsource_profile=loop\n',
    );
    const environment = { AWS_SHARED_CREDENTIALS_FILE: credentials, AWS_CONFIG_FILE: config };
    expect(await ambient('profile', environment).get()).toEqual({ accessKeyId: 'AKIADEFAULT', secretAccessKey: 's' });
    expect(asked).toEqual([]);
    const role = ambient('profile', environment, { profile: 'role' });
    expect(await role.get()).toMatchObject({ accessKeyId: 'ASIASTS', expiresAt: now + hour });
    expect(hosts).toEqual(['sts.eu-west-1.amazonaws.com']);
    role.close();
    await expect(ambient('profile', environment, { profile: 'rloe' }).get()).rejects.toThrow('Did you mean "role"?');
    for (const profile of ['runs', 'by']) {
      await expect(ambient('profile', environment, { profile }).get()).rejects.toThrow('credential_process, which starts a program');
    }
    await expect(ambient('profile', environment, { profile: 'loop' }).get()).rejects.toMatchObject({ code: 'source_credentials' });
  });

  it('chain: the first that is set up, and no other when it fails', async () => {
    const token = join(folder, 'identity');
    writeFileSync(token, 'a.jwt.token');
    answers = () => [200, assumed('AssumeRoleWithWebIdentity')];
    const identity = { AWS_WEB_IDENTITY_TOKEN_FILE: token, AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/r' };
    const none = { AWS_SHARED_CREDENTIALS_FILE: join(folder, 'none'), AWS_CONFIG_FILE: join(folder, 'none') };
    expect(await ambient('chain', { ...keys, ...identity, ...none }).get()).toMatchObject({ accessKeyId: 'AKIA' });
    const second = ambient('chain', { ...identity, ...none });
    expect(await second.get()).toMatchObject({ accessKeyId: 'ASIASTS' });
    second.close();
    answers = () => [403, '<ErrorResponse><Error><Code>AccessDenied</Code><Message>for secret reasons</Message></Error></ErrorResponse>'];
    const failed = await ambient('chain', { ...identity, ...none, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/x' })
      .get()
      .catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 'source_credentials', message: expect.stringContaining('web-identity') });
    expect(String(failed)).not.toContain('secret reasons');
    expect(hosts.every((host) => host.startsWith('sts.'))).toBe(true);
    hosts = [];
    await expect(ambient('chain', none).get()).rejects.toMatchObject({ code: 'source_credentials' });
    expect(hosts).toEqual(['169.254.169.254']);
  });

  it('says which address must be allowed', async () => {
    const refusing: Connector = {
      request: async () => {
        throw new PackageRError('endpoint_refused', 'The address of "169.254.169.254" is not allowed.');
      },
      close: async () => undefined,
    };
    const context = { clock: () => now, connector: refusing } as unknown as DriverContext;
    for (const ambient of ['instance', 'web-identity']) {
      const options = { bucket: 'bucket', credentials: 'ambient', ambient };
      const environment = { AWS_WEB_IDENTITY_TOKEN_FILE: join(folder, 'identity'), AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/r' };
      const source = openCredentials({ options, secrets: {} }, parseSettings(options), context, environment);
      await expect(source.get()).rejects.toMatchObject({ code: 'endpoint_refused' });
    }
  });
});

describe('renewal', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('asks once for all who wait, and lets each go by itself', async () => {
    let calls = 0;
    const gate = Promise.withResolvers<void>();
    const source = refreshedCredentials(
      async () => {
        calls++;
        await gate.promise;
        return { accessKeyId: 'a', secretAccessKey: 'b', expiresAt: now + hour };
      },
      () => now,
    );
    const leaving = new AbortController();
    const left = source.get(leaving.signal);
    const stays = [source.get(), source.get()];
    leaving.abort();
    await expect(left).rejects.toMatchObject({ code: 'cancelled' });
    gate.resolve();
    await Promise.all(stays);
    expect([calls, source.current?.accessKeyId]).toEqual([1, 'a']);
    source.close();
  });

  it('renews when half of the life is gone, goes on with the old ones while that fails, and stops when closed', async () => {
    vi.useFakeTimers({ now, toFake: ['setTimeout', 'clearTimeout', 'Date'] });
    let calls = 0;
    let fails = false;
    const source = refreshedCredentials(async () => {
      calls++;
      if (fails) throw new PackageRError('source_unavailable');
      return { accessKeyId: `key${calls}`, secretAccessKey: 'b', expiresAt: Date.now() + hour };
    }, Date.now);
    await source.get();
    await vi.advanceTimersByTimeAsync(hour / 2 - 1);
    expect(source.current?.accessKeyId).toBe('key1');
    await vi.advanceTimersByTimeAsync(1);
    expect(source.current?.accessKeyId).toBe('key2');
    fails = true;
    await vi.advanceTimersByTimeAsync(hour / 2 + 120_000);
    expect(calls).toBeGreaterThan(3);
    expect(source.current?.accessKeyId).toBe('key2');
    await vi.advanceTimersByTimeAsync(hour / 2 - 180_000 + 1);
    expect(source.current).toBeUndefined();
    await expect(source.get()).rejects.toMatchObject({ code: 'source_unavailable' });
    fails = false;
    expect((await source.get())?.accessKeyId).toMatch(/^key/);
    source.close();
    const before = calls;
    await vi.advanceTimersByTimeAsync(2 * hour);
    expect(calls).toBe(before);
  });

  it('does not give out what has ended already', async () => {
    const source = refreshedCredentials(
      async () => ({ accessKeyId: 'a', secretAccessKey: 'b', expiresAt: now - 1 }),
      () => now,
    );
    await expect(source.get()).rejects.toMatchObject({ code: 'source_credentials' });
    source.close();
  });
});
