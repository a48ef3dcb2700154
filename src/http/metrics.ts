/** Counters of the edge for Prometheus. Labels hold route patterns, never paths, names or ids. */
import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';

export interface CountedRequest {
  readonly method: string;
  readonly route: string;
  readonly status: number;
  readonly milliseconds: number;
}

export interface MetricsOptions {
  /** Also what Node says of itself; its timers live as long as the process. */
  readonly process?: boolean | undefined;
  /** Bytes of objects that packageR sent so far, other than by a redirect. */
  readonly objectBytes?: (() => number) | undefined;
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: Counter<'method' | 'route' | 'status'>;
  readonly #durations: Histogram<'method' | 'route'>;

  constructor(options: MetricsOptions = {}) {
    const registers = [this.#registry];
    this.#requests = new Counter({
      name: 'packager_http_requests_total',
      help: 'Requests answered.',
      labelNames: ['method', 'route', 'status'],
      registers,
    });
    this.#durations = new Histogram({
      name: 'packager_http_request_seconds',
      help: 'Time until the end of the answer.',
      labelNames: ['method', 'route'],
      buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60],
      registers,
    });
    if (options.objectBytes !== undefined) countObjectBytes(this.#registry, options.objectBytes);
    if (options.process === true) collectDefaultMetrics({ register: this.#registry });
  }

  count({ method, route, status, milliseconds }: CountedRequest): void {
    this.#requests.inc({ method, route, status: String(status) });
    this.#durations.observe({ method, route }, milliseconds / 1000);
  }

  /** Prometheus text format. */
  async write(): Promise<{ readonly contentType: string; readonly text: string }> {
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }
}

/** Zero where all sources are stores that give bytes out themselves. */
function countObjectBytes(registry: Registry, read: () => number): void {
  new Counter({
    name: 'packager_object_bytes_total',
    help: 'Bytes of objects that packageR itself sent, for sources that no store serves.',
    registers: [registry],
    collect() {
      this.reset();
      this.inc(read());
    },
  });
}
