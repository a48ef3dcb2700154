/** What requests may cost. Defaults of the reference; a deployment sets them by `limits.*`. Each is enforced once, in this folder. */

export interface HttpLimits {
  /** Bytes of request line and headers together. */
  readonly headerBytes: number;
  readonly headers: number;
  /** Bytes of the URL as sent. */
  readonly urlBytes: number;
  /** Bytes of bodies: sign-in and unlock · JSON · lists of entries in one JSON. */
  readonly secretBytes: number;
  readonly jsonBytes: number;
  readonly listBytes: number;
  readonly jsonDepth: number;
  readonly jsonKeys: number;
  readonly jsonItems: number;
  /** Bytes of one string, as it is written. */
  readonly jsonString: number;
  /** Bytes of one line of an NDJSON or CSV body. */
  readonly lineBytes: number;
  /** Milliseconds. */
  readonly headersTimeout: number;
  readonly bodyTimeout: number;
  readonly idleTimeout: number;
  readonly handlerTimeout: number;
  readonly inFlight: number;
  /** Above the 8 × 8 checkers and 4 transfers of rclone, which leaves out of its copy what is answered 429. */
  readonly inFlightPerPeer: number;
  readonly eventStreams: number;
  /** Milliseconds. */
  readonly eventStreamTimeout: number;
  readonly archivesPerShare: number;
  readonly searchesPerActor: number;
  readonly searchHits: number;
  /** Milliseconds. */
  readonly searchTimeout: number;
  /** Milliseconds that an archive may take. */
  readonly archiveTimeout: number;
  readonly rates: HttpRates;
}

export interface Rate {
  readonly perMinute: number;
  readonly burst: number;
}

export interface HttpRates {
  /** Signed in, per actor. */
  readonly user: Rate;
  /** Nobody or a share holder, per peer. */
  readonly peer: Rate;
  /** Stable links and exchange, per share and peer. */
  readonly exchange: Rate;
}

export const defaultHttpLimits: HttpLimits = {
  headerBytes: 16 * 1024,
  headers: 64,
  urlBytes: 8 * 1024,
  secretBytes: 16 * 1024,
  jsonBytes: 256 * 1024,
  listBytes: 4 * 1024 * 1024,
  jsonDepth: 32,
  jsonKeys: 1000,
  jsonItems: 10_000,
  jsonString: 64 * 1024,
  lineBytes: 64 * 1024,
  headersTimeout: 10_000,
  bodyTimeout: 30_000,
  idleTimeout: 30_000,
  handlerTimeout: 30_000,
  inFlight: 512,
  inFlightPerPeer: 128,
  eventStreams: 4,
  eventStreamTimeout: 3_600_000,
  archivesPerShare: 2,
  searchesPerActor: 2,
  searchHits: 1000,
  searchTimeout: 10_000,
  archiveTimeout: 3_600_000,
  rates: {
    user: { perMinute: 600, burst: 200 },
    peer: { perMinute: 120, burst: 60 },
    exchange: { perMinute: 60_000, burst: 6000 },
  },
};
