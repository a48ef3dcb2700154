/**
 * Asks SQLite whether a file is whole, in a thread of its own, since the answer takes as long as reading the file does. This module is both
 * sides: what starts the thread, and what runs in it. Imports nothing of ours but its connection.
 */
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { openDatabase } from './database.ts';

/** What is told of a damaged file at most. */
const mostFaults = 20;

/** Sentences of SQLite on what is wrong with the file at `path`; none where it is whole. Errors: that of the signal. */
export async function checkFile(path: string, signal?: AbortSignal): Promise<readonly string[]> {
  signal?.throwIfAborted();
  const isSource = import.meta.url.endsWith('.ts');
  const worker = new Worker(new URL(isSource ? './integrity.ts' : './integrity.js', import.meta.url), {
    workerData: { integrityOf: path },
    execArgv: [],
  });
  const onAbort = (): void => void worker.terminate();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await new Promise<readonly string[]>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.once('exit', () => reject(signal?.reason ?? new Error('the check ended without an answer')));
    });
  } finally {
    signal?.removeEventListener('abort', onAbort);
    await worker.terminate();
  }
}

function check(path: string): readonly string[] {
  try {
    const database = openDatabase(path, { readOnly: true });
    try {
      const rows = database.raw.prepare(`pragma integrity_check(${mostFaults})`).all() as { integrity_check: string }[];
      return rows.map((row) => row.integrity_check).filter((line) => line !== 'ok');
    } finally {
      database.close();
    }
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

const asked = (workerData as { readonly integrityOf?: string } | null)?.integrityOf;
if (parentPort !== null && asked !== undefined) parentPort.postMessage(check(asked));
