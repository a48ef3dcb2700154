/**
 * What S3-compatible stores do differently, as data: where they are, how they name buckets, what they lack. `source` names the page of the
 * provider or project where more stands. The probe finds by itself what a store cannot do; here stands what must be known before the first call.
 */
import { PackageRError } from '#errors/error.ts';
import { suggest } from '#model/near.ts';

export interface Quirks {
  readonly name: string;
  readonly title: string;
  /** Hosts of the store end in this: an endpoint tells its provider. */
  readonly domain?: string;
  /** Address by region; left out where only the person knows it. */
  readonly endpoint?: string;
  /** What signatures name where no region is given; left out where it must be given, or can be found out. */
  readonly region?: string;
  /** Some regions, for messages. The list grows without us, so others are taken too. */
  readonly regions?: readonly string[];
  /** What `style: auto` comes to for a bucket whose name can be part of a host name. */
  readonly style: 'path' | 'virtual';
  /** False: object versions are not kept, so none is asked for. */
  readonly versions?: false;
  /** True: nobody but the provider can write. */
  readonly readOnly?: true;
  /** Bucket names like `tenant:bucket`. */
  readonly tenants?: true;
  /** For people who set up a source. */
  readonly notes: readonly string[];
  /** Page of the provider or project that says so. */
  readonly source?: string;
}

export const providers: readonly Quirks[] = [
  {
    name: 'aws',
    title: 'Amazon S3',
    domain: 'amazonaws.com',
    endpoint: 'https://s3.{region}.amazonaws.com',
    style: 'virtual',
    notes: [
      'The region of a bucket is found out where it is not given.',
      'Regions of China have the endpoint “https://s3.{region}.amazonaws.com.cn”.',
    ],
    source: 'https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html',
  },
  {
    name: 'ceph',
    title: 'Ceph Object Gateway (radosgw)',
    region: 'us-east-1',
    style: 'path',
    tenants: true,
    notes: [
      'Host names for buckets work only where the gateway has “rgw dns name”.',
      'The region in a signature is not checked.',
      'Checksums that clients send with an object are not kept by releases before 20.',
    ],
    source: 'https://docs.ceph.com/en/latest/radosgw/s3/commons/',
  },
  {
    name: 'seaweedfs',
    title: 'SeaweedFS',
    region: 'us-east-1',
    style: 'path',
    notes: ['Signatures are checked only where the gateway was given identities; without any, everyone may do everything.'],
    source: 'https://github.com/seaweedfs/seaweedfs/wiki/Amazon-S3-API',
  },
  {
    name: 'versitygw',
    title: 'Versity S3 Gateway',
    region: 'us-east-1',
    style: 'path',
    notes: [
      'Object versions are kept only with “--versioning-dir”.',
      'Keys are file names: no segment longer than 255 bytes, no empty segment, no object below another one.',
      'The region must be the one that the gateway was started with.',
    ],
    source: 'https://github.com/versity/versitygw/wiki',
  },
  {
    name: 'garage',
    title: 'Garage',
    region: 'garage',
    style: 'path',
    versions: false,
    notes: [
      'The region is “s3_region” of its configuration and is checked.',
      'Rights belong to keys and buckets; there are no bucket policies.',
    ],
    source: 'https://garagehq.deuxfleurs.fr/documentation/reference-manual/s3-compatibility/',
  },
  {
    name: 'r2',
    title: 'Cloudflare R2',
    domain: 'r2.cloudflarestorage.com',
    region: 'auto',
    style: 'path',
    versions: false,
    notes: [
      'The endpoint names the account: “https://ACCOUNT.r2.cloudflarestorage.com”, or with “.eu” before “.r2” for buckets bound to the EU.',
      'Temporary URLs work on that endpoint only, not on a domain of one’s own.',
    ],
    source: 'https://developers.cloudflare.com/r2/api/s3/api/',
  },
  {
    name: 'wasabi',
    title: 'Wasabi',
    domain: 'wasabisys.com',
    endpoint: 'https://s3.{region}.wasabisys.com',
    regions: ['us-east-1', 'us-west-1', 'eu-central-1', 'eu-west-1', 'ap-northeast-1'],
    style: 'path',
    notes: ['Accounts on trial may not make objects public; temporary URLs work.'],
    source: 'https://docs.wasabi.com/docs/what-are-the-service-urls-for-wasabi-s-different-storage-regions',
  },
  {
    name: 'ovh',
    title: 'OVHcloud Object Storage',
    domain: 'cloud.ovh.net',
    endpoint: 'https://s3.{region}.io.cloud.ovh.net',
    regions: ['gra', 'sbg', 'rbx', 'de', 'uk', 'waw', 'bhs'],
    style: 'virtual',
    notes: [
      'Regions are written in small letters.',
      'Buckets of the older high-performance class have the endpoint “https://s3.{region}.perf.cloud.ovh.net”.',
    ],
    source: 'https://help.ovhcloud.com/csm/en-public-cloud-storage-s3-location',
  },
  {
    name: 'cdse',
    title: 'Copernicus Data Space (eodata)',
    domain: 'dataspace.copernicus.eu',
    endpoint: 'https://eodata.dataspace.copernicus.eu',
    region: 'default',
    style: 'path',
    versions: false,
    readOnly: true,
    tenants: true,
    notes: [
      'The bucket is “eodata”. Keys are made in the portal and end after the time chosen there.',
      'Transfer and rate are limited by account.',
    ],
    source: 'https://documentation.dataspace.copernicus.eu/APIs/S3.html',
  },
  {
    name: 'minio',
    title: 'MinIO',
    region: 'us-east-1',
    style: 'path',
    notes: ['Host names for buckets work only where the server has MINIO_DOMAIN.', 'Behind a proxy the signed host must arrive unchanged.'],
    source: 'https://github.com/minio/minio/tree/master/docs',
  },
  {
    name: 'backblaze',
    title: 'Backblaze B2',
    domain: 'backblazeb2.com',
    endpoint: 'https://s3.{region}.backblazeb2.com',
    regions: ['us-west-004', 'us-west-002', 'us-east-005', 'eu-central-003'],
    style: 'virtual',
    notes: [
      'Use an application key, not the master key; its id is the access key id.',
      'Buckets made before May 2020 have no S3 interface.',
    ],
    source: 'https://www.backblaze.com/docs/cloud-storage-s3-compatible-api',
  },
  {
    name: 'scaleway',
    title: 'Scaleway Object Storage',
    domain: 'scw.cloud',
    endpoint: 'https://s3.{region}.scw.cloud',
    regions: ['fr-par', 'nl-ams', 'pl-waw'],
    style: 'virtual',
    notes: ['Objects of the class GLACIER must be restored before they can be read.'],
    source: 'https://www.scaleway.com/en/docs/object-storage/concepts/',
  },
  {
    name: 'digitalocean',
    title: 'DigitalOcean Spaces',
    domain: 'digitaloceanspaces.com',
    endpoint: 'https://{region}.digitaloceanspaces.com',
    regions: ['nyc3', 'sfo3', 'ams3', 'fra1', 'sgp1', 'lon1', 'tor1', 'blr1', 'syd1'],
    style: 'virtual',
    notes: ['Temporary URLs are for the origin, not for the CDN.'],
    source: 'https://docs.digitalocean.com/reference/api/spaces/',
  },
  {
    name: 'hetzner',
    title: 'Hetzner Object Storage',
    domain: 'your-objectstorage.com',
    endpoint: 'https://{region}.your-objectstorage.com',
    regions: ['fsn1', 'nbg1', 'hel1'],
    style: 'virtual',
    notes: ['A Ceph cluster; access keys reach every bucket of their project unless a bucket policy says otherwise.'],
    source: 'https://docs.hetzner.com/storage/object-storage/overview',
  },
  {
    name: 'idrive',
    title: 'IDrive e2',
    domain: 'idrivee2.com',
    endpoint: 'https://s3.{region}.idrivee2.com',
    regions: ['us-west-1', 'us-east-1', 'ca-east-1', 'eu-west-1', 'eu-central-1'],
    style: 'virtual',
    notes: ['Older accounts have an endpoint of their own, which the console shows.'],
    source: 'https://www.idrive.com/s3-storage-e2/e2-endpoint-urls',
  },
  {
    name: 'other',
    title: 'Another S3-compatible store',
    region: 'us-east-1',
    style: 'path',
    tenants: true,
    notes: ['Most stores that run on one’s own machines take the region “us-east-1”.'],
  },
];

/** Errors: request_invalid for an unknown name, with the nearest. */
export function findProvider(name: string): Quirks {
  const found = providers.find((one) => one.name === name);
  if (found !== undefined) return found;
  const known = providers.map((one) => one.name);
  const message = `There is no provider ${JSON.stringify(name.slice(0, 80))}.${suggest(name, known)} Providers: ${known.join(', ')}.`;
  throw new PackageRError('request_invalid', message, { operation: 'driver.open' });
}

/** The provider that a host belongs to; `other` where none is known by it. */
export function providerOf(host: string): Quirks {
  const found = providers.find(({ domain }) => domain !== undefined && (host === domain || host.endsWith(`.${domain}`)));
  return found ?? findProvider(/(?:^|\.)amazonaws\.com\.cn$/.test(host) ? 'aws' : 'other');
}
