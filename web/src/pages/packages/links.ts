/** Addresses of places of a package in the application. */
import type { RouteLocationRaw } from 'vue-router';
import type { PackagePlace } from '../../queries/packages.ts';

/** The draft is asked for by name: what is left out is the newest version. */
export function linkWithin({ namespace, package: name, version }: PackagePlace, path: readonly string[]): RouteLocationRaw {
  return { name: 'package', params: { namespace, package: name, path: [...path] }, query: { version: version ?? 'draft' } };
}
