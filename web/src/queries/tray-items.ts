/** What lies in the tray: names of files and folders of sources. Nothing here knows where it is kept. */

/** A file or a folder of a source. */
export interface TrayItem {
  readonly source: string;
  readonly path: string;
  readonly kind: 'folder' | 'pointer';
  /** Bytes; undefined for a folder. */
  readonly size?: number | undefined;
}

/** More are picked as their folder. */
export const mostItems = 10_000;

/** Both, each once; what lies in a folder that is there too goes with the folder. */
export function merge(first: readonly TrayItem[], second: readonly TrayItem[]): readonly TrayItem[] {
  const all = new Map([...first, ...second].map((item) => [keyOf(item), item]));
  const folders = new Set([...all.values()].filter(({ kind }) => kind === 'folder').map(keyOf));
  return [...all.values()].filter((item) => !foldersAbove(item).some((folder) => folders.has(folder)));
}

function foldersAbove({ source, path }: TrayItem): string[] {
  const parts = path.split('/');
  return ['', ...parts.slice(1).map((_, at) => parts.slice(0, at + 1).join('/'))]
    .filter((folder) => folder !== path)
    .map((folder) => keyOf({ source, path: folder, kind: 'folder' }));
}

/** By source, in the order in which they were picked. */
function bySource(list: readonly TrayItem[]): ReadonlyMap<string, readonly TrayItem[]> {
  return Map.groupBy(list, ({ source }) => source);
}

/** Of one annex: items, and characters of their paths. */
const mostAtOnce = 5000;
const longestAtOnce = 500_000;

export interface AnnexPart {
  readonly source: string;
  readonly items: readonly TrayItem[];
}

/** What goes to the server at once: source by source, and no more than it takes. */
export function annexParts(list: readonly TrayItem[]): readonly AnnexPart[] {
  return [...bySource(list)].flatMap(([source, items]) => {
    const parts: TrayItem[][] = [];
    let length = Number.POSITIVE_INFINITY;
    for (const item of items) {
      const last = parts.at(-1);
      if (last === undefined || last.length === mostAtOnce || length + item.path.length > longestAtOnce) {
        parts.push([item]);
        length = item.path.length;
      } else {
        last.push(item);
        length += item.path.length;
      }
    }
    return parts.map((part) => ({ source, items: part }));
  });
}

/** The place, as one word. */
export function keyOf({ source, path }: Pick<TrayItem, 'source' | 'path' | 'kind'>): string {
  return `${source}\0${path}`;
}

/** Whether a value that was kept is one. */
export function isItem(value: unknown): value is TrayItem {
  const { source, path, kind, size } = (value ?? {}) as Partial<Record<keyof TrayItem, unknown>>;
  const isPlace = typeof source === 'string' && typeof path === 'string';
  return isPlace && (kind === 'folder' || kind === 'pointer') && (size === undefined || typeof size === 'number');
}
