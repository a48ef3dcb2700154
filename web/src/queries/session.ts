/** Who is signed in. The cookie is the server’s alone: it is asked once, and again after signing in or out. */
import { ref } from 'vue';
import type { Me, SignedIn } from '#api/access.ts';
import { client, codeOf } from './client.ts';

export const me = ref<Me>();

/** Errors: those of the server, but for being nobody. */
export async function isSignedIn(): Promise<boolean> {
  if (me.value !== undefined) return true;
  try {
    me.value = await client.get<Me>('api/v1/me');
    forgetOthers(me.value);
    return true;
  } catch (error) {
    if (codeOf(error) === 'unauthenticated') return false;
    throw error;
  }
}

/** Errors: login_failed, rate_limited. */
export async function signIn(name: string, password: string): Promise<void> {
  me.value = (await client.post<SignedIn>('api/v1/login', { name, password, cookie: true })).me;
  forgetOthers(me.value);
}

/** Leaves nothing of what was seen, neither in memory nor on this device. */
export async function signOut(): Promise<void> {
  await client.post('api/v1/logout');
  forgetOthers(undefined);
  location.assign(new URL('login', client.base));
}

const personal = 'package-r.of.';

/** The key under which something of this person is kept on this device, until they sign out or another one signs in. */
export function personalKey({ id = 'system' }: Me, what: string): string {
  return `${personal}${id}.${what}`;
}

function forgetOthers(one: Me | undefined): void {
  const own = one === undefined ? undefined : personalKey(one, '');
  for (const key of Object.keys(localStorage)) {
    if (key.startsWith(personal) && (own === undefined || !key.startsWith(own))) localStorage.removeItem(key);
  }
}
