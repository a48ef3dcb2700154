/** What the edge is given: the domain, its settings, and what its resources share. Wired in main, once. */
import type { Logger } from 'pino';
import type { Access } from '#access/access.ts';
import type { Idempotency } from '#access/idempotency.ts';
import type { Events } from '#events/events.ts';
import type { Exchange } from '#exchange/exchange.ts';
import type { Export } from '#exports/export.ts';
import type { Jobs } from '#jobs/jobs.ts';
import type { Clock, MakeId } from '#model/clock.ts';
import type { Packages } from '#packages/packages.ts';
import type { Shares } from '#shares/shares.ts';
import type { Sources } from '#sources/sources.ts';
import type { ContentDoor } from './content-routes.ts';
import type { HttpLimits } from './limits.ts';
import type { Metrics } from './metrics.ts';
import type { Peers } from './peer.ts';
import type { Rates, Slots } from './rates.ts';
import type { Operations } from './system.ts';

export interface HttpSettings {
  /** Absolute, without a slash at the end; what stable URLs begin with. */
  readonly publicUrl: string;
  /** Nobody set it: links work on this machine only, and answers that make one say so. */
  readonly isDefaultPublicUrl: boolean;
  /** Addresses and networks whose forwarding headers count. */
  readonly trustedProxies: readonly string[];
  /** Addresses and networks that may read /metrics without a token, besides loopback. */
  readonly metricsAllow: readonly string[];
  readonly limits: HttpLimits;
}

export interface ServerDeps {
  readonly access: Access;
  readonly sources: Sources;
  readonly packages: Packages;
  readonly shares: Shares;
  readonly exchange: Exchange;
  readonly exports: readonly Export[];
  readonly jobs: Jobs;
  readonly events: Events;
  readonly idempotency: Idempotency;
  /** Serve packageR's own signed URLs on this listener too; left out where they have one of their own. */
  readonly content?: ContentDoor | undefined;
  readonly operations: Operations;
  readonly settings: HttpSettings;
  readonly log: Logger;
  readonly clock: Clock;
  readonly makeId: MakeId;
  /** Also count what Node says of itself. */
  readonly processMetrics?: boolean;
  /** Where the web application was built, if not beside the program. Ends in a slash. */
  readonly webFolder?: URL | undefined;
  /** Bytes of objects that packageR itself sent so far. */
  readonly objectBytes?: () => number;
}

/** What the resources are given beside the domain. */
export interface Edge extends ServerDeps {
  readonly metrics: Metrics;
  readonly peers: Peers;
  readonly rates: Rates;
  readonly slots: Slots;
  readonly publicOrigin: string;
  readonly isSecure: boolean;
  /** The path of the server as browsers see it, ending in a slash. */
  readonly rootPath: string;
}
