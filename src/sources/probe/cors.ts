/**
 * What browsers need: the store allows packageR’s own pages to use temporary URLs, and pages of others to follow a redirect to one
 * (they then send the origin `null`), and shows them the headers by which downloads resume. Where it does not, the rule that it lacks is
 * given to paste, or is set when that was asked for. Source: Fetch standard, sections 3.3 and 4.4.
 */
import type { CorsRule } from '#drivers/driver.ts';
import { PackageRError } from '#errors/error.ts';
import type { TemporaryUrl } from '#model/temporary-url.ts';
import type { FetchedUrl } from '#sources/probe/fetch-url.ts';
import { type Finding, ok, sayError, warning } from '#sources/probe/finding.ts';
import type { Probe } from '#sources/probe/probe.ts';
import { useUrl } from '#sources/probe/signing.ts';

const exposed = ['ETag', 'Content-Range', 'Accept-Ranges', 'Content-Length'] as const;
/** Shown to every page without being exposed. */
const always: ReadonlySet<string> = new Set(['content-length']);

/** What one origin may not do; empty where all is well. */
interface Gap {
  readonly isRefused: boolean;
  /** Range is not allowed in a request. */
  readonly noRange: boolean;
  readonly hidden: readonly string[];
}

export async function checkCors(probe: Probe, made: TemporaryUrl): Promise<void> {
  const { report, origin } = probe;
  if (origin === undefined) return;
  let gaps = await report.attempt(() => findGaps(probe, made, origin));
  if (!(gaps instanceof PackageRError) && gaps.some(isGap) && probe.setCors) {
    const set = await report.attempt(() => setRule(probe, origin));
    if (set instanceof PackageRError) report.add('cors-set', sayUnset(set, probe, origin));
    else {
      report.add('cors-set', ok(set === 0 ? 'A CORS rule was set.' : `A CORS rule was set, before the ${set} that were there.`));
      gaps = await report.attempt(() => findGaps(probe, made, origin));
    }
  }
  if (gaps instanceof PackageRError) return report.add('cors', report.failure(gaps));
  const [own, redirected] = gaps;
  const advice = adviceOf(probe, origin);
  report.add('cors', sayOwn(own, origin, advice));
  report.add('cors-redirect', sayRedirected(redirected, isGap(own) ? {} : advice));
}

async function findGaps(probe: Probe, made: TemporaryUrl, origin: string): Promise<readonly [Gap, Gap]> {
  return [await findGap(probe, made, origin), await findGap(probe, made, 'null')];
}

/** As a browser: asks first whether it may send a Range, then fetches. */
async function findGap(probe: Probe, made: TemporaryUrl, origin: string): Promise<Gap> {
  const asks = { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'range' };
  const preflight = await probe.fetch({ url: made.url, method: 'OPTIONS', headers: asks, maxBytes: 0, signal: probe.signal });
  const answer = await useUrl(probe, made, { headers: { origin, range: 'bytes=0-0' } });
  const names = listOf(answer, 'access-control-expose-headers');
  const isShown = (name: string): boolean => names.has('*') || names.has(name.toLowerCase()) || always.has(name.toLowerCase());
  const allowed = listOf(preflight, 'access-control-allow-headers');
  const isAsked = preflight.status >= 200 && preflight.status < 300 && allows(preflight, origin);
  return {
    isRefused: !allows(answer, origin),
    noRange: !isAsked || !(allowed.has('*') || allowed.has('range')),
    hidden: exposed.filter((name) => !isShown(name)),
  };
}

function allows({ headers }: FetchedUrl, origin: string): boolean {
  const allowed = headers['access-control-allow-origin'];
  return allowed === '*' || allowed === origin;
}

function listOf({ headers }: FetchedUrl, name: string): ReadonlySet<string> {
  return new Set((headers[name] ?? '').split(',').map((one) => one.trim().toLowerCase()));
}

function isGap({ isRefused, noRange, hidden }: Gap): boolean {
  return isRefused || noRange || hidden.length > 0;
}

interface Advice {
  readonly remedy?: string;
  readonly paste?: string;
}

function adviceOf({ driver, setCors }: Probe, origin: string): Advice {
  const where = 'Put this before the CORS rules of the bucket';
  const orSet = driver.cors === undefined || setCors ? '' : ', or let packageR do it: “sources test NAME --set-cors”';
  return { remedy: `${where}${orSet}.`, paste: writeRule(ruleFor(origin, driver.capabilities.write)) };
}

function sayOwn(gap: Gap, origin: string, advice: Advice): Finding {
  if (gap.isRefused)
    return warning(`Pages of ${origin} may not fetch from it in a browser: no CORS rule of the store allows them.`, advice);
  if (gap.noRange)
    return warning(`Pages of ${origin} may fetch from it in a browser, but not parts: the header Range is not allowed.`, advice);
  if (gap.hidden.length > 0) return warning(`Pages of ${origin} may fetch from it, but do not see ${gap.hidden.join(', ')}.`, advice);
  return ok(`Pages of ${origin} may fetch from it in a browser, in parts too.`);
}

function sayRedirected(gap: Gap, advice: Advice): Finding {
  if (!isGap(gap)) return ok('Pages of others may follow links to it in a browser.');
  return warning('Pages of others may not follow links to it in a browser: no CORS rule gives the origin “null” all it needs.', advice);
}

function sayUnset(error: PackageRError, { driver }: Probe, origin: string): Finding {
  const paste = writeRule(ruleFor(origin, driver.capabilities.write));
  const remedy = 'Put this before the CORS rules of the bucket, or allow the identity of the source to do so.';
  return warning(`The CORS rule could not be set: ${sayError(error)}`, { remedy, paste });
}

function ruleFor(origin: string, isWritable: boolean): CorsRule {
  return {
    origins: [origin, 'null'],
    methods: isWritable ? ['GET', 'HEAD', 'PUT'] : ['GET', 'HEAD'],
    headers: ['*'],
    exposedHeaders: exposed,
    maxAgeSeconds: 3600,
  };
}

/**
 * Ours comes first, since stores take the first rule that fits; the others stay as they are, but for an older one of ours.
 * Gives how many others there are. Errors: unsupported, those of the store.
 */
async function setRule({ driver, signal }: Probe, origin: string): Promise<number> {
  const { cors, capabilities } = driver;
  if (cors === undefined) throw new PackageRError('unsupported', 'packageR cannot set CORS rules at this kind of store.');
  const others = (await cors.get(signal)).filter(
    (rule) => !(rule.origins.length === 2 && rule.origins.includes(origin) && rule.origins.includes('null')),
  );
  await cors.set([ruleFor(origin, capabilities.write), ...others], signal);
  return others.length;
}

/** As the consoles of S3 stores take it, a line each. */
function writeRule({ origins, methods, headers, exposedHeaders, maxAgeSeconds }: CorsRule): string {
  const members = {
    AllowedOrigins: origins,
    AllowedMethods: methods,
    AllowedHeaders: headers,
    ExposeHeaders: exposedHeaders,
    MaxAgeSeconds: maxAgeSeconds,
  };
  const lines = Object.entries(members).map(([name, value]) => `    "${name}": ${JSON.stringify(value).replaceAll('","', '", "')}`);
  return `[\n  {\n${lines.join(',\n')}\n  }\n]`;
}
