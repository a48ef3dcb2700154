/**
 * The contract of a benchmark: the same work done by us and by peers. `run.ts` measures: wall clock, CPU-seconds (of this process
 * and of children that ended, unless a side states its own), peak memory, and what else a side tells.
 */

/** What was done by one run of a side. A bare number is `units`. What is left out is measured around the call. */
export interface Done {
  /** Units of work: URLs, keys, requests. */
  readonly units: number;
  /** Wall clock, where the call also did what does not count: starting up, reading results. */
  readonly seconds?: number;
  /** User and system, in seconds, of all processes that did the work; needed where it was done by a process that lives on. */
  readonly cpu?: number;
  /** Peak resident memory of the processes that did the work, in bytes (VmHWM). */
  readonly rss?: number;
  /** Anything else worth a median, by name with its unit: `p99 ms`, `requests`, `first entry ms`. */
  readonly facts?: Readonly<Record<string, number>>;
}

/** Does the work once. `variant` is one of `Bench.variants`, '' where there are none. */
export type Work = (variant: string) => Promise<number | Done> | number | Done;

export interface Peer {
  readonly work: Work;
  /** What to type to get it, where it is not there; asked after `prepare`. The peer is then left out, and said to be. */
  readonly missing?: () => string | undefined;
  /** Instead of those of the bench: for peers that take minutes. */
  readonly pairs?: number;
  /** false: no discarded run before the pairs, for peers that take minutes and keep nothing warm. */
  readonly warmUp?: boolean;
}

export interface Bench {
  readonly name: string;
  /** What one unit of work is: entries, URLs. */
  readonly unit: string;
  /** Forms of the work, each measured by itself; the worst ratio counts. */
  readonly variants?: readonly string[];
  /** What the ratios are made of: units per second of wall clock (where left out), or per CPU-second. */
  readonly measure?: 'wall' | 'cpu';
  /** 5 where left out. */
  readonly pairs?: number;
  /** Starts servers, builds, looks for peers. `flags` are those of the command line that run.ts does not know: `--keys 1000` is { keys: '1000' }. */
  prepare?(flags: Readonly<Record<string, string>>): Promise<void> | void;
  /** Proves that all sides that are there do the same work; throws where they do not. */
  verify(): Promise<void> | void;
  readonly ours: Work;
  readonly peers: Readonly<Record<string, Work | Peer>>;
  /** Upper bounds of the same work in units/s, measured now: what a protocol, a library or the machine allows. */
  limits?(variant: string): Promise<Readonly<Record<string, number>>> | Readonly<Record<string, number>>;
  /** For the record: versions of peers, what was left out and why. Asked at the end. */
  notes?(): readonly string[];
  close?(): Promise<void> | void;
}
