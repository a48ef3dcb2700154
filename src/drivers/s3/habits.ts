/** What stores do with names and conditions beyond what Amazon S3 does, as data: seen on real servers. By the name of the provider. */

export interface Habits {
  /** `a/../b` and `./a` are names like any other; else the store refuses them, or takes them for another object. */
  readonly keepsDots: boolean;
  /** `a//b` and `/a` are names like any other; else the store takes them for `a/b` and `a`. */
  readonly keepsEmptySegments: boolean;
  /** Listings go folder by folder, each in the order of its names without the slash: `a/b` comes before `a.txt`. */
  readonly listsByFolder: boolean;
  /** Where versions are kept, an object is listed where its name with this behind it belongs: `a` after `a-1`. */
  readonly versionsFolder?: string;
  /** `a/` is answered for where only `a/b`, or only `a`, is there; what was put as `a/` says that it is a folder. */
  readonly answersForFolders: boolean;
  /** `If-None-Match: *` holds also where object versions are kept. */
  readonly createsOnce: boolean;
}

const usual: Habits = { keepsDots: true, keepsEmptySegments: true, listsByFolder: false, answersForFolders: false, createsOnce: true };

const habits: Readonly<Record<string, Habits>> = {
  aws: usual,
  ceph: { ...usual, createsOnce: false },
  seaweedfs: {
    ...usual,
    keepsDots: false,
    keepsEmptySegments: false,
    listsByFolder: true,
    answersForFolders: true,
    versionsFolder: '.versions',
  },
  versitygw: { ...usual, keepsDots: false, keepsEmptySegments: false },
};

/** A store of which nothing is known is trusted with nothing that could lead to another object than was named. */
const unknown: Habits = { ...usual, keepsDots: false, createsOnce: false };

/** `server`: what the store calls itself in its answers, where the provider says nothing. */
export function habitsOf(provider: string, server: string = ''): Habits {
  const known = Object.hasOwn(habits, provider) ? habits[provider] : undefined;
  return (
    known ??
    (/^SeaweedFS\b/i.test(server) ? habits['seaweedfs'] : /^VERSITYGW\b/i.test(server) ? habits['versitygw'] : undefined) ??
    unknown
  );
}

/** Whether the store would hold an object of exactly this name. */
export function canHold(key: string, { keepsDots, keepsEmptySegments }: Habits): boolean {
  if (!keepsDots && /(?:^|\/)\.\.?(?:\/|$)/.test(key)) return false;
  return keepsEmptySegments || !(key.startsWith('/') || key.includes('//'));
}
