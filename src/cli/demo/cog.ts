/**
 * Writes a small Cloud-Optimised GeoTIFF: one band of bytes in tiles of 256, with one overview, deflated, in EPSG:4326.
 * Source: TIFF 6.0; OGC 21-026 (COG): all directories stand before the image data, overviews before the full image.
 */
import { deflateSync } from 'node:zlib';

const tile = 256;

/** Says to GDAL that the layout is that of a COG. Source: GDAL, COG driver, “Header ghost area”. */
const layout = [
  'LAYOUT=IFDS_BEFORE_DATA',
  'BLOCK_ORDER=ROW_MAJOR',
  'BLOCK_LEADER=SIZE_AS_UINT4',
  'BLOCK_TRAILER=LAST_4_BYTES_REPEATED',
  'KNOWN_INCOMPATIBLE_EDITION=NO',
  ' ',
].join('\n');
const ghost: Buffer = Buffer.from(`GDAL_STRUCTURAL_METADATA_SIZE=${String(layout.length).padStart(6, '0')} bytes\n${layout}`);

interface Directory {
  readonly width: number;
  readonly height: number;
  readonly isOverview: boolean;
  readonly tiles: readonly Buffer[];
}

/** `size`: pixels of a side, a multiple of 512. `west`, `north`: of the upper left corner, `degrees`: of the side. */
export function writeCog(
  size: number,
  place: { west: number; north: number; degrees: number },
  valueAt: (x: number, y: number) => number,
): Buffer {
  const full = { width: size, height: size, isOverview: false, tiles: cut(size, valueAt) };
  const half = { width: size / 2, height: size / 2, isOverview: true, tiles: cut(size / 2, (x, y) => valueAt(2 * x, 2 * y)) };
  const directories: Directory[] = [full, half];
  const scale = place.degrees / size;
  const heads = directories.map((one) => entriesOf(one, one.isOverview ? undefined : { ...place, scale }));
  let end = 8 + ghost.length + (ghost.length & 1);
  const starts = heads.map((entries) => {
    const start = end;
    end += sizeOf(entries);
    return start;
  });
  const offsets = new Map<Directory, number[]>();
  for (const one of [half, full]) {
    offsets.set(
      one,
      one.tiles.map((bytes) => {
        const at = end + 4;
        end = at + bytes.length + 4;
        return at;
      }),
    );
  }
  const header = Buffer.alloc(starts[0] as number);
  header.set([0x49, 0x49, 42, 0]);
  header.writeUInt32LE(header.length, 4);
  header.set(ghost, 8);
  const parts = heads.map((entries, index) => {
    const directory = directories[index] as Directory;
    const filled = entries.map((entry) => (entry.tag === 324 ? { ...entry, values: offsets.get(directory) as number[] } : entry));
    return writeDirectory(filled, starts[index] as number, starts[index + 1] ?? 0);
  });
  return Buffer.concat([header, ...parts, ...half.tiles.flatMap(framed), ...full.tiles.flatMap(framed)]);
}

function cut(size: number, valueAt: (x: number, y: number) => number): Buffer[] {
  const tiles: Buffer[] = [];
  for (let top = 0; top < size; top += tile) {
    for (let left = 0; left < size; left += tile) {
      const bytes = Buffer.alloc(tile * tile);
      for (let y = 0; y < tile; y++) for (let x = 0; x < tile; x++) bytes[y * tile + x] = valueAt(left + x, top + y) & 0xff;
      tiles.push(deflateSync(bytes));
    }
  }
  return tiles;
}

/** A tile between its length and its last four bytes, as the layout states. */
function framed(bytes: Buffer): Buffer[] {
  const leader = Buffer.alloc(4);
  leader.writeUInt32LE(bytes.length);
  return [leader, bytes, bytes.subarray(-4)];
}

interface TagEntry {
  readonly tag: number;
  /** 3: 16 bit, 4: 32 bit, 12: double. */
  readonly type: 3 | 4 | 12;
  readonly values: readonly number[];
}

const widths = { 3: 2, 4: 4, 12: 8 } as const;

function entriesOf(one: Directory, place: { west: number; north: number; scale: number } | undefined): TagEntry[] {
  const short = (tag: number, ...values: number[]): TagEntry => ({ tag, type: 3, values });
  const long = (tag: number, ...values: number[]): TagEntry => ({ tag, type: 4, values });
  const double = (tag: number, ...values: number[]): TagEntry => ({ tag, type: 12, values });
  return [
    ...(one.isOverview ? [long(254, 1)] : []),
    long(256, one.width),
    long(257, one.height),
    short(258, 8),
    short(259, 8),
    short(262, 1),
    short(277, 1),
    short(284, 1),
    short(322, tile),
    short(323, tile),
    long(324, ...one.tiles.map(() => 0)),
    long(325, ...one.tiles.map((bytes) => bytes.length)),
    short(339, 1),
    ...(place === undefined
      ? []
      : [
          double(33550, place.scale, place.scale, 0),
          double(33922, 0, 0, 0, place.west, place.north, 0),
          // Version 1.1.0; model type geographic, pixel is area, EPSG:4326.
          short(34735, 1, 1, 0, 3, 1024, 0, 1, 2, 1025, 0, 1, 1, 2048, 0, 1, 4326),
        ]),
  ];
}

function sizeOf(entries: readonly TagEntry[]): number {
  return 2 + entries.length * 12 + 4 + entries.reduce((sum, { type, values }) => sum + overflow(type, values.length), 0);
}

/** Values that do not fit into the four bytes of an entry stand behind the directory, at even offsets. */
function overflow(type: TagEntry['type'], count: number): number {
  const bytes = widths[type] * count;
  return bytes <= 4 ? 0 : bytes + (bytes & 1);
}

function writeDirectory(entries: readonly TagEntry[], start: number, next: number): Buffer {
  const out = Buffer.alloc(sizeOf(entries));
  out.writeUInt16LE(entries.length, 0);
  let extra = 2 + entries.length * 12 + 4;
  for (const [index, { tag, type, values }] of entries.entries()) {
    const at = 2 + index * 12;
    out.writeUInt16LE(tag, at);
    out.writeUInt16LE(type, at + 2);
    out.writeUInt32LE(values.length, at + 4);
    const room = overflow(type, values.length);
    let to = room === 0 ? at + 8 : extra;
    if (room > 0) out.writeUInt32LE(start + extra, at + 8);
    for (const value of values) {
      if (type === 3) out.writeUInt16LE(value, to);
      else if (type === 4) out.writeUInt32LE(value, to);
      else out.writeDoubleLE(value, to);
      to += widths[type];
    }
    extra += room;
  }
  out.writeUInt32LE(next, 2 + entries.length * 12);
  return out;
}
