/** Fetches packageR's own temporary URLs as a client would, without a network: so that the test of a source tries what it signs. */
import { isError } from '#errors/error.ts';
import { type ContentOptions, type ContentResponse, serveSigned } from '#exchange/serve.ts';
import type { Clock } from '#model/clock.ts';
import type { ProbeHooks } from '#sources/probe.ts';

/** A refusal is an answer of status 403; other errors are thrown. */
export function fetchServed(content: ContentOptions, clock: Clock): NonNullable<ProbeHooks['fetchSigned']> {
  return async ({ url, method }, { headers, maxBytes, signal }) => {
    try {
      const answer = await serveSigned({ url, method, headers, signal }, content);
      return {
        status: answer.status,
        headers: { ...answer.headers, date: new Date(clock()).toUTCString() },
        body: await headOf(answer, maxBytes),
      };
    } catch (error) {
      if (isError(error, 'signature_invalid') || isError(error, 'signature_expired'))
        return { status: 403, headers: {}, body: Buffer.alloc(0) };
      throw error;
    }
  };
}

async function headOf({ body }: ContentResponse, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= maxBytes) break;
  }
  return Buffer.concat(chunks).subarray(0, maxBytes);
}
