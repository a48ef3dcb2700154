/** How a client reaches a server: a function like `fetch`. The web application and the command line over HTTP use `fetch` itself. */
export type Transport = (url: URL, request: TransportRequest) => Promise<Response>;

export interface TransportRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Over the network. Redirects are answers, not followed: a token must not travel on. */
export const fetchTransport: Transport = (url, { method, headers, body, signal }) =>
  fetch(url, {
    method,
    headers,
    redirect: 'manual',
    ...(body === undefined ? {} : { body }),
    ...(body instanceof ReadableStream ? { duplex: 'half' } : {}),
    ...(signal === undefined ? {} : { signal }),
  } as RequestInit);
