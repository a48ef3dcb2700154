/**
 * A peer: a bare Node server that answers `GET /?entries=N` with a stored ZIP of the first pointer files, made by archiver or fflate in the
 * way that costs them least: chunks of 64 KiB, and no faster than the reader takes them. `node peer.ts archiver|fflate PACKAGES RECORDS`
 * has them ready made in a file; `… PACKAGES STATE PACKAGE BASE` reads them from a package in a state.
 */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { openSqliteReader } from '#state/sqlite/sqlite-reader.ts';
import { type Record, readRecords, readRows } from './records.ts';

const [kind = '', packages = '', file = '', id, base = ''] = process.argv.slice(2);
const load = createRequire(packages);
const chunkSize = 64 * 1024;
const state = id === undefined ? undefined : await openSqliteReader(file);

interface FflateZip {
  add(file: unknown): void;
  end(): void;
}

interface Fflate {
  Zip: new (onData: (error: Error | null, chunk: Uint8Array, isLast: boolean) => void) => FflateZip;
  ZipPassThrough: new (name: string) => { push(bytes: Uint8Array, isLast: boolean): void };
}

interface Archive extends NodeJS.EventEmitter {
  pipe(to: ServerResponse): void;
  append(bytes: Buffer, entry: { name: string }): void;
  finalize(): Promise<void>;
}

function read(entries: number): AsyncIterable<readonly Record[]> {
  return state === undefined ? readRecords(file, entries) : readRows(state, Number(id), base, entries);
}

async function writeFflate(response: ServerResponse, entries: number): Promise<void> {
  const { Zip, ZipPassThrough } = load('fflate') as Fflate;
  let parts: Uint8Array[] = [];
  let length = 0;
  let isFull = false;
  const send = (): void => {
    isFull = !response.write(Buffer.concat(parts, length));
    parts = [];
    length = 0;
  };
  const zip = new Zip((error, chunk) => {
    if (error !== null) throw error;
    parts.push(chunk);
    length += chunk.length;
    if (length >= chunkSize) send();
  });
  for await (const records of read(entries)) {
    for (const { name, bytes } of records) {
      const entry = new ZipPassThrough(name);
      zip.add(entry);
      entry.push(bytes, true);
      if (!isFull) continue;
      await once(response, 'drain');
      isFull = false;
    }
  }
  zip.end();
  send();
  response.end();
}

async function writeArchiver(response: ServerResponse, entries: number): Promise<void> {
  const { ZipArchive } = load('archiver') as { ZipArchive: new (options: { store: boolean }) => Archive };
  const archive = new ZipArchive({ store: true });
  archive.pipe(response);
  let waiting = 0;
  archive.on('entry', () => {
    if (--waiting === 0) archive.emit('idle');
  });
  for await (const records of read(entries)) {
    const idle = once(archive, 'idle');
    waiting += records.length;
    for (const { name, bytes } of records) archive.append(bytes, { name });
    if (records.length > 0) await idle;
  }
  await archive.finalize();
}

const write = kind === 'fflate' ? writeFflate : writeArchiver;
const server = createServer((request, response) => {
  const entries = Number(new URL(request.url ?? '', 'http://peer').searchParams.get('entries'));
  response.setHeader('content-type', 'application/zip');
  write(response, entries).catch((error: unknown) => response.destroy(error as Error));
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object') process.stdout.write(`port ${address?.port}\n`);
});
