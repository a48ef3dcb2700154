/** How a test of a source tries a temporary URL: as a collaborator’s client would, but through the connector, once, and only a few bytes. */
import { throwIfAborted } from '#drivers/abort.ts';
import type { Connector, OutboundRequest } from '#drivers/connector.ts';
import { asError, PackageRError } from '#errors/error.ts';

export interface UrlRequest {
  /** Absolute; used as it stands. */
  readonly url: string;
  readonly method: 'GET' | 'HEAD' | 'OPTIONS';
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes of the body that are wanted; the rest is not read. */
  readonly maxBytes: number;
  readonly signal: AbortSignal | undefined;
}

export interface FetchedUrl {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body, cut after the bytes that were asked for. */
  readonly body: Uint8Array;
}

/** Follows no redirect. Errors: endpoint_refused, source_unavailable, timeout. */
export type FetchUrl = (request: UrlRequest) => Promise<FetchedUrl>;

/** Milliseconds for the whole of one answer. */
const longest = 20_000;

/** `trust`: how certificates are judged, as the source says. */
export function fetchThrough(connector: Connector, trust: Pick<OutboundRequest, 'ca' | 'insecure'>): FetchUrl {
  return async ({ url, method, headers, maxBytes, signal }) => {
    throwIfAborted(signal);
    const late = AbortSignal.timeout(longest);
    const both = signal === undefined ? late : AbortSignal.any([signal, late]);
    try {
      const answer = await connector.request({ method, url: new URL(url), target: targetOf(url), headers, signal: both, ...trust });
      return { status: answer.status, headers: answer.headers, body: await headOf(answer.body, maxBytes) };
    } catch (error) {
      throwIfAborted(signal);
      throw late.aborted ? new PackageRError('timeout', `The answer took longer than ${longest / 1000} s.`) : asError(error);
    }
  };
}

/** What the request line shall hold: a URL object would fold `a/../b`, which was signed as it is. */
function targetOf(url: string): string {
  const rest = /^[a-z]+:\/\/[^/?#]*([^#]*)/i.exec(url)?.[1] ?? '';
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** The first bytes; the body is closed behind them. */
export async function headOf(body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= maxBytes) break;
  }
  return Buffer.concat(chunks).subarray(0, maxBytes);
}
