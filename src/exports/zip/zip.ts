/**
 * `package.zip`: texts as bytes, inline objects as bytes while they are few, pointer files for the rest, checksum lists, and what it takes
 * to exchange the pointers in place. The bytes of a frozen tree are always the same, and their length is known before the first.
 */
import { PackageRError } from '#errors/error.ts';
import { etagOf } from '#exports/body.ts';
import type { Export, ExportRequest } from '#exports/export.ts';
import { openSelection } from '#exports/selection.ts';
import { Archive } from './archive.ts';
import { planZip } from './plan.ts';
import { Plans } from './plans.ts';
import { repeatable } from './snapshot.ts';

const plans = new Plans();

export const zipExport: Export = {
  name: 'package.zip',
  title: 'ZIP archive: texts, pointers, checksums',
  action: 'download',
  isArchive: true,
  async open(request) {
    const selection = await repeatable(await openSelection(request), request.tree.frozen);
    const plan = await plans.find(request, () => planZip(selection, request));
    if (request.isCounted === true) await new Archive(plan, selection, request).readFiles();
    const { size } = plan;
    return {
      contentType: 'application/zip',
      fileName: nameArchive(request),
      size,
      ...etagOf('package.zip', request),
      read({ start, end } = { start: 0, end: size }) {
        if (!(0 <= start && start <= end && end <= size)) throw new PackageRError('range_invalid');
        return new Archive(plan, selection, request).read(start, end);
      },
    };
  },
};

function nameArchive({ about }: ExportRequest): string {
  const title = about.title.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[-.]+|[-.]+$/g, '') || 'package';
  return `${title.slice(0, 100)}${about.version === undefined ? '' : `-${about.version}`}.zip`;
}
