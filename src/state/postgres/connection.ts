/**
 * From the URL of a database to what a connection needs. TLS is never given up in silence: a host of another machine is spoken to by TLS
 * with its certificate and name verified unless the URL says otherwise, and modes that fall back are refused.
 */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { ClientConfig } from 'pg';
import { PackageRError } from '#errors/error.ts';
import type { Secret } from '#model/secret.ts';
import { valueTypes } from './values.ts';

/** What libpq knows by the same names: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS */
const known = ['host', 'port', 'user', 'dbname', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'options', 'application_name'] as const;

type Parameters = Partial<Record<(typeof known)[number], string>>;

/** Milliseconds until a connection must stand. */
const connectWait = 5000;

/** Where Debian’s server has its socket, and where libpq looks for it. */
const socketFolder = '/var/run/postgresql';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * `session`: settings that every session of this connection begins with; those in the URL’s `options` win.
 * The password comes from the URL, else from PGPASSWORD or the pass file. Errors: config_invalid, which never shows a value.
 */
export function readConnection(
  url: Secret,
  session: Readonly<Record<string, string | number>> = {},
  env: Environment = process.env,
): ClientConfig {
  const text = url.reveal().replace(/^(\w+:\/\/[^/?#]*@)(?=[/?]|$)/, '$1socket.invalid');
  if (!/^postgres(ql)?:/.test(text) || !URL.canParse(text)) throw refused('is not a URL such as postgres://user@host/database');
  const { hostname, port, username, password, pathname, searchParams, hash } = new URL(text);
  if (hash !== '') throw refused('has a fragment: write # in a password as %23');
  const given = readParameters(searchParams);
  const host = given.host ?? (hostname === 'socket.invalid' ? '' : decode(hostname).replace(/^\[|\]$/g, ''));
  const at = host || env['PGHOST'] || socketFolder;
  if (at.includes(',')) throw refused('names more than one host');
  const database = given.dbname ?? decode(pathname.replace(/^\//, ''));
  const options = Object.entries(session).map(([name, value]) => `-c ${name}=${value}`);
  if (given.options !== undefined) options.push(given.options);
  return {
    host: at,
    port: readPort(given.port ?? (port || env['PGPORT'] || '5432')),
    ...(database === '' ? {} : { database }),
    ...withText('user', given.user ?? decode(username)),
    ...withText('password', decode(password)),
    options: options.join(' '),
    application_name: given.application_name ?? 'package-r',
    ssl: readTls(given, at, env),
    keepAlive: true,
    connectionTimeoutMillis: connectWait,
    types: valueTypes,
  };
}

function withText<K extends string>(key: K, value: string): Partial<Record<K, string>> {
  return value === '' ? {} : ({ [key]: value } as Record<K, string>);
}

function readParameters(search: URLSearchParams): Parameters {
  const found: Parameters = {};
  for (const [name, value] of search) {
    const key = known.find((one) => one === name);
    if (key === undefined)
      throw refused(`has a parameter ${JSON.stringify(name.slice(0, 40))} that is not known; known are ${known.join(', ')}`);
    found[key] = value;
  }
  return found;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refused('is not percent-encoded correctly');
  }
}

function readPort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65535) throw refused('has a port that is none');
  return port;
}

/** This machine: its sockets, and the loopback. */
function isLocal(host: string): boolean {
  return host.startsWith('/') || host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** Meanings as libpq’s: https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-SSLMODE-STATEMENTS */
function readTls(given: Parameters, host: string, env: Environment): false | ConnectionOptions {
  const mode = given.sslmode ?? env['PGSSLMODE'] ?? (isLocal(host) ? 'disable' : 'verify-full');
  if (mode === 'disable') return false;
  if (host.startsWith('/')) throw refused('asks for TLS on a socket of this machine, which has none');
  const tls: ConnectionOptions = {
    minVersion: 'TLSv1.2',
    ...(given.sslrootcert === undefined || given.sslrootcert === 'system' ? {} : { ca: readPart('sslrootcert', given.sslrootcert) }),
    ...(given.sslcert === undefined ? {} : { cert: readPart('sslcert', given.sslcert) }),
    ...(given.sslkey === undefined ? {} : { key: readPart('sslkey', given.sslkey) }),
  };
  switch (mode) {
    case 'verify-full':
      return tls;
    case 'verify-ca':
      return withoutName(tls);
    case 'require':
      return tls.ca === undefined ? { ...tls, rejectUnauthorized: false } : withoutName(tls);
    default:
      throw refused(
        'has an sslmode other than verify-full, verify-ca, require and disable; modes that fall back to plain text are refused',
      );
  }
}

/** The certificate is verified, whatever name it bears. Public authorities would vouch for anybody. */
function withoutName(tls: ConnectionOptions): ConnectionOptions {
  if (tls.ca === undefined) throw refused('asks for verify-ca, which needs an authority of your own in sslrootcert');
  return { ...tls, checkServerIdentity: () => undefined };
}

function readPart(name: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw refused(`names a file in ${name} that cannot be read`, cause);
  }
}

function refused(what: string, cause?: unknown): PackageRError {
  return new PackageRError('config_invalid', `state (the URL of the database) ${what}.`, { operation: 'state.open', cause });
}
