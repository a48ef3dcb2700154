/**
 * The one way out: every connection to a store, identity provider or catalogue goes through a Connector, which decides on the
 * address that is really dialled, for every attempt. Implemented in `layers/connector.ts`.
 */
import type { Readable } from 'node:stream';

export interface Connector {
  /**
   * One HTTP request. Never follows a redirect (3xx is an answer like any other), never falls from TLS to plain text.
   * A kept connection that turns out to be closed is replaced once, where to say it twice does no more than to say it once.
   * Errors: endpoint_refused (host or dialled address not allowed), source_unavailable, timeout, request_invalid (target, ca).
   */
  request(request: OutboundRequest): Promise<OutboundResponse>;
  close(): Promise<void>;
}

export interface OutboundRequest {
  readonly method: string;
  readonly url: URL;
  /** The request target as it goes over the wire, where the path of `url` would be folded (`a/../b`); begins with `/`. */
  readonly target?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds from when all is sent to the head of the answer; 15 s where left out. To connect has a limit of its own, 5 s. */
  readonly timeout?: number;
  /** PEM of a private authority, in addition to the system’s. */
  readonly ca?: string;
  /** Accept any certificate: only where the source says so explicitly. */
  readonly insecure?: boolean;
}

export interface OutboundResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable;
}
