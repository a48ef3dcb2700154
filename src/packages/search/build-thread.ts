/** The thread in which an index is built, where the state has threads that read. */
import { serveReads } from '#state/sqlite/reader-thread.ts';
import { buildPart, type PartInput, type PartResult } from './build-part.ts';

serveReads({
  part: ({ all, emit, throwIfStopped }, input: PartInput): Promise<PartResult> => buildPart({ all, emit, pause: throwIfStopped }, input),
});
