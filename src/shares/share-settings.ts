/** What people ask of a share, checked and written as the columns of its row. */
import { checkPasswordPolicy, hashPassword } from '#access/password.ts';
import { PackageRError } from '#errors/error.ts';
import { Secret } from '#model/secret.ts';
import {
  type Audience,
  audiences,
  type DriftPolicy,
  driftPolicies,
  type ShareLimits,
  type ShareRight,
  type ShareSettings,
  shareRights,
} from '#shares/share.ts';
import type { StoredShare } from '#shares/share-rows.ts';

/** The columns that a person decides on. */
type SettingColumns = Pick<
  StoredShare,
  'audience' | 'password' | 'rights' | 'title' | 'note' | 'terms' | 'on_drift' | 'max_objects' | 'max_bytes' | 'not_before' | 'expires_at'
>;

const textLimits = { title: 200, note: 10 * 1024, terms: 10 * 1024 } as const;

/** Settings over what is there (nothing, for a new share). Errors: request_invalid, password_weak, too_large. */
export async function writeSettings(
  asked: ShareSettings,
  before: SettingColumns | undefined,
  { now, limits }: { readonly now: number; readonly limits: ShareLimits },
): Promise<SettingColumns> {
  const audience = parseAudience(asked, before?.audience);
  const notBefore = instant('notBefore', asked.notBefore, before?.not_before ?? null);
  const expiresAt = parseExpiry(asked, before, now, limits);
  if (notBefore !== null && expiresAt !== null && notBefore >= expiresAt) throw invalid('“notBefore” lies behind “expiresAt”');
  return {
    audience,
    password: await parsePassword(asked, audience, before, limits),
    rights: parseRights(asked.rights, before?.rights),
    title: text('title', asked.title, before?.title),
    note: text('note', asked.note, before?.note),
    terms: text('terms', asked.terms, before?.terms),
    on_drift: oneOf<DriftPolicy>('onDrift', driftPolicies, asked.onDrift ?? before?.on_drift ?? 'refuse'),
    max_objects: limit('maxObjects', asked.maxObjects, before?.max_objects ?? null),
    max_bytes: limit('maxBytes', asked.maxBytes, before?.max_bytes ?? null),
    not_before: notBefore,
    expires_at: expiresAt,
  };
}

/** Whether tickets given before must end. */
export function endsTickets(asked: ShareSettings): boolean {
  return [asked.password, asked.audience, asked.users, asked.groups].some((value) => value !== undefined);
}

function parseAudience({ audience, password, users, groups }: ShareSettings, before: Audience | undefined): Audience {
  const names = (users?.length ?? 0) + (groups?.length ?? 0) > 0;
  const implied = password !== undefined ? 'password' : names ? 'named' : undefined;
  const found = oneOf<Audience>('audience', audiences, audience ?? implied ?? before ?? 'link');
  if (password !== undefined && found !== 'password') throw invalid('a password goes with the audience “password” only');
  if (names && found !== 'named') throw invalid('users and groups go with the audience “named” only');
  if (found === 'named' && !names && (before !== 'named' || users !== undefined || groups !== undefined)) {
    throw invalid('the audience “named” needs users or groups');
  }
  return found;
}

async function parsePassword(
  { password }: ShareSettings,
  audience: Audience,
  before: SettingColumns | undefined,
  limits: ShareLimits,
): Promise<string | null> {
  if (audience !== 'password') return null;
  if (password === undefined) {
    if (before?.password == null) throw invalid('the audience “password” needs a password');
    return before.password;
  }
  if (typeof password !== 'string') throw invalid('“password” is a text');
  checkPasswordPolicy(password, { min: limits.passwordMinBytes });
  return hashPassword(Secret.parse(password));
}

function parseExpiry(asked: ShareSettings, before: SettingColumns | undefined, now: number, limits: ShareLimits): number | null {
  if (asked.expiresAt === undefined) return before === undefined ? now + limits.defaultLife * 1000 : before.expires_at;
  const expiresAt = instant('expiresAt', asked.expiresAt, null);
  if (expiresAt === null && !limits.allowEndless) throw invalid('a share must expire; an administrator can allow endless ones');
  if (expiresAt !== null && expiresAt <= now) throw invalid('“expiresAt” is over already');
  if (expiresAt !== null && expiresAt > now + limits.maxLife * 1000)
    throw invalid(`a share lives at most ${Math.floor(limits.maxLife / 86_400)} days`);
  return expiresAt;
}

function parseRights(asked: readonly ShareRight[] | undefined, before = shareRights.join(' ')): string {
  if (asked === undefined) return before;
  if (!Array.isArray(asked) || asked.length === 0) throw invalid('a share gives at least one of the rights view and exchange');
  for (const right of asked) oneOf('rights', shareRights, right);
  return shareRights.filter((right) => asked.includes(right)).join(' ');
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/;

function text(name: keyof typeof textLimits, asked: string | undefined, before = ''): string {
  if (asked === undefined) return before;
  if (typeof asked !== 'string' || !asked.isWellFormed() || control.test(asked)) throw invalid(`“${name}” is no plain text`);
  if (name === 'title' && /[\n\r\t]/.test(asked)) throw invalid('“title” is a single line');
  const size = name === 'title' ? asked.length : Buffer.byteLength(asked);
  if (size > textLimits[name])
    throw new PackageRError('too_large', `“${name}” has at most ${textLimits[name]} ${name === 'title' ? 'characters' : 'bytes'}.`);
  return asked;
}

function limit(name: string, asked: number | null | undefined, before: number | null): number | null {
  if (asked === undefined) return before;
  if (asked !== null && (!Number.isSafeInteger(asked) || asked < 1)) throw invalid(`“${name}” is an integer from 1`);
  return asked;
}

function instant(name: string, asked: number | null | undefined, before: number | null): number | null {
  if (asked === undefined) return before;
  if (asked !== null && (!Number.isSafeInteger(asked) || asked < 0 || asked > 8.64e15)) throw invalid(`“${name}” is no instant`);
  return asked;
}

function oneOf<T extends string>(name: string, values: readonly T[], asked: string): T {
  const found = values.find((value) => value === asked);
  if (found === undefined) throw invalid(`“${name}” is one of ${values.join(', ')}`);
  return found;
}

function invalid(what: string): PackageRError {
  return new PackageRError('request_invalid', `The share is not valid: ${what}.`, { operation: 'shares.write' });
}
