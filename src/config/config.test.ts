import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { catConfig, type LoadOptions, loadConfig } from '#config/config.ts';
import { environmentNameOf, flagNameOf, settingKeys, settings } from '#config/settings.ts';
import { PackageRError } from '#errors/error.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'config-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const load = (options: Partial<LoadOptions> = {}) =>
  loadConfig({ cwd: folder, ...options, env: { HOME: join(folder, 'home'), ...options.env } });
const write = (name: string, text: string): string => {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  return path;
};
function refusal(options: Partial<LoadOptions>): PackageRError {
  try {
    load(options);
  } catch (error) {
    if (error instanceof PackageRError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('where a value comes from', () => {
  it('flag over environment over file over stored over default', () => {
    const file = write('.package-r.yaml', 'port: 3\njobs:\n  concurrency: 3\nexchange.maxSeconds: 30m\nlog: { level: warn }\n');
    const stored = { port: 2, 'jobs.concurrency': 2, 'exchange.maxSeconds': 1800, 'log.level': 'error', 'share.maxDays': 100 };
    const env = { PACKAGE_R_PORT: '4', PACKAGE_R_JOBS_CONCURRENCY: '4' };
    const { config, origin } = load({ flags: { port: '5', host: undefined }, env, stored });
    expect([config.port, config.jobs.concurrency, config.exchange.maxSeconds, config.log.level, config.share.maxDays, config.host]).toEqual(
      [5, 4, 1800, 'warn', 100, '127.0.0.1'],
    );
    const keys = ['port', 'jobs.concurrency', 'log.level', 'share.maxDays', 'host'] as const;
    expect(keys.map(origin)).toEqual(['flag --port', 'environment PACKAGE_R_JOBS_CONCURRENCY', `file ${file}`, 'stored', 'default']);
  });

  it('takes PORT and DATA_DIR, below PACKAGE_R_*', () => {
    write('.package-r.yaml', 'port: 3');
    const env = { PORT: '7', DATA_DIR: 'data' };
    expect(load({ env }).config).toMatchObject({ port: 7, dataDir: join(folder, 'data'), publicUrl: 'http://127.0.0.1:7' });
    expect(load({ env: { ...env, PACKAGE_R_PORT: '8' } }).config.port).toBe(8);
    expect(load({ env: { PORT: '' } }).config.port).toBe(3);
  });

  it('looks for the file in the working folder, then the user’s, and takes the one that is asked for', () => {
    write('home/.config/package-r/config.yaml', 'port: 2');
    expect(load().config.port).toBe(2);
    write('xdg/package-r/.package-r.json', '{"port": 4}');
    expect(load({ env: { XDG_CONFIG_HOME: join(folder, 'xdg') } }).config.port).toBe(4);
    write('.package-r.yml', 'port: 3');
    expect(load().config.port).toBe(3);
    const other = write('other.yaml', 'port: 5');
    expect(load({ configFile: 'other.yaml' })).toMatchObject({ file: other, config: { port: 5 } });
    expect(load({ env: { PACKAGE_R_CONFIG: other } }).config.port).toBe(5);
    expect(refusal({ configFile: 'none.yaml' }).code).toBe('config_invalid');
  });

  it('has defaults that stand, frozen through and through', () => {
    const { config, warnings, isDefaultPublicUrl, file } = load();
    expect({ warnings, isDefaultPublicUrl, file }).toEqual({ warnings: [], isDefaultPublicUrl: true, file: undefined });
    expect(config.dataDir).toBe(join(folder, 'home/.local/share/package-r'));
    expect(config.publicUrl).toBe('http://127.0.0.1:8080');
    expect(config.content).toEqual({ host: '127.0.0.1', port: undefined, url: undefined });
    expect(config.limits.http.rates.peer).toEqual({ perMinute: 120, burst: 60 });
    expect(() => Object.assign(config.limits.http.rates, { peer: 1 })).toThrow(TypeError);
    expect(() => (config.inline.extensions as string[]).push('.exe')).toThrow(TypeError);
  });
});

describe('values', () => {
  it('take units, and bare numbers in the unit of the setting', () => {
    const read = (flags: Record<string, unknown>) => load({ flags }).config;
    expect(read({ 'exchange.maxSeconds': '1h' }).exchange.maxSeconds).toBe(3600);
    expect(read({ 'exchange.maxSeconds': 1200 }).exchange.maxSeconds).toBe(1200);
    expect(read({ 'share.maxDays': '60d' }).share.maxDays).toBe(60);
    expect(read({ 'inline.maxBytes': '64KiB' }).inline.maxBytes).toBe(65536);
    expect(read({ 'limits.upstream.callTimeout': '5s' }).limits.upstream.callTimeout).toBe(5000);
    expect(read({ trustedProxies: '10.0.0.0/8, ::1' }).trustedProxies).toEqual(['10.0.0.0/8', '::1']);
    expect(read({ 'endpoints.exclusive': 'true' }).endpoints.exclusive).toBe(true);
    expect(read({ 'inline.extensions': ['.MD'] }).inline.extensions).toEqual(['.md']);
  });

  it.each([
    ['port', '80a'],
    ['port', '65536'],
    ['port', 1.5],
    ['port', '1e3'],
    ['port', true],
    ['exchange.maxSeconds', '8d'],
    ['exchange.maxSeconds', '500ms'],
    ['exchange.maxSeconds', '604801'],
    ['exchange.maxSeconds', '-1'],
    ['share.maxDays', '36h'],
    ['inline.maxBytes', '1MB'],
    ['inline.maxBytes', '1GiB'],
    ['log.level', 'loud'],
    ['host', ''],
    ['host', 'a\nb'],
    ['endpoints.exclusive', 'yes'],
    ['trustedProxies', 'a b'],
    ['passwords.minBytes', '8'],
    ['limits.http.headerBytes', '1MiB'],
  ])('refuses %s = %j, naming key and origin', (key, value) => {
    const error = refusal({ flags: { [key]: value } });
    expect(error.code).toBe('config_invalid');
    expect(error.message).toContain(`${key} (flag ${flagNameOf(key)})`);
  });

  it('passes over a stored setting that is damaged or not known, with a warning', () => {
    const { config, warnings } = load({ stored: { port: 'x', nothing: 1, 'jobs.concurrency': 3 } });
    expect(config).toMatchObject({ port: 8080, jobs: { concurrency: 3 } });
    expect(warnings).toHaveLength(2);
  });
});

describe('unknown keys', () => {
  it.each([
    ['exchange:\n  maxSecond: 5', 'exchange.maxSeconds'],
    ['prot: 80', 'port'],
    ['publicURL: http://x', 'publicUrl'],
    ['exchange.maxseconds: 5', 'exchange.maxSeconds'],
  ])('are refused in the file: %j', (text, near) => {
    write('.package-r.yaml', text);
    const error = refusal({});
    expect([error.code, error.message]).toEqual(['config_unknown', expect.stringContaining(JSON.stringify(near))]);
  });

  it('are refused in the environment and among flags', () => {
    expect(refusal({ env: { PACKAGE_R_PROT: '1' } })).toMatchObject({
      code: 'config_unknown',
      message: expect.stringContaining('PACKAGE_R_PORT'),
    });
    expect(refusal({ env: { PACKAGE_R_ZZZZZZZZ: '' } }).code).toBe('config_unknown');
    expect(refusal({ flags: { constructor: '1' } }).code).toBe('config_unknown');
    expect(load({ env: { PACKAGE_R_URL: 'http://x', PACKAGE_R_TOKEN: 'pr_x', OTHER: '1' } }).config.port).toBe(8080);
  });

  it.each([
    ['port: 1\nport: 2'],
    ['exchange: { maxSeconds: 60m }\nexchange.maxSeconds: 20m'],
    ['- port'],
    ['port: [1'],
    ['exchange: 5'],
    ['__proto__: { admin: true }'],
    ['a: &a [x]\nb: [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a]'],
  ])('and a file that is not one is refused: %j', (text) => {
    write('.package-r.yaml', text);
    expect(refusal({}).code).toMatch(/^config_(invalid|unknown)$/);
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
  });
});

describe('an unsafe start is refused', () => {
  it.each([
    [{ publicUrl: 'https://u:p@x.org' }, /user name/],
    [{ publicUrl: 'https://x.org/?a=1' }, /query/],
    [{ publicUrl: 'https://x.org/#' }, /fragment/],
    [{ publicUrl: 'ftp://x.org' }, /http/],
    [{ publicUrl: 'x.org' }, /absolute/],
    [{ publicUrl: 'https://x.org/a//b' }, /plain/],
    [{ publicUrl: 'https://x.org/a/../b' }, /plain/],
    [{ 'content.port': 8080 }, /both 8080/],
    [{ 'content.port': 8080, 'content.host': '0.0.0.0' }, /both 8080/],
    [{ 'content.port': 9000, 'content.url': 'http://127.0.0.1:8080/x' }, /same origin/],
    [{ 'content.url': 'https://bytes.org' }, /content\.port/],
    [{ trustedProxies: ['0.0.0.0/0'] }, /everybody/],
    [{ trustedProxies: ['proxy'] }, /no address/],
    [{ 'exchange.defaultSeconds': '2h' }, /larger than exchange\.maxSeconds/],
    [{ 'share.defaultDays': 400 }, /larger than share\.maxDays/],
    [{ 'inline.extensions': 'exe' }, /extension/],
    [{ host: '-x' }, /no address/],
  ])('%j', (flags, says) => {
    expect(refusal({ flags, stored: {} })).toMatchObject({ code: 'config_invalid', message: expect.stringMatching(says) });
  });

  it('and a doubtful one is warned of', () => {
    expect(load({ flags: { host: '0.0.0.0' } }).warnings).toEqual([expect.stringContaining('publicUrl is not set')]);
    const plain = load({ flags: { host: '0.0.0.0', publicUrl: 'http://x.org/' } });
    expect([plain.config.publicUrl, plain.isDefaultPublicUrl, plain.warnings]).toEqual([
      'http://x.org',
      false,
      [expect.stringContaining('https')],
    ]);
    expect(load({ flags: { host: '0.0.0.0', publicUrl: 'https://x.org/r' } }).warnings).toEqual([]);
    expect(load({ flags: { 'content.port': 9000, 'content.host': '::1' } }).config.content.url).toBe('http://[::1]:9000');
  });
});

describe('settings that do not go together', () => {
  it('are refused at once where nothing that is stored can mend it', () => {
    const flags = { 'share.defaultDays': 20, 'share.maxDays': 10 };
    expect(refusal({ flags })).toMatchObject({ code: 'config_invalid', message: expect.stringContaining('share.maxDays (10)') });
  });

  it('wait for the stored ones where only a default is in the way', () => {
    const loaded = load({ flags: { 'share.maxDays': 10 } });
    expect(loaded.withStored({ 'share.defaultDays': 7 }).config.share).toMatchObject({ defaultDays: 7, maxDays: 10 });
    expect(() => loaded.withStored({})).toThrow(/share\.defaultDays \(30\) is larger/);
  });

  it('do not keep a server from starting where a stored one is to blame', () => {
    const { config, warnings } = load({ flags: { 'share.defaultDays': 20 }, stored: { 'share.maxDays': 10, 'jobs.concurrency': 3 } });
    expect(config).toMatchObject({ share: { defaultDays: 20, maxDays: 365 }, jobs: { concurrency: 3 } });
    expect(warnings).toEqual([expect.stringContaining('The stored share.maxDays is passed over')]);
    const both = load({ stored: { 'exchange.defaultSeconds': 7000, 'exchange.maxSeconds': 600, 'exchange.floorSeconds': 30 } });
    expect(both.config.exchange).toMatchObject({ defaultSeconds: 900, maxSeconds: 3600, floorSeconds: 30 });
  });
});

describe('the key', () => {
  const env = { PACKAGE_R_KEY: 'CANARY-KEY' };

  it('comes from the environment only and is shown as set only', () => {
    const loaded = load({ env });
    expect(loaded.config.key?.reveal()).toBe('CANARY-KEY');
    expect(JSON.stringify([loaded, catConfig(loaded)])).not.toContain('CANARY');
    expect(catConfig(loaded).find((row) => row.key === 'key')).toMatchObject({ value: '[set]', origin: 'environment PACKAGE_R_KEY' });
    for (const options of [{ flags: { key: 'CANARY' } }, { configFile: write('k.yaml', 'key: CANARY') }]) {
      const error = refusal(options);
      expect([error.code, error.message]).toEqual(['config_invalid', expect.not.stringContaining('CANARY')]);
    }
  });
});

describe('the list', () => {
  it('gives a row for each setting, as people read it', () => {
    const rows = catConfig(load({ flags: { 'content.port': '9000' } }));
    expect(rows.map((row) => row.key)).toEqual(settingKeys);
    const value = (key: string) => rows.find((row) => row.key === key)?.value;
    expect([value('inline.maxBytes'), value('exchange.maxSeconds'), value('content.port'), value('key')]).toEqual([
      '1MiB',
      '1h',
      '9000',
      '',
    ]);
  });

  it('has one environment name and one flag a setting, and defaults within their ranges', () => {
    expect(new Set(settingKeys.map(environmentNameOf)).size).toBe(settingKeys.length);
    expect(new Set(settingKeys.map(flagNameOf)).size).toBe(settingKeys.length);
    for (const setting of Object.values(settings)) {
      if (setting.type === 'number' && !('optional' in setting)) {
        expect(setting.default).toBeGreaterThanOrEqual(setting.min);
        expect(setting.default).toBeLessThanOrEqual(setting.max);
      }
    }
    expect(settings['exchange.maxSeconds'].max).toBe(7 * 86_400);
  });
});
