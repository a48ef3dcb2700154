/** The administrator of the demo: made at the first start, and kept for the next ones. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CreatedToken, SignedIn } from '#api/access.ts';
import type { RunningServer } from '#cli/context.ts';
import { apiPath, Client } from '#client/client.ts';
import { ClientError } from '#client/error.ts';
import { PackageRError } from '#errors/error.ts';
import { actions } from '#model/actor.ts';

/** What a second start needs, in `<data>/demo.json`, 0600. */
export interface Kept {
  readonly admin: { readonly name: string; readonly password: string };
  readonly token: string;
}

/** Whether the demo makes this data folder now, or made it earlier. To be asked before a state is in it. */
export function claimFolder(dataDir: string): boolean {
  const mark = join(dataDir, 'demo');
  if (!existsSync(join(dataDir, 'state.sqlite'))) mkdirSync(mark, { recursive: true, mode: 0o700 });
  return existsSync(mark);
}

/**
 * Signs in with the password of the first start, or goes on with what an earlier start kept. Where that start was interrupted before it
 * kept anything, the administrator of a folder of ours gets a new password.
 */
export async function signIn(server: RunningServer, { path, isOurs }: { path: string; isOurs: boolean }): Promise<Kept> {
  const before = readKept(path);
  const works = before !== undefined && (await isAccepted(server, before.token));
  if (before !== undefined && works) return before;
  const made = server.admin === undefined ? undefined : { name: server.admin.name, password: server.admin.password.reveal() };
  const admin = made ?? before?.admin ?? (isOurs ? await renewPassword(server) : undefined);
  if (admin === undefined) {
    throw new PackageRError(
      'unauthenticated',
      `${path} is missing: this data folder was not made by the demo. Choose another one with DATA_DIR.`,
    );
  }
  const stranger = new Client({ base: new URL(`${server.url}/`) });
  const session = await stranger.post<SignedIn>('api/v1/login', admin);
  const client = new Client({ base: new URL(`${server.url}/`), token: session.token });
  const { token } = await client.post<CreatedToken>('api/v1/tokens', { name: 'demo', actions, expiresIn: 365 * 86_400 });
  await client.post('api/v1/logout');
  const kept = { admin, token };
  const part = `${path}.part`;
  writeFileSync(part, `${JSON.stringify(kept, null, 2)}\n`, { mode: 0o600 });
  renameSync(part, path);
  return kept;
}

async function renewPassword({ client }: RunningServer): Promise<Kept['admin']> {
  const admin = { name: 'admin', password: randomBytes(16).toString('base64url') };
  await client.put(apiPath`api/v1/users/${admin.name}/password`, { password: admin.password });
  return admin;
}

function readKept(path: string): Kept | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Kept;
  } catch {
    return undefined;
  }
}

async function isAccepted(server: RunningServer, token: string): Promise<boolean> {
  try {
    await new Client({ base: new URL(`${server.url}/`), token }).get('api/v1/me');
    return true;
  } catch (error) {
    if (error instanceof ClientError && error.status === 401) return false;
    throw error;
  }
}
