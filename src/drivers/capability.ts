/** What a driver declares that it can do. Conformance tests and the probe ask it; nothing guesses. */
export interface Capabilities {
  /** local: presign is pure arithmetic · remote: presign asks the store · no: bytes cannot be given out. */
  readonly presign: 'local' | 'remote' | 'no';
  /** Longest life of a temporary URL in seconds; 0 where presign is `no`. */
  readonly presignMaxSeconds: number;
  readonly write: boolean;
  readonly copy: boolean;
  readonly delete: boolean;
  readonly multipart: boolean;
  /** The store keeps object versions and signs for one of them. */
  readonly versions: boolean;
  /** Checksums that `stat` or `list` may state without reading the bytes. */
  readonly checksums: readonly string[];
  /** Case of keys: folded where `a` and `A` are one object. */
  readonly keyCase: 'exact' | 'folded';
  /** Objects may be marked public: their plain URL is the temporary URL. */
  readonly publicUrls: boolean;
  /** CORS rules of the store can be read and set. */
  readonly cors: boolean;
  /** Whether `list` is in byte order of the keys. All drivers of packageR sort or inherit it; `false` refuses walks. */
  readonly ordered: boolean;
  /** Listings that pay to be in flight at once, where waiting for the store is what costs: a walk is split into that many key ranges. */
  readonly parallelListings?: number;
}
