/** Puts objects into a bucket that is still open to everybody on this machine: plain PUT requests, several at once. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { PackageRError } from '#errors/error.ts';
import { encodePath, type Path } from '#model/path.ts';

export interface DemoObject {
  readonly key: string;
  readonly content: string | Buffer | { readonly file: string };
}

export interface PutObjectsOptions {
  /** Of the bucket, without a slash at the end. */
  readonly bucketUrl: string;
  readonly objects: Iterable<DemoObject>;
  readonly signal: AbortSignal;
}

const atOnce = 16;
/** Milliseconds for all of them. */
const longest = 90_000;

/** Errors: source_unavailable where the store refuses one, breaks off or takes too long; what the signal aborts with. */
export async function putObjects({ bucketUrl, objects, signal: stop }: PutObjectsOptions): Promise<void> {
  const signal = AbortSignal.any([stop, AbortSignal.timeout(longest)]);
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce });
  const rest = objects[Symbol.iterator]();
  const work = async (): Promise<void> => {
    for (let next = rest.next(); next.done !== true; next = rest.next()) {
      const { key, content } = next.value;
      const status = await put(`${bucketUrl}/${encodePath(key as Path)}`, content, { agent, signal });
      if (status !== 200) throw new Error(`The store answered ${status}.`);
    }
  };
  try {
    await Promise.all(Array.from({ length: atOnce }, work));
  } catch (cause) {
    stop.throwIfAborted();
    throw new PackageRError('source_unavailable', 'SeaweedFS could not be filled', { cause });
  } finally {
    agent.destroy();
  }
}

/** The status of the answer. */
async function put(url: string, content: DemoObject['content'], options: { agent: Agent; signal: AbortSignal }): Promise<number> {
  const isFile = typeof content === 'object' && 'file' in content;
  const length = isFile ? (await stat(content.file)).size : Buffer.byteLength(content);
  const sent = request(url, { ...options, method: 'PUT', headers: { 'content-length': length } });
  const answered = new Promise<number>((resolve, reject) => {
    sent.once('error', reject);
    sent.once('response', (response) => {
      response.resume().once('error', reject);
      response.once('end', () => resolve(response.statusCode ?? 0));
    });
  });
  if (isFile) await Promise.all([pipeline(createReadStream(content.file), sent), answered]);
  else sent.end(content);
  return await answered;
}
