/**
 * The test of a source: tries what its driver declares, chosen by capability, and says in plain words what works and how to mend what
 * does not. It writes small objects where the source is declared writable, and removes them. It shows no secret, temporary URL or
 * upstream text.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connector } from '#drivers/connector.ts';
import type { Driver, DriverDefinition, StoreFacts } from '#drivers/driver.ts';
import { PackageRError } from '#errors/error.ts';
import type { Clock } from '#model/clock.ts';
import { checkCors } from '#sources/probe/cors.ts';
import { type FetchedUrl, type FetchUrl, fetchThrough, type UrlRequest } from '#sources/probe/fetch-url.ts';
import { ok, Report } from '#sources/probe/finding.ts';
import { checkReading, type Sample } from '#sources/probe/reading.ts';
import { checkRights } from '#sources/probe/rights.ts';
import { checkSigning } from '#sources/probe/signing.ts';
import { checkChecksums, checkVersions, checkWriting } from '#sources/probe/writing.ts';
import type { SourceOptions, SourceTest } from '#sources/source.ts';

export interface ProbeHooks {
  /** Answers temporary URLs that packageR itself serves; undefined for those of others, which are fetched through the connector. */
  serveOwn?(request: UrlRequest): Promise<FetchedUrl | undefined>;
  /** The origin of packageR’s own pages, `https://data.example.org`; what browsers need is not tried without it. */
  readonly origin?: string | undefined;
  /** Milliseconds; a timer where left out. */
  wait?(milliseconds: number, signal: AbortSignal | undefined): Promise<void>;
}

export interface ProbeOptions {
  readonly definition: DriverDefinition | undefined;
  /** As kept; `ca` and `insecure` hold for temporary URLs too. */
  readonly options: SourceOptions;
  /** Opens a driver, which is closed at the end. Errors say what is wrong with options and secrets. */
  open(): Promise<Driver>;
  readonly connector: Connector;
  readonly hooks: ProbeHooks;
  readonly clock: Clock;
  /** Put the CORS rule that is missing on the store. */
  readonly setCors?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What the groups of checks share. */
export interface Probe {
  readonly driver: Driver;
  readonly report: Report;
  readonly fetch: FetchUrl;
  readonly facts: StoreFacts;
  readonly options: SourceOptions;
  readonly origin: string | undefined;
  readonly clock: Clock;
  wait(milliseconds: number): Promise<void>;
  readonly setCors: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Errors: cancelled. Everything else that goes wrong is a finding. */
export async function probeSource(options: ProbeOptions): Promise<SourceTest> {
  const report = new Report(options.definition, options.signal);
  const driver = await report.check(
    'open',
    () => options.open(),
    () => ok('Options and secrets are complete, and the source opens.'),
  );
  if (driver !== undefined) {
    try {
      await probeDriver(driver, report, options);
    } finally {
      await driver.close?.();
    }
  }
  return { works: report.checks.every((check) => check.outcome !== 'failed'), checks: report.checks };
}

async function probeDriver(driver: Driver, report: Report, asked: ProbeOptions): Promise<void> {
  const { hooks, clock, options, setCors = false, signal } = asked;
  const { wait = async (milliseconds) => sleep(milliseconds, undefined, signal && { signal }) } = hooks;
  const probe = (facts: StoreFacts): Probe => ({
    ...{ driver, report, facts, options, clock, setCors, signal, origin: hooks.origin },
    fetch: fetchOf(asked),
    wait: (milliseconds) => wait(milliseconds, signal),
  });
  const sample: Sample | undefined = await checkReading(probe({}));
  const facts = await report.attempt(async () => (await driver.inspect?.({ signal })) ?? {});
  const known = probe(facts instanceof PackageRError ? {} : facts);
  const signed = await checkSigning(known, sample);
  await checkWriting(known);
  await checkVersions(known, sample);
  checkChecksums(known, sample);
  if (signed !== undefined) await checkCors(known, signed);
  if (driver.inspect !== undefined) checkRights(known, facts);
}

/** packageR’s own URLs without a network, all others as the connector allows. */
function fetchOf({ connector, hooks, options: { ca, insecure } }: ProbeOptions): FetchUrl {
  const through = fetchThrough(connector, { ...(typeof ca === 'string' && { ca }), insecure: insecure === true });
  return async (request) => (await hooks.serveOwn?.(request)) ?? through(request);
}
