import { describe, expect, it } from 'vitest';
import { isError } from '#errors/error.ts';
import { Secret } from '#model/secret.ts';
import { readConnection } from './connection.ts';

const read = (url: string, env: Record<string, string> = {}) => readConnection(Secret.parse(url), {}, env);

describe('URL of a database', () => {
  it.each([
    ['postgres://me@db.example/state', 'db.example', 'me', 'state'],
    ['postgresql://me@[::1]:5433/state', '::1', 'me', 'state'],
    ['postgres://me@%2Frun%2Fpg/state', '/run/pg', 'me', 'state'],
    ['postgres://me@/state?host=/run/pg', '/run/pg', 'me', 'state'],
    ['postgres:///state?user=me', '/var/run/postgresql', 'me', 'state'],
    ['postgres://m%40e:p%23w@localhost/a%20b', 'localhost', 'm@e', 'a b'],
  ])('%s', (url, host, user, database) => {
    expect(read(url)).toMatchObject({ host, user, database });
  });

  it('takes the host of the environment where it has none, and its options last', () => {
    expect(read('postgres:///state', { PGHOST: '/tmp', PGPORT: '6000' })).toMatchObject({ host: '/tmp', port: 6000 });
    const { options } = readConnection(Secret.parse('postgres://h/d?options=-c%20a%3D1'), { statement_timeout: 5 }, {});
    expect(options).toBe('-c statement_timeout=5 -c a=1');
  });

  it('verifies certificate and name of other machines unless told otherwise', () => {
    expect(read('postgres://db.example/d').ssl).toEqual({ minVersion: 'TLSv1.2' });
    expect(read('postgres://10.0.0.1/d').ssl).toEqual({ minVersion: 'TLSv1.2' });
    expect(read('postgres://db.example/d?sslmode=require').ssl).toMatchObject({ rejectUnauthorized: false });
    expect(read('postgres://db.example/d?sslmode=disable').ssl).toBe(false);
    expect(read('postgres://db.example/d', { PGSSLMODE: 'verify-full' }).ssl).toEqual({ minVersion: 'TLSv1.2' });
    for (const local of ['localhost', '127.0.0.1', '%2Ftmp']) expect(read(`postgres://${local}/d`).ssl).toBe(false);
    expect(read('postgres://localhost/d?sslmode=verify-full').ssl).toEqual({ minVersion: 'TLSv1.2' });
  });

  it.each([
    'mysql://h/d',
    'postgres://h:99999/d',
    'postgres://h/d?sslmode=prefer',
    'postgres://h/d?sslmode=allow',
    'postgres://h/d?sslmode=',
    'postgres://h/d?sslmode=verify-ca',
    'postgres://h/d?sslrootcert=/nowhere/CANARY',
    'postgres://h/d?ssl=true',
    'postgres://h/d?uselibpqcompat=true',
    'postgres://%2Ftmp/d?sslmode=require',
    'postgres://a,b/d',
    'postgres://u:CANARY#x@h/d',
    'postgres://u:CANARY%ZZ@h/d',
    'postgres://u:CANARY@h:x/d',
  ])('is refused, and nothing of it shown: %s', (url) => {
    let refused: unknown;
    try {
      read(url);
    } catch (error) {
      refused = error;
    }
    expect(isError(refused, 'config_invalid')).toBe(true);
    expect((refused as Error).message).not.toContain('CANARY');
  });
});
