/**
 * Media types that a browser may be told: inert ones, that can run nothing and hold no markup. All else is an octet stream, whatever a
 * store recorded.
 */
import { nameOf, type Path } from '#model/path.ts';

export const octetStream = 'application/octet-stream';

/** By extension. Never a type that a browser renders as a document: HTML, SVG, XML, PDF. */
const inertTypes: Readonly<Record<string, string>> = {
  avif: 'image/avif',
  bmp: 'image/bmp',
  gif: 'image/gif',
  jpeg: 'image/jpeg',
  jpg: 'image/jpeg',
  png: 'image/png',
  tif: 'image/tiff',
  tiff: 'image/tiff',
  webp: 'image/webp',
  flac: 'audio/flac',
  mp3: 'audio/mpeg',
  ogg: 'audio/ogg',
  wav: 'audio/wav',
  mp4: 'video/mp4',
  webm: 'video/webm',
  csv: 'text/csv; charset=utf-8',
  md: 'text/plain; charset=utf-8',
  txt: 'text/plain; charset=utf-8',
  json: 'application/json',
  geojson: 'application/json',
  topojson: 'application/json',
  ipynb: 'application/json',
  jsonl: 'application/x-ndjson',
  ndjson: 'application/x-ndjson',
  gz: 'application/gzip',
  zip: 'application/zip',
  parquet: 'application/vnd.apache.parquet',
};

/** The type to state for a file of this name. */
export function inertMediaType(path: Path): string {
  const name = nameOf(path);
  const extension = name.slice(name.lastIndexOf('.') + 1).toLowerCase();
  return name.includes('.') && Object.hasOwn(inertTypes, extension) ? (inertTypes[extension] as string) : octetStream;
}
