/** `manifest.jsonl`, the canonical listing, and `manifest.jsonl.sha256` beside it for `sha256sum -c`. */
import { createHash } from 'node:crypto';
import { gather, textBody } from '#exports/body.ts';
import type { Export, ExportRequest } from '#exports/export.ts';
import { openSelection, type Selection } from '#exports/selection.ts';
import { writeManifestLine } from '#model/manifest.ts';

const fileName = 'manifest.jsonl';

async function* lines(selection: Selection): AsyncGenerator<string, void, undefined> {
  for await (const leaf of selection.walk()) yield writeManifestLine(leaf);
}

/** Of the whole tree the bytes that the digest is computed over; of a folder or selection the lines of these. */
export const manifestExport: Export = {
  name: fileName,
  title: 'Manifest: one JSON line for each file',
  action: 'list',
  async open(request) {
    const selection = await openSelection(request);
    return textBody(fileName, request, () => lines(selection), 'application/x-ndjson');
  },
};

/** The SHA-256 of the file `manifest.jsonl` as downloaded, which is not the digest (docs/reference/manifest.md). */
export const manifestSumExport: Export = {
  name: `${fileName}.sha256`,
  title: 'SHA-256 of manifest.jsonl, for sha256sum -c',
  action: 'list',
  async open(request: ExportRequest) {
    const selection = await openSelection(request);
    return textBody(`${fileName}.sha256`, request, () => sumLine(selection, request.signal));
  },
};

async function* sumLine(selection: Selection, signal: AbortSignal): AsyncGenerator<string, void, undefined> {
  const sum = createHash('sha256');
  for await (const chunk of gather(lines(selection), signal)) sum.update(chunk);
  yield `${sum.digest('hex')}  ${fileName}\n`;
}
