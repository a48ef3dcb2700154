/** `manifest.jsonl`, the canonical listing, and `manifest.jsonl.sha256` beside it for `sha256sum -c`. */
import { createHash } from 'node:crypto';
import { etagOf, linesBody, writeLines } from '#exports/body.ts';
import type { Export, ExportRequest } from '#exports/export.ts';
import { openSelection, type Selection } from '#exports/selection.ts';
import { writeManifestLine } from '#model/manifest.ts';

const fileName = 'manifest.jsonl';

/** Of the whole tree the bytes that the digest is computed over; of a folder or selection the lines of these. */
export const manifestExport: Export = {
  name: fileName,
  title: 'Manifest: one JSON line for each file',
  action: 'list',
  async open(request) {
    const selection = await openSelection(request);
    return linesBody(fileName, request, { selection, fields: 'content', lineOf: writeManifestLine, contentType: 'application/x-ndjson' });
  },
};

/** The SHA-256 of the file `manifest.jsonl` as downloaded, which is not the digest (docs/reference/manifest.md). */
export const manifestSumExport: Export = {
  name: `${fileName}.sha256`,
  title: 'SHA-256 of manifest.jsonl, for sha256sum -c',
  action: 'list',
  async open(request: ExportRequest) {
    const selection = await openSelection(request);
    const name = `${fileName}.sha256`;
    return { contentType: 'text/plain; charset=utf-8', ...etagOf(name, request), read: () => writeSum(selection, request.signal) };
  },
};

async function* writeSum(selection: Selection, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
  const sum = createHash('sha256');
  for await (const chunk of writeLines({ selection, fields: 'content', lineOf: writeManifestLine }, signal)) sum.update(chunk);
  yield Buffer.from(`${sum.digest('hex')}  ${fileName}\n`);
}
