/** Answers packageR's own temporary URLs as a client would see them, without a network: so that the test of a source tries what it signs. */
import { isError } from '#errors/error.ts';
import { type ContentOptions, serveSigned } from '#exchange/serve.ts';
import type { Clock } from '#model/clock.ts';
import { type FetchUrl, headOf } from '#sources/probe/fetch-url.ts';
import type { ProbeHooks } from '#sources/probe/probe.ts';

/** `base`: what such URLs begin with. A refusal is an answer of status 403; other errors are thrown. */
export function fetchServed(content: ContentOptions, base: string, clock: Clock): NonNullable<ProbeHooks['serveOwn']> {
  const serve = serveOwn(content, clock);
  return async (request) => (request.url.startsWith(`${base}/o/`) ? serve(request) : undefined);
}

function serveOwn(content: ContentOptions, clock: Clock): FetchUrl {
  return async ({ url, method, headers, maxBytes, signal }) => {
    const date = new Date(clock()).toUTCString();
    try {
      const answer = await serveSigned({ url, method, headers, signal }, content);
      return { status: answer.status, headers: { ...answer.headers, date }, body: await headOf(answer.body ?? [], maxBytes) };
    } catch (error) {
      if (isError(error, 'signature_invalid') || isError(error, 'signature_expired'))
        return { status: 403, headers: { date }, body: Buffer.alloc(0) };
      throw error;
    }
  };
}
