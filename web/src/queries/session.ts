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
    return true;
  } catch (error) {
    if (codeOf(error) === 'unauthenticated') return false;
    throw error;
  }
}

/** Errors: login_failed, rate_limited. */
export async function signIn(name: string, password: string): Promise<void> {
  me.value = (await client.post<SignedIn>('api/v1/login', { name, password, cookie: true })).me;
}

/** Leaves nothing in memory of what was seen. */
export async function signOut(): Promise<void> {
  await client.post('api/v1/logout');
  location.assign(new URL('login', client.base));
}
