/** Counters of the edge for Prometheus. Labels hold route patterns, never paths, names or ids. */
import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';

export interface CountedRequest {
  readonly method: string;
  readonly route: string;
  readonly status: number;
  readonly milliseconds: number;
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: Counter<'method' | 'route' | 'status'>;
  readonly #durations: Histogram<'method' | 'route'>;

  /** `process`: also what Node says of itself; its timers live as long as the process. */
  constructor(options: { readonly process?: boolean } = {}) {
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
