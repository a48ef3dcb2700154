/** Names that people give to sources, namespaces, packages, users and groups: one limited alphabet, so one spelling. */
import { PackageRError } from '#errors/error.ts';

declare const brand: unique symbol;
export type Name = string & { readonly [brand]: 'Name' };

const form = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** `what` stands in the message: “source”, “user”, …. Errors: name_invalid. */
export function parseName(text: string, what = 'name'): Name {
  if (!form.test(text) || text.includes('..')) {
    throw new PackageRError('name_invalid', `The ${what} ${JSON.stringify(text.slice(0, 80))} is not a valid name.`, {
      operation: 'name.parse',
    });
  }
  return text as Name;
}
