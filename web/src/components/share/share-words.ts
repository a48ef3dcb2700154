/** What a share is, in words: the key of a text and what goes into it. Nothing here knows of Vue. */
import type { Share } from '#api/shares.ts';
import { writeBytes } from '../format.ts';

export interface Words {
  readonly key: string;
  readonly values: Readonly<Record<string, string>>;
}

export interface Reading {
  readonly locale: string;
  readonly now: Date;
}

type Told = Pick<Share, 'state' | 'notBefore' | 'expiresAt' | 'horizonAt'>;

/** The day, and the minute: an end is a moment. */
export function writeMoment(instant: string, locale: string): string {
  return new Date(instant).toLocaleString(locale, { dateStyle: 'medium', timeStyle: 'short' });
}

/** Open until when, paused, over, or not yet; of a revoked one also until when temporary URLs that are out still live. */
export function stateOf(share: Told, { locale, now }: Reading): Words {
  const say = (key: string, values: Words['values'] = {}): Words => ({ key: `shares.states.${key}`, values });
  const at = (instant: string): string => writeMoment(instant, locale);
  switch (share.state) {
    case 'open':
      return share.expiresAt === undefined ? say('endless') : say('open', { end: at(share.expiresAt) });
    case 'pending':
      return say('pending', { start: share.notBefore === undefined ? '' : at(share.notBefore) });
    case 'expired':
      return say('expired', { end: share.expiresAt === undefined ? '' : at(share.expiresAt) });
    case 'revoked': {
      const horizon = horizonOf(share, now);
      return horizon === undefined ? say('revoked') : say('revoking', { horizon: at(horizon) });
    }
    default:
      return say(share.state);
  }
}

/** When the last temporary URL that is out ends; undefined where none lives any more. */
export function horizonOf({ horizonAt }: Pick<Share, 'horizonAt'>, now: Date): string | undefined {
  return horizonAt !== undefined && Date.parse(horizonAt) > now.getTime() ? horizonAt : undefined;
}

/** Whether it can ever be opened again. */
export function isOver({ state }: Pick<Share, 'state'>): boolean {
  return state === 'revoked' || state === 'expired';
}

type Allowing = Pick<Share, 'audience' | 'rights' | 'users' | 'groups' | 'maxObjects' | 'maxBytes'>;

/** Who may do what, in one sentence of parts: who, what, and how much in a day. */
export function allowanceOf(
  share: Allowing,
  locale: string,
): { readonly who: Words; readonly may: Words; readonly limit: Words | undefined } {
  const may = !share.rights.includes('exchange') ? 'view' : share.rights.includes('view') ? 'both' : 'exchange';
  const names = [...share.users, ...share.groups];
  return {
    who: { key: `shares.who.${share.audience}`, values: { names: new Intl.ListFormat(locale, { type: 'disjunction' }).format(names) } },
    may: { key: `shares.may.${may}`, values: {} },
    limit: limitOf(share, locale),
  };
}

function limitOf({ maxObjects, maxBytes }: Allowing, locale: string): Words | undefined {
  const values = {
    files: maxObjects?.toLocaleString(locale) ?? '',
    size: maxBytes === undefined ? '' : writeBytes(maxBytes, locale),
  };
  if (maxObjects !== undefined && maxBytes !== undefined) return { key: 'shares.limits.both', values };
  if (maxObjects !== undefined) return { key: 'shares.limits.files', values };
  return maxBytes === undefined ? undefined : { key: 'shares.limits.size', values };
}

/** `source:field` and a folder as `field/folder`; `namespace/name@3` as its parts. */
export function targetOf({ target, path }: Pick<Share, 'target' | 'path'>): SharedThing | undefined {
  if (target === undefined) return undefined;
  if (target.startsWith('source:')) return { kind: 'source', source: target.slice('source:'.length), path };
  const [, namespace = '', name = '', version = ''] = /^([^/]+)\/([^@]+)@(.+)$/.exec(target) ?? [];
  return { kind: 'package', namespace, name, version: version === 'latest' ? undefined : Number(version), path };
}

export type SharedThing =
  | { readonly kind: 'source'; readonly source: string; readonly path: string }
  | {
      readonly kind: 'package';
      readonly namespace: string;
      readonly name: string;
      /** Undefined: the latest. */
      readonly version: number | undefined;
      readonly path: string;
    };

/** What a list is narrowed to: the package or the source, of whatever version or folder. */
export function familyOf(share: Pick<Share, 'target' | 'path'>): string | undefined {
  const thing = targetOf(share);
  if (thing === undefined) return undefined;
  return thing.kind === 'source' ? `source:${thing.source}` : `${thing.namespace}/${thing.name}`;
}
