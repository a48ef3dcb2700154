/** Faults of the disk of this machine as errors of packageR. */

import { PackageRError } from '#errors/error.ts';
import type { ErrorCode } from '#errors/table.ts';

const meanings: Readonly<Record<string, { readonly code: ErrorCode; readonly message: string }>> = {
  ENAMETOOLONG: { code: 'path_invalid', message: 'The name is too long for this disk.' },
  EILSEQ: { code: 'path_invalid', message: 'This disk cannot hold the name.' },
  EINVAL: { code: 'path_invalid', message: 'This disk cannot hold the name.' },
  ELOOP: { code: 'link_refused', message: 'A link is in the way; nothing is written through it.' },
  ENOTDIR: { code: 'not_a_folder', message: 'A file is in the way where a folder is needed.' },
  EISDIR: { code: 'exists', message: 'A folder is in the way.' },
  ENOTEMPTY: { code: 'exists', message: 'A folder is in the way.' },
  ENOSPC: { code: 'file_failed', message: 'The disk is full.' },
  EDQUOT: { code: 'file_failed', message: 'Your quota of this disk is used up.' },
  EROFS: { code: 'file_failed', message: 'The disk takes no files: it is read-only.' },
  EACCES: { code: 'file_failed', message: 'You have no right to this place of the disk.' },
  EPERM: { code: 'file_failed', message: 'You have no right to this place of the disk.' },
  EFBIG: { code: 'file_failed', message: 'The file is too large for this disk.' },
};

/** An error of packageR is given back as it is; what is none of the disk becomes `internal`. */
export function fileFault(error: unknown): PackageRError {
  if (error instanceof PackageRError) return error;
  const fault = (error as NodeJS.ErrnoException).code ?? '';
  const known = meanings[fault];
  if (known !== undefined) return new PackageRError(known.code, known.message, { cause: error, context: { fault } });
  if (fault === '') return new PackageRError('internal', undefined, { cause: error });
  return new PackageRError('file_failed', `A file could not be read or written (${fault}).`, { cause: error, context: { fault } });
}

/** Every other file would fail too. */
export function isDiskFull({ context }: PackageRError): boolean {
  return ['ENOSPC', 'EDQUOT', 'EROFS'].includes(String(context['fault']));
}
