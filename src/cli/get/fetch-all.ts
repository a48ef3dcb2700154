/** Fetches a batch, several files at once: what fails is noted, and the others go on as long as the link lives. */
import { asError, type PackageRError } from '#errors/error.ts';
import type { ErrorCode } from '#errors/table.ts';
import type { Batch, Item } from './batch.ts';
import { type FetchOutcome, fetchFile } from './fetch-file.ts';
import { isDiskFull } from './file-fault.ts';
import type { Progress } from './progress.ts';

export interface FetchAllOptions {
  /** Files at once. */
  readonly jobs: number;
  readonly overwrite: boolean;
  readonly tries: number;
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

export interface Failure {
  readonly path: string;
  readonly code: string;
  readonly message: string;
}

/** As given with --json. */
export interface FetchResult {
  files: number;
  /** Of the files that are there and right. */
  bytes: number;
  /** Bytes that came over the network in this run, those of failed files too. */
  received: number;
  verified: number;
  sizeOnly: number;
  present: number;
  /** The first ten thousand. */
  failed: Failure[];
  failures: number;
  /** Left alone, since nothing more was to be had. */
  untried: number;
}

const mostFailures = 10_000;

/** After these the same answer awaits every other file. */
const endOfAll: readonly ErrorCode[] = ['share_not_found', 'share_locked', 'terms_not_accepted', 'unauthenticated', 'version_withdrawn'];

export async function fetchAll(batch: Batch, options: FetchAllOptions): Promise<FetchResult> {
  const { progress, signal, jobs } = options;
  progress.totals.bytes = batch.bytes;
  progress.totals.files = batch.files;
  const result: FetchResult = {
    files: batch.files,
    bytes: 0,
    received: 0,
    verified: 0,
    sizeOnly: 0,
    present: 0,
    failed: [],
    failures: 0,
    untried: 0,
  };
  const items = batch.items()[Symbol.asyncIterator]();
  let isOver = false;
  const worker = async (): Promise<void> => {
    while (!isOver && !signal.aborted) {
      const next = await items.next();
      if (next.done === true) return;
      const fault = await fetchOne(next.value, options, result);
      if (fault !== undefined && (endOfAll.includes(fault.code) || isDiskFull(fault))) isOver = true;
    }
  };
  try {
    await Promise.all(Array.from({ length: jobs }, worker));
  } finally {
    await items.return?.();
  }
  result.untried = batch.files - result.verified - result.sizeOnly - result.present - result.failures;
  return result;
}

async function fetchOne(item: Item, options: FetchAllOptions, result: FetchResult): Promise<PackageRError | undefined> {
  const { totals } = options.progress;
  let counted = 0;
  try {
    if (item.wanted instanceof Error) throw item.wanted;
    const outcome = await fetchFile(item.wanted, {
      overwrite: options.overwrite,
      tries: options.tries,
      signal: options.signal,
      onBytes(count, received) {
        counted += count;
        totals.doneBytes += count;
        totals.received += received;
        result.received += received;
      },
    });
    await item.onDone?.();
    totals.doneFiles++;
    result.bytes += item.line.size;
    note(result, outcome);
    return undefined;
  } catch (error) {
    if (options.signal.aborted) return undefined;
    const fault = asError(error);
    totals.doneBytes -= counted;
    totals.failed++;
    result.failures++;
    const { code, message } = fault;
    if (result.failed.length < mostFailures) result.failed.push({ path: item.name, code, message });
    options.progress.say(`${item.name}: ${message}`);
    return fault;
  }
}

function note(result: FetchResult, outcome: FetchOutcome): void {
  if (outcome === 'present') result.present++;
  else if (outcome === 'verified') result.verified++;
  else result.sizeOnly++;
}
