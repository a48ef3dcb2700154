/** TLS to a real PostgreSQL: what is verified is verified, and nothing falls back to plain text. */
import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isError } from '#errors/error.ts';
import { Secret } from '#model/secret.ts';
import { openPostgresState } from '#state/postgres/postgres-state.ts';
import { hasPostgres, type PostgresServer, startPostgres } from '#testing/postgres.ts';
import { freePort } from '../support/free-port.ts';

const password = 'CANARY-pass';

/** A certificate for `localhost` alone, and the authority that vouches for it. */
function makeCertificate(folder: string, own: (path: string) => void): void {
  const file = (name: string): string => join(folder, name);
  const run = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const key = ['-newkey', 'rsa:2048', '-nodes'];
  run('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-days', '2', '-subj', '/CN=test authority');
  run('req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=localhost');
  writeFileSync(file('names'), 'subjectAltName=DNS:localhost\n');
  run(
    'x509',
    '-req',
    '-in',
    'server.csr',
    '-CA',
    'ca.crt',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    'names',
    '-out',
    'server.crt',
  );
  chmodSync(file('server.key'), 0o600);
  chmodSync(file('ca.crt'), 0o644);
  for (const name of ['server.key', 'server.crt']) own(file(name));
  writeFileSync(file('pg_hba.conf'), 'local all owner trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n');
}

describe.runIf(hasPostgres('TLS to PostgreSQL'))('TLS to PostgreSQL', () => {
  let secure: PostgresServer;
  let plain: PostgresServer;
  let ports: { secure: number; plain: number };
  let authority: string;
  beforeAll(async () => {
    ports = { secure: await freePort(), plain: await freePort() };
    const prepare = (data: string, own: (path: string) => void): void => makeCertificate(data, own);
    secure = await startPostgres({ listen_addresses: '127.0.0.1', port: String(ports.secure), ssl: 'on' }, prepare);
    plain = await startPostgres({ listen_addresses: '127.0.0.1', port: String(ports.plain) });
    authority = `sslrootcert=${encodeURIComponent(join(secure.folder, 'data', 'ca.crt'))}`;
    for (const server of [secure, plain]) await server.run(`create role me login password '${password}'`, 'create database state owner me');
  });
  afterAll(async () => {
    await secure?.stop();
    await plain?.stop();
  });

  const open = async (
    host: string,
    query: string,
    { at = 'secure', as = password }: { at?: 'secure' | 'plain'; as?: string } = {},
  ): Promise<string> => {
    const url = Secret.parse(`postgres://me:${as}@${host}:${ports[at]}/state?${query}`);
    try {
      const state = await openPostgresState(url);
      await state.close();
      return 'open';
    } catch (error) {
      const text = error instanceof Error ? `${error.message}${error.stack}${String(error.cause)}` : '';
      expect(text).not.toContain('CANARY');
      return isError(error, 'state_failed') ? error.message : String(error);
    }
  };
  const untrusted = expect.stringContaining('by TLS');

  it('verifies the certificate and its name where it is asked to', async () => {
    expect(await open('localhost', `sslmode=verify-full&${authority}`)).toBe('open');
    expect(await open('localhost', 'sslmode=verify-full')).toEqual(untrusted);
    expect(await open('127.0.0.1', `sslmode=verify-full&${authority}`)).toEqual(untrusted);
  });

  it('verifies the authority alone by verify-ca, and by require where it is given', async () => {
    for (const mode of ['verify-ca', 'require']) expect(await open('127.0.0.1', `sslmode=${mode}&${authority}`)).toBe('open');
    expect(await open('localhost', 'sslmode=require')).toBe('open');
  });

  it('never falls back to plain text', async () => {
    expect(await open('localhost', 'sslmode=require', { at: 'plain' })).toEqual(untrusted);
    expect(await open('localhost', 'sslmode=disable', { at: 'plain' })).toBe('open');
    expect(await open('localhost', 'sslmode=disable')).toContain('refused the user');
  });

  it('says that the password was wrong, and not which', async () => {
    expect(await open('localhost', `sslmode=verify-full&${authority}`, { as: 'CANARY-wrong' })).toContain('refused the user');
  });
});
