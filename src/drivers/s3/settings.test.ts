/** What options come to, and what is refused and how. */
import { Value } from 'typebox/value';
import { describe, expect, it } from 'vitest';
import { addressOf } from '#drivers/s3/address.ts';
import { s3Options } from '#drivers/s3/options.ts';
import { findProvider, providerOf, providers } from '#drivers/s3/quirks.ts';
import { parseSettings } from '#drivers/s3/settings.ts';
import type { Key } from '#model/key.ts';

type Options = Record<string, string | boolean>;
const parse = (options: Options) => parseSettings({ bucket: 'bucket', ...options });
const address = (options: Options, key?: string) => {
  const settings = parse(options);
  const { origin, path } = addressOf(settings, settings.publicEndpoint, key as Key | undefined);
  return origin + path;
};

describe('providers', () => {
  it('are complete and tell where what they say is from', () => {
    for (const { name, domain, endpoint, region, regions = [], source } of providers) {
      expect(name).toMatch(/^[a-z0-9]+$/);
      if (name !== 'other') expect(source).toMatch(/^https:\/\//);
      if (endpoint === undefined) expect(region).toBeDefined();
      else if (name !== 'cdse' && name !== 'aws') expect(regions.length).toBeGreaterThan(0);
      if (endpoint !== undefined && domain !== undefined)
        expect(providerOf(new URL(endpoint.replace('{region}', 'r')).hostname).name).toBe(name);
      const needed = endpoint === undefined ? { endpoint: 'https://store.example' } : {};
      const { quirks } = parse({ provider: name, ...needed, ...(regions[0] !== undefined && { region: regions[0] }) });
      expect(quirks).toBe(findProvider(name));
    }
    expect(new Set(providers.map(({ name }) => name)).size).toBe(providers.length);
  });

  it('unknown ones are refused with the nearest', () => {
    expect(() => parse({ provider: 'wasaby' })).toThrow('There is no provider "wasaby". Did you mean "wasabi"?');
    expect(() => parse({ provider: 'AWS' })).toThrow('Did you mean "aws"?');
  });

  it('are known by the host of the endpoint, by whole labels', () => {
    expect(parse({ endpoint: 'https://s3.gra.io.cloud.ovh.net' }).quirks.name).toBe('ovh');
    expect(parse({ endpoint: 'https://account.eu.r2.cloudflarestorage.com' }).quirks.name).toBe('r2');
    expect(parse({ endpoint: 'https://s3.cn-north-1.amazonaws.com.cn' }).quirks.name).toBe('aws');
    expect(parse({ endpoint: 'https://evilamazonaws.com' }).quirks.name).toBe('other');
    expect(parse({ endpoint: 'https://amazonaws.com.example' }).quirks.name).toBe('other');
  });
});

describe('where a bucket is', () => {
  it.each<[Options, string]>([
    [{}, 'https://bucket.s3.us-east-1.amazonaws.com/a%20b'],
    [{ region: 'eu-west-1' }, 'https://bucket.s3.eu-west-1.amazonaws.com/a%20b'],
    [{ region: 'cn-north-1' }, 'https://bucket.s3.cn-north-1.amazonaws.com.cn/a%20b'],
    [{ bucket: 'my.bucket' }, 'https://s3.us-east-1.amazonaws.com/my.bucket/a%20b'],
    [{ bucket: 'Old_Bucket' }, 'https://s3.us-east-1.amazonaws.com/Old_Bucket/a%20b'],
    [{ style: 'path' }, 'https://s3.us-east-1.amazonaws.com/bucket/a%20b'],
    [{ endpoint: 'http://127.0.0.1:9000' }, 'http://127.0.0.1:9000/bucket/a%20b'],
    [{ endpoint: 'https://store.example', style: 'virtual' }, 'https://bucket.store.example/a%20b'],
    [{ endpoint: 'https://store.example:443/', publicEndpoint: 'https://data.example:8443' }, 'https://data.example:8443/bucket/a%20b'],
    [{ provider: 'hetzner', region: 'fsn1' }, 'https://bucket.fsn1.your-objectstorage.com/a%20b'],
    [{ provider: 'cdse', bucket: 'eodata' }, 'https://eodata.dataspace.copernicus.eu/eodata/a%20b'],
    [{ bucket: 'eodata', endpoint: 'https://eodata.dataspace.copernicus.eu' }, 'https://eodata.dataspace.copernicus.eu/eodata/a%20b'],
    [{ provider: 'ceph', endpoint: 'https://ceph.example', bucket: 'tenant:bucket' }, 'https://ceph.example/tenant%3Abucket/a%20b'],
  ])('%j', (options, url) => {
    expect(address(options, 'a b')).toBe(url);
  });

  it('is itself without a key', () => {
    expect(address({})).toBe('https://bucket.s3.us-east-1.amazonaws.com/');
    expect(address({ endpoint: 'https://store.example' })).toBe('https://store.example/bucket');
  });

  it('is of a region that is given, known by the provider, or to be found out', () => {
    expect(parse({}).region).toBeUndefined();
    expect(parse({ region: 'eu-west-1' }).region).toBe('eu-west-1');
    expect(parse({ provider: 'r2', endpoint: 'https://a.r2.cloudflarestorage.com' }).region).toBe('auto');
    expect(parse({ endpoint: 'https://store.example' }).region).toBe('us-east-1');
  });
});

describe('refusals', () => {
  it.each<[Options, string]>([
    [{ provider: 'ceph' }, 'needs the option endpoint'],
    [{ provider: 'ovh' }, 'needs the option region, such as gra'],
    [{ provider: 'ovh', region: 'GRA' }, 'Did you mean "gra"?'],
    [{ region: 'eu-west-1.evil.example/' }, 'is no region'],
    [{ region: 'a@b' }, 'is no region'],
    [{ endpoint: 's3.example.com' }, 'is an address such as'],
    [{ endpoint: 'ftp://s3.example.com' }, 'is an address such as'],
    [{ endpoint: 'https://user:word@s3.example.com' }, 'must not hold a name or password'],
    [{ endpoint: 'https://s3.example.com/base' }, 'ends after the host and port'],
    [{ endpoint: 'https://s3.example.com?x=1' }, 'ends after the host and port'],
    [{ endpoint: 'https://bucket.s3.eu-west-1.amazonaws.com' }, 'names the store without the bucket: “https://s3.eu-west-1.amazonaws.com”'],
    [{ endpoint: 'https://store.example', publicEndpoint: 'https://bucket.s3.example' }, 'publicEndpoint names the store'],
    [{ bucket: '' }, 'is no name of a bucket'],
    [{ bucket: 'ab' }, 'is no name of a bucket'],
    [{ bucket: 's3://bucket/data' }, 'the name alone'],
    [{ bucket: 'bucket/data' }, 'the name alone'],
    [{ bucket: '../etc' }, 'the name alone'],
    [{ bucket: '192.168.1.1' }, 'looks like an address'],
    [{ bucket: 'bücket' }, 'is no name of a bucket'],
    [{ bucket: 'buc ket' }, 'is no name of a bucket'],
    [{ bucket: 'x'.repeat(256) }, 'is no name of a bucket'],
    [{ bucket: 'tenant:bucket' }, 'is no name of a bucket'],
    [{ style: 'virtual', endpoint: 'http://127.0.0.1:9000' }, 'IP address: use style path'],
    [{ style: 'virtual', endpoint: 'http://[::1]:9000' }, 'IP address: use style path'],
    [{ style: 'virtual', bucket: 'Old_Bucket' }, 'cannot be part of a host name'],
    [{ style: 'virtual', bucket: 'my.bucket' }, 'No certificate covers'],
    [{ style: 'paht' }, 'Did you mean "path"?'],
    [{ versions: 'yes' }, 'The option versions is one of auto, on, off'],
    [{ provider: 'garage', endpoint: 'https://g.example', versions: 'on' }, 'keeps no object versions'],
    [{ provider: 'cdse', writable: true }, 'lets nobody write'],
    [{ credentials: 'anonymous', writable: true }, 'Without credentials nothing can be written'],
    [{ endpoint: 'http://store.example', insecure: true }, 'an endpoint of http does not have'],
    [{ ca: 'no certificate' }, 'from “-----BEGIN CERTIFICATE-----” on'],
    [{ ca: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' }, 'from “-----BEGIN CERTIFICATE-----” on'],
    [{ ca: '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----' }, 'holds a private key'],
  ])('%j', (options, message) => {
    expect(() => parse(options)).toThrow(expect.objectContaining({ code: 'request_invalid', message: expect.stringContaining(message) }));
  });

  it('never repeat a password of an endpoint', () => {
    expect(() => parse({ endpoint: 'https://user:hunter2@s3.example.com' })).not.toThrow('hunter2');
  });

  it('stores without versions are not asked for them', () => {
    expect(parse({ provider: 'garage', endpoint: 'https://g.example' }).versions).toBe('off');
    expect(parse({}).versions).toBe('auto');
  });
});

describe('trust', () => {
  /** Self-signed; its key was thrown away. */
  const ca = `-----BEGIN CERTIFICATE-----
MIIBiTCCAS+gAwIBAgIUNC5Kw1v66vj1SQExrnBjV1ZkjmcwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOcGFja2FnZS1yIHRlc3QwIBcNMjYxMTIzMTEzNTM4WhgPMjEy
NjEwMzAxMTM1MzhaMBkxFzAVBgNVBAMMDnBhY2thZ2UtciB0ZXN0MFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEOcR7ynleyhrEP16Ctk41lP73mW/vDGb+u3tJY8yH
YYCW2YziOFOITEy3EmxPkC6I6W9H0gAWgY+zLYz3UcQPl6NTMFEwHQYDVR0OBBYE
FJhuIbkCSnunQ9+5NJCPe2vkR3DGMB8GA1UdIwQYMBaAFJhuIbkCSnunQ9+5NJCP
e2vkR3DGMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhANZrZ71d
u13zOrW9/qy9034rH1CU/qwP6bEl7Fy4hK/7AiAu8/ED5m03eKuECzJpGurFZ3AR
utwxCVokwElKbH0mdw==
-----END CERTIFICATE-----
`;

  it('is what certificates say, or anyone where that was chosen, not both', () => {
    expect(parse({ endpoint: 'https://store.example', ca: ca + ca })).toMatchObject({ ca: ca + ca, insecure: false });
    expect(parse({ endpoint: 'https://store.example', insecure: true })).toMatchObject({ insecure: true });
    expect(() => parse({ endpoint: 'https://store.example', ca, insecure: true })).toThrow('contradict each other');
    expect(() => parse({ endpoint: 'http://store.example', ca })).toThrow('an endpoint of http does not have');
  });
});

describe('the schema', () => {
  it('takes prefixes as layers/prefix.ts does, and no unknown option', () => {
    const fits = (options: Options): boolean => Value.Check(s3Options, { bucket: 'bucket', ...options });
    for (const prefix of ['', 'data', 'data/', 'data/2026', 'd a/é/']) expect(fits({ prefix })).toBe(true);
    for (const prefix of ['/', '/data', 'data//', 'a//b', '//', 'a\0b']) expect(fits({ prefix })).toBe(false);
    expect(fits({ unknown: 'x' })).toBe(false);
    expect(fits({ style: 'other' })).toBe(false);
    expect(Value.Check(s3Options, {})).toBe(false);
  });

  it('describes every option', () => {
    for (const option of Object.values(s3Options.properties)) expect((option as { description?: string }).description).toMatch(/[.]$/);
  });
});
