/** What the form of a share holds, and what is asked of the server by it. */
import type { NewShare } from '#api/shares.ts';

/** How long a share lives, as it is chosen. */
export const lives = ['day', 'week', 'month', 'date', 'endless'] as const;
export type Life = (typeof lives)[number];

/** What is to be shared. */
export type Subject =
  | {
      readonly kind: 'package';
      readonly reference: string;
      /** The one that is looked at, else the newest; undefined where there is none yet. */
      readonly version: number | undefined;
      readonly path: string;
    }
  | { readonly kind: 'folder'; readonly source: string; readonly path: string };

export interface ShareDraft {
  what: 'version' | 'latest' | 'live';
  /** Only the folder that is looked at. */
  isFolderOnly: boolean;
  who: 'link' | 'password' | 'people';
  password: string;
  /** Names, apart by commas or spaces; none: whoever is signed in. */
  users: string;
  groups: string;
  life: Life;
  /** `2026-12-24`, for the life `date`. */
  date: string;
  mayView: boolean;
  mayExchange: boolean;
  maxObjects: string;
  maxBytes: string;
  onDrift: 'refuse' | 'warn' | 'follow';
  title: string;
  note: string;
  terms: string;
}

export function newDraft(subject: Subject): ShareDraft {
  return {
    what: subject.kind === 'folder' ? 'live' : 'version',
    isFolderOnly: subject.path !== '',
    who: 'link',
    password: '',
    users: '',
    groups: '',
    life: 'month',
    date: '',
    mayView: true,
    mayExchange: true,
    maxObjects: '',
    maxBytes: '',
    onDrift: 'refuse',
    title: '',
    note: '',
    terms: '',
  };
}

/** Where something is not right, by field: keys below `shares.faults`. */
export type Faults = Partial<Record<'password' | 'date' | 'rights' | 'maxObjects' | 'maxBytes', string>>;

export function faultsOf(draft: ShareDraft, now: Date): Faults {
  const isShort = new TextEncoder().encode(draft.password).length < 8;
  return {
    ...(draft.who === 'password' && isShort ? { password: draft.password === '' ? 'passwordNone' : 'passwordShort' } : {}),
    ...(endOf(draft, now) === undefined ? { date: 'date' } : {}),
    ...(draft.mayView || draft.mayExchange ? {} : { rights: 'rights' }),
    ...(parseCount(draft.maxObjects) === undefined ? { maxObjects: 'count' } : {}),
    ...(parseSize(draft.maxBytes) === undefined ? { maxBytes: 'size' } : {}),
  };
}

/** Of a draft without faults. */
export function askedBy(draft: ShareDraft, subject: Subject, now: Date): NewShare {
  const folder = draft.isFolderOnly && subject.path !== '' ? subject.path : undefined;
  const users = namesIn(draft.users);
  const groups = namesIn(draft.groups);
  const isNamed = users.length + groups.length > 0;
  const maxObjects = parseCount(draft.maxObjects) ?? null;
  const maxBytes = parseSize(draft.maxBytes) ?? null;
  return {
    target:
      subject.kind === 'folder'
        ? `source:${subject.source}`
        : `${subject.reference}@${draft.what === 'latest' ? 'latest' : subject.version}`,
    ...(folder === undefined ? {} : { path: folder }),
    ...(draft.who === 'link' ? { audience: 'link' } : {}),
    ...(draft.who === 'password' ? { audience: 'password', password: draft.password } : {}),
    ...(draft.who === 'people' ? (isNamed ? { audience: 'named', users, groups } : { audience: 'users' }) : {}),
    rights: [...(draft.mayView ? (['view'] as const) : []), ...(draft.mayExchange ? (['exchange'] as const) : [])],
    expiresAt: endOf(draft, now) ?? null,
    ...(maxObjects === null ? {} : { maxObjects }),
    ...(maxBytes === null ? {} : { maxBytes }),
    onDrift: draft.onDrift,
    ...textsOf(draft),
  };
}

function textsOf({ title, note, terms }: ShareDraft): Pick<NewShare, 'title' | 'note' | 'terms'> {
  return {
    ...(title.trim() === '' ? {} : { title: title.trim() }),
    ...(note.trim() === '' ? {} : { note: note.trim() }),
    ...(terms.trim() === '' ? {} : { terms: terms.trim() }),
  };
}

/**
 * The instant at which a share ends: the same time of a later day, or the last second of the day that was written, where one is.
 * Null: never. Undefined: no such day, or one that is over.
 */
export function endOf({ life, date }: Pick<ShareDraft, 'life' | 'date'>, now: Date): string | null | undefined {
  if (life === 'endless') return null;
  if (life === 'date') return endOfDay(date, now);
  const end = new Date(now);
  if (life === 'month') {
    end.setMonth(end.getMonth() + 1);
    // 31 January has no day of February: the last one it has.
    if (end.getDate() !== now.getDate()) end.setDate(0);
  } else {
    end.setDate(end.getDate() + (life === 'day' ? 1 : 7));
  }
  return end.toISOString();
}

function endOfDay(date: string, now: Date): string | undefined {
  const [, year, month, day] = /^(\d{4})-(\d{2})-(\d{2})$/.exec(date) ?? [];
  if (year === undefined) return undefined;
  const end = new Date(Number(year), Number(month) - 1, Number(day), 23, 59, 59);
  return writeDay(end) === date && end > now ? end.toISOString() : undefined;
}

/** The day of an instant here, as a field of dates holds it. */
export function writeDay(date: Date): string {
  const two = (number: number): string => String(number).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

function namesIn(text: string): string[] {
  return text.split(/[\s,;]+/).filter((name) => name !== '');
}

/** A whole number from 1; null for none; undefined for what is no such number. */
export function parseCount(text: string): number | null | undefined {
  const digits = text.replace(/[\s'’]/g, '');
  if (digits === '') return null;
  const count = /^\d{1,15}$/.test(digits) ? Number(digits) : 0;
  return count >= 1 ? count : undefined;
}

const powers = ['', 'k', 'm', 'g', 't', 'p'];

/** `500 MB`, `1.5 tb`, `20GiB`, or bytes; null for none; undefined for what is no size. */
export function parseSize(text: string): number | null | undefined {
  const given = text.trim().toLowerCase();
  if (given === '') return null;
  const [, number = '', unit = '', binary] = /^(\d{1,15}(?:[.,]\d{1,6})?)\s*([kmgtp]?)(i?)b?$/.exec(given) ?? [];
  const bytes = Math.round(Number(number.replace(',', '.')) * (binary === 'i' ? 1024 : 1000) ** powers.indexOf(unit));
  return number !== '' && bytes >= 1 && Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Without letters and digits that are taken for one another. */
const letters = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';

/** Four times five letters: more than 110 bits, and people can read it out. `random`: fills an array with random bytes. */
export function makePassword(random: (bytes: Uint8Array<ArrayBuffer>) => void): string {
  let text = '';
  const bytes = new Uint8Array(64);
  while (text.length < 20) {
    random(bytes);
    // Bytes at the end of their range would make some letters likelier than others.
    const fair = [...bytes].filter((byte) => byte < letters.length * 4);
    text += fair.map((byte) => letters[byte % letters.length]).join('');
  }
  return [0, 5, 10, 15].map((at) => text.slice(at, at + 5)).join('-');
}
