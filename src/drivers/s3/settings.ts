/** What the options of an S3 source come to: checked one by one and against each other, with all decided that needs no call to the store. */
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { DriverOptions } from '#drivers/driver.ts';
import { findProvider, providerOf, type Quirks } from '#drivers/s3/quirks.ts';
import { PackageRError } from '#errors/error.ts';
import { suggest } from '#model/near.ts';

export interface S3Settings {
  readonly bucket: string;
  /** The origin that packageR calls. */
  readonly endpoint: URL;
  /** The origin that temporary URLs are signed for. */
  readonly publicEndpoint: URL;
  /** Undefined: to be found out. */
  readonly region: string | undefined;
  readonly style: 'path' | 'virtual';
  readonly quirks: Quirks;
  readonly writable: boolean;
  readonly versions: 'auto' | 'on' | 'off';
  /** PEM of a private authority. */
  readonly ca?: string;
  /** Any certificate is accepted. */
  readonly insecure: boolean;
}

type Options = DriverOptions['options'];

/** Errors: request_invalid, with what is wrong and, for an unknown name, the nearest. */
export function parseSettings(options: Options): S3Settings {
  const given = textOf(options, 'endpoint');
  const address = given === undefined ? undefined : parseOrigin('endpoint', given);
  const quirks = findQuirks(textOf(options, 'provider'), address);
  const bucket = parseBucket(textOf(options, 'bucket') ?? '', quirks);
  const region = parseRegion(textOf(options, 'region'), quirks);
  const endpoint = address ?? endpointOf(quirks, region);
  const publicText = textOf(options, 'publicEndpoint');
  const publicEndpoint = publicText === undefined ? endpoint : parseOrigin('publicEndpoint', publicText);
  refuseBucketHost(bucket, endpoint, 'endpoint');
  refuseBucketHost(bucket, publicEndpoint, 'publicEndpoint');
  const ca = parseTrust(options, endpoint);
  return {
    bucket,
    endpoint,
    publicEndpoint,
    region: region ?? quirks.region,
    style: decideStyle(choose(options, 'style', ['auto', 'path', 'virtual']), bucket, quirks, [endpoint, publicEndpoint]),
    quirks,
    writable: decideWritable(options, quirks),
    versions: decideVersions(choose(options, 'versions', ['auto', 'on', 'off']), quirks),
    ...(ca !== undefined && { ca }),
    insecure: options['insecure'] === true,
  };
}

export function textOf(options: Options, name: string): string | undefined {
  const value = options[name];
  return value === undefined || value === '' ? undefined : String(value);
}

/** One of some words; the first where it is left out. Errors: request_invalid with the nearest. */
export function choose<const T extends string>(options: Options, name: string, known: readonly [T, ...T[]]): T {
  const value = textOf(options, name) ?? known[0];
  const found = known.find((one) => one === value);
  if (found !== undefined) return found;
  throw refusal(`The option ${name} is one of ${known.join(', ')}, not ${quote(value)}.${suggest(value, known)}`);
}

export function refusal(message: string): PackageRError {
  return new PackageRError('request_invalid', message, { operation: 'driver.open' });
}

function findQuirks(name: string | undefined, endpoint: URL | undefined): Quirks {
  const byHost = endpoint === undefined ? undefined : providerOf(endpoint.hostname);
  return name === undefined ? (byHost ?? findProvider('aws')) : findProvider(name);
}

/** The origin of an address. */
function parseOrigin(option: string, text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '') {
    throw refusal(`The option ${option} is an address such as “https://s3.example.com”, not ${quote(text)}.`);
  }
  if (url.username !== '' || url.password !== '')
    throw refusal(`The option ${option} must not hold a name or password: keys are secrets of the source.`);
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw refusal(`The option ${option} ends after the host and port: bucket and prefix are options of their own.`);
  }
  return new URL(url.origin);
}

/** An address like `https://bucket.store.example` would name the bucket twice, unless that is what the store is called. */
function refuseBucketHost(bucket: string, endpoint: URL, option: string): void {
  if (providerOf(endpoint.hostname).endpoint === endpoint.origin) return;
  const rest = endpoint.hostname.startsWith(`${bucket.toLowerCase()}.`) ? endpoint.hostname.slice(bucket.length + 1) : '';
  if (rest !== '' && (/^s3[.-]/.test(rest) || providerOf(rest).name !== 'other')) {
    throw refusal(`The option ${option} names the store without the bucket: “${endpoint.protocol}//${rest}”.`);
  }
}

function endpointOf({ name, endpoint, regions }: Quirks, region: string | undefined): URL {
  if (endpoint === undefined)
    throw refusal(`The provider ${name} needs the option endpoint: its address depends on the installation or account.`);
  if (name !== 'aws' && region === undefined && endpoint.includes('{region}')) {
    throw refusal(`The provider ${name} needs the option region, such as ${(regions ?? []).join(', ')}.`);
  }
  const suffix = region?.startsWith('cn-') && name === 'aws' ? '.cn' : '';
  return new URL(endpoint.replace('{region}', region ?? 'us-east-1') + suffix);
}

function parseRegion(region: string | undefined, { name, endpoint, regions = [] }: Quirks): string | undefined {
  if (region === undefined) return undefined;
  const isHostPart = endpoint?.includes('{region}') ?? false;
  if (isHostPart ? /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(region) : /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(region)) return region;
  throw refusal(`${quote(region)} is no region of the provider ${name}.${suggest(region, regions)}`);
}

/**
 * The rules for new buckets (3 to 63 of a–z 0–9 . -), and what was allowed before March 2018 in us-east-1 and still is in other stores:
 * capitals, underscores, up to 255 characters. Source: Amazon S3 user guide, “General purpose bucket naming rules”.
 */
function parseBucket(bucket: string, { tenants }: Quirks): string {
  if (/^(?:s3|https?):|\//.test(bucket)) {
    throw refusal(`The option bucket is the name alone, not ${quote(bucket)}: the address goes into endpoint, the rest into prefix.`);
  }
  const [tenant, name] = tenants && bucket.includes(':') ? splitOnce(bucket) : [undefined, bucket];
  if (tenant !== undefined && !/^[A-Za-z0-9_.-]{0,64}$/.test(tenant))
    throw refusal(`The tenant before the bucket is not valid: ${quote(tenant)}.`);
  if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{1,253}[A-Za-z0-9_]$/.test(name)) {
    throw refusal(`${quote(bucket)} is no name of a bucket: it has 3 to 63 of a–z, 0–9, “.” and “-” (older ones also capitals and “_”).`);
  }
  if (isIP(name) !== 0) throw refusal(`${quote(bucket)} is no name of a bucket: it looks like an address.`);
  return bucket;
}

function splitOnce(bucket: string): [string, string] {
  const at = bucket.indexOf(':');
  return [bucket.slice(0, at), bucket.slice(at + 1)];
}

/** Source: Amazon S3 user guide, “Virtual hosting of general purpose buckets”. */
function decideStyle(style: 'auto' | 'path' | 'virtual', bucket: string, quirks: Quirks, endpoints: readonly URL[]): 'path' | 'virtual' {
  const isLabel = /^[a-z0-9](?:[a-z0-9-]{1,61}[a-z0-9])?$/.test(bucket);
  const isNamed = endpoints.every(({ hostname }) => isIP(hostname.replace(/^\[|\]$/g, '')) === 0);
  if (style === 'auto') return quirks.style === 'virtual' && isLabel && isNamed ? 'virtual' : 'path';
  if (style === 'path') return 'path';
  if (!isNamed)
    throw refusal('With style virtual the bucket goes before the host name, but the endpoint is an IP address: use style path.');
  if (!/^[a-z0-9.-]+$/.test(bucket)) throw refusal(`The bucket ${quote(bucket)} cannot be part of a host name: use style path.`);
  if (!isLabel && endpoints.some(({ protocol }) => protocol === 'https:')) {
    throw refusal(`No certificate covers the bucket ${quote(bucket)} before the host name, because of its dot or length: use style path.`);
  }
  return 'virtual';
}

function decideWritable(options: Options, { name, readOnly }: Quirks): boolean {
  if (options['writable'] !== true) return false;
  if (readOnly) throw refusal(`The provider ${name} lets nobody write: leave out writable.`);
  if (options['credentials'] === 'anonymous') throw refusal('Without credentials nothing can be written: leave out writable, or use keys.');
  return true;
}

function decideVersions(versions: 'auto' | 'on' | 'off', quirks: Quirks): S3Settings['versions'] {
  if (quirks.versions !== false) return versions;
  if (versions === 'on') throw refusal(`The provider ${quirks.name} keeps no object versions: leave out versions.`);
  return 'off';
}

function parseTrust(options: Options, { protocol }: URL): string | undefined {
  const ca = textOf(options, 'ca');
  const insecure = options['insecure'] === true;
  if (ca === undefined && !insecure) return undefined;
  if (protocol !== 'https:') throw refusal('The options ca and insecure are about certificates, which an endpoint of http does not have.');
  if (ca === undefined) return undefined;
  if (insecure) throw refusal('The options ca and insecure contradict each other: with insecure any certificate is accepted.');
  const certificates = ca.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (/PRIVATE KEY/.test(ca)) throw refusal('The option ca holds a private key: give the certificates alone.');
  if (certificates.length === 0 || !certificates.every(isCertificate)) {
    throw refusal('The option ca is the text of one or more certificates, from “-----BEGIN CERTIFICATE-----” on.');
  }
  return ca;
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
