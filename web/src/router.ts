/** Everything that is shown has an address. Whoever is not signed in is asked to first, and comes back to where they wanted to go. */
import { type ShallowRef, shallowRef } from 'vue';
import { createRouter, createWebHistory } from 'vue-router';
import { base } from './base.ts';
import { isSignedIn } from './queries/session.ts';

export const router = createRouter({
  history: createWebHistory(base.pathname),
  routes: [
    { path: '/login', name: 'login', component: () => import('./pages/login/login-page.vue'), meta: { isOpen: true } },
    {
      path: '/',
      component: () => import('./components/shell/app-shell.vue'),
      children: [
        { path: '', name: 'home', redirect: { name: 'sources' } },
        { path: 'sources', name: 'sources', component: () => import('./pages/browse/sources-page.vue') },
        { path: 'sources/:source/:path(.*)*', name: 'source', component: () => import('./pages/browse/source-page.vue') },
        { path: 'packages', name: 'packages', component: () => import('./pages/packages/packages-page.vue') },
        {
          path: 'packages/:namespace/:package/:path(.*)*',
          name: 'package',
          component: () => import('./pages/packages/package-page.vue'),
        },
        { path: 'shares', name: 'shares', component: () => import('./pages/shares/shares-page.vue') },
        { path: 'jobs', name: 'jobs', component: () => import('./pages/jobs/jobs-page.vue') },
        { path: ':rest(.*)*', name: 'nowhere', component: () => import('./pages/nowhere/nowhere-page.vue') },
      ],
    },
  ],
});

/** Why the server could not be asked who one is, and where one wanted to go. */
export const stopped: ShallowRef<{ readonly error: unknown; readonly to: string } | undefined> = shallowRef();

router.beforeEach(async (to) => {
  try {
    if (to.meta['isOpen'] === true || (await isSignedIn())) return true;
    return { name: 'login', query: { to: to.fullPath }, replace: true };
  } catch (error) {
    stopped.value = { error, to: to.fullPath };
    return false;
  }
});
router.afterEach((_to, _from, failure) => {
  if (failure === undefined) stopped.value = undefined;
});

/** The address of a path of the application; of its beginning where the path is one of another server, in whatever way it says so. */
export function hrefWithin(path: string): string {
  const { href } = router.resolve(/^\/(?![/\\])/.test(path) ? path : '/');
  return new URL(href, base).origin === base.origin ? href : base.href;
}
