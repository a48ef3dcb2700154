/** How a request gets to the server: by fetch, in browsers and in Node. The unix socket has a file of its own. */

export interface TransportRequest {
  readonly method: string;
  /** Absolute; a transport that is no network takes path and query of it. */
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array> | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface TransportResponse {
  readonly status: number;
  header(name: string): string | undefined;
  /** To be consumed or returned by the caller: that closes the connection. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** Redirects are answers, never followed: a temporary URL goes to somebody else, without our headers. */
export type Transport = (request: TransportRequest) => Promise<TransportResponse>;

export function fetchTransport(fetch: typeof globalThis.fetch = globalThis.fetch): Transport {
  return async ({ method, url, headers, body, signal }) => {
    const init = { method, headers, redirect: 'manual', ...(signal === undefined ? {} : { signal }) } as const;
    const streamed = { body: body as NonNullable<RequestInit['body']>, duplex: 'half' } as const;
    const response = await fetch(url, body === undefined ? init : { ...init, ...streamed });
    return {
      status: response.status,
      header: (name) => response.headers.get(name) ?? undefined,
      body: response.body === null ? nothing() : (response.body as unknown as AsyncIterable<Uint8Array>),
    };
  };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
