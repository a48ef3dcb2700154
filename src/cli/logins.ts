/** Tokens of `package-r login`, by server, in a file that only its owner can read. */
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { PackageRError } from '#errors/error.ts';

export interface Login {
  readonly user: string;
  readonly id: string;
  readonly token: string;
}

type Env = Readonly<Record<string, string | undefined>>;

function loginsPath(env: Env): string {
  return join(env['XDG_CONFIG_HOME'] ?? join(env['HOME'] ?? homedir(), '.config'), 'package-r', 'logins.json');
}

/** Errors: config_invalid where the file is damaged, or others may read it. */
export function readLogins(env: Env): Readonly<Record<string, Login>> {
  const path = loginsPath(env);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return {};
  }
  if (process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0) {
    throw new PackageRError('config_invalid', `${path} holds tokens and can be read by others: chmod 600 it.`);
  }
  try {
    return JSON.parse(text) as Record<string, Login>;
  } catch (cause) {
    throw new PackageRError('config_invalid', `${path} is damaged; remove it and sign in again.`, { cause });
  }
}

/** Atomically, 0600. */
export function writeLogins(env: Env, logins: Readonly<Record<string, Login>>): void {
  const path = loginsPath(env);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const part = `${path}.${process.pid}`;
  writeFileSync(part, `${JSON.stringify(logins, null, 2)}\n`, { mode: 0o600 });
  renameSync(part, path);
}
