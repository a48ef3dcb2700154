/**
 * The configuration: flags over environment over file over what an administrator stored over defaults, checked once and frozen. What
 * would be unsafe to start with is refused here.
 */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { checkConfig, findDisagreements } from '#config/check-config.ts';
import { type ConfigFile, findConfigFile } from '#config/config-file.ts';
import { type Given, parseSetting, type SettingValue, writeNumber } from '#config/parse-setting.ts';
import type { Setting } from '#config/setting.ts';
import { type Config, environmentNameOf, flagNameOf, type SettingKey, settingKeys, settings } from '#config/settings.ts';
import { isError, PackageRError } from '#errors/error.ts';
import { suggest } from '#model/near.ts';
import { Secret } from '#model/secret.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface LoadOptions {
  /** By key (`exchange.maxSeconds`); undefined ones were not given. */
  readonly flags?: Readonly<Record<string, unknown>> | undefined;
  readonly env: Environment;
  readonly cwd: string;
  /** `--config`. */
  readonly configFile?: string | undefined;
  /**
   * Settings of the state by key; undefined while they are not known yet. What is wrong with one, also beside what was given otherwise, is a
   * warning, and the default holds.
   */
  readonly stored?: Readonly<Record<string, unknown>> | undefined;
}

export interface LoadedConfig {
  readonly config: Config;
  /** The file that was read. */
  readonly file: string | undefined;
  /** `flag --port`, `environment PORT`, `file …`, `stored`, `default`. */
  origin(key: SettingKey): string;
  readonly warnings: readonly string[];
  /** publicUrl was not set: links made with it work on this machine only, and a share should say so. */
  readonly isDefaultPublicUrl: boolean;
  /** The same with the settings of a state, which only that state can tell. Errors: as loadConfig. */
  withStored(stored: Readonly<Record<string, unknown>>): LoadedConfig;
}

export interface ConfigRow {
  readonly key: SettingKey;
  /** As people read it; `[set]` for a secret, '' for what is not set. */
  readonly value: string;
  readonly origin: string;
  readonly description: string;
}

/** Environment that is packageR’s but no setting. */
const otherEnvironment: readonly string[] = ['PACKAGE_R_CONFIG', 'PACKAGE_R_URL', 'PACKAGE_R_TOKEN', 'PACKAGE_R_PASSWORD'];

const aliases: Readonly<Record<string, SettingKey>> = { PORT: 'port', DATA_DIR: 'dataDir' };

/** Errors: config_unknown with the nearest name; config_invalid naming key, value and origin. */
export function loadConfig(options: LoadOptions): LoadedConfig {
  const { env, cwd } = options;
  const file = findConfigFile({ path: options.configFile ?? (env['PACKAGE_R_CONFIG'] || undefined), cwd, env });
  const warnings: string[] = [];
  const given = new Map<SettingKey, { readonly value: SettingValue; readonly origin: string }>();
  const take = (values: readonly Given[]): void => {
    for (const one of values) given.set(one.key as SettingKey, { value: parseSetting(settingOf(one.key), one), origin: one.origin });
  };
  for (const one of storedValues(options.stored ?? {}, warnings)) takeStored(one, take, warnings);
  if (file !== undefined) take(fileValues(file));
  take(environmentValues(env));
  take(flagValues(options.flags ?? {}));
  const origin = (key: SettingKey): string => given.get(key)?.origin ?? 'default';
  agree(given, options.stored !== undefined, warnings);
  const values = new Map<string, SettingValue>(settingKeys.map((key) => [key, given.get(key)?.value ?? defaultOf(key)]));
  const isDefaultPublicUrl = values.get('publicUrl') === undefined;
  fillIn(values, options);
  const config = nest(values) as unknown as Config;
  warnings.push(...checkConfig(config, isDefaultPublicUrl));
  return Object.freeze({
    config,
    file: file?.path,
    origin,
    warnings: Object.freeze(warnings),
    isDefaultPublicUrl,
    withStored: (stored: Readonly<Record<string, unknown>>) => loadConfig({ ...options, stored }),
  });
}

/**
 * Stored settings that do not go with the others are passed over. What only defaults are in the way of is left until the stored ones are
 * known, since one of them may mend it. Errors: config_invalid.
 */
function agree(
  given: Map<SettingKey, { readonly value: SettingValue; readonly origin: string }>,
  isComplete: boolean,
  warnings: string[],
): void {
  for (;;) {
    const all = findDisagreements((key) => given.get(key)?.value ?? defaultOf(key));
    const [first] = all.filter(({ keys }) => isComplete || keys.every((key) => given.has(key)));
    if (first === undefined) return;
    const stored = first.keys.filter((key) => given.get(key)?.origin === 'stored');
    if (stored.length === 0) throw new PackageRError('config_invalid', first.message, { operation: 'config.load' });
    warnings.push(`${first.message} The stored ${stored.join(' and ')} is passed over.`);
    for (const key of stored) given.delete(key);
  }
}

/** What is set and why, a row for each setting in the order of the list. Secrets are told as set. */
export function catConfig({ config, origin }: LoadedConfig): ConfigRow[] {
  return settingKeys.map((key) => {
    const value = key.split('.').reduce<unknown>((part, name) => (part as Record<string, unknown>)[name], config);
    return { key, value: writeValue(key, value as SettingValue), origin: origin(key), description: settings[key].description };
  });
}

function writeValue(key: SettingKey, value: SettingValue): string {
  const setting = settingOf(key);
  if (value === undefined) return '';
  if (value instanceof Secret) return '[set]';
  if (setting.type === 'number') return writeNumber(value as number, setting.unit);
  return Array.isArray(value) ? value.join(',') : String(value);
}

function settingOf(key: string): Setting {
  return settings[key as SettingKey];
}

function defaultOf(key: SettingKey): SettingValue {
  const setting = settingOf(key);
  if (setting.type === 'number' && setting.optional === true) return undefined;
  return setting.default ?? undefined;
}

function isKey(key: string): key is SettingKey {
  return Object.hasOwn(settings, key);
}

function flagValues(flags: Readonly<Record<string, unknown>>): Given[] {
  const given = Object.entries(flags).filter(([, value]) => value !== undefined);
  return given.map(([key, value]) => {
    if (!isKey(key)) throw unknown(key, 'flag', settingKeys);
    return { key, value, origin: `flag ${flagNameOf(key)}` };
  });
}

/** Plain aliases first, so that PACKAGE_R_* wins over them. An empty variable counts as not given. */
function environmentValues(env: Environment): Given[] {
  const keys = new Map<string, SettingKey>(settingKeys.map((key) => [environmentNameOf(key), key]));
  const given: Given[] = [];
  for (const [name, key] of Object.entries(aliases)) if (env[name]) given.push({ key, value: env[name], origin: `environment ${name}` });
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith('PACKAGE_R_') || otherEnvironment.includes(name)) continue;
    const key = keys.get(name);
    if (key === undefined) throw unknown(name, 'environment', [...keys.keys(), ...otherEnvironment]);
    if (value) given.push({ key, value, origin: `environment ${name}` });
  }
  return given;
}

/** Nested or dotted keys alike: `exchange: {maxSeconds: 600}` and `exchange.maxSeconds: 600`. */
function fileValues(file: ConfigFile): Given[] {
  const origin = `file ${file.path}`;
  const given = new Map<string, Given>();
  const visit = (values: Readonly<Record<string, unknown>>, above: string): void => {
    for (const [name, value] of Object.entries(values)) {
      const key = `${above}${name}`;
      const isGroup = settingKeys.some((one) => one.startsWith(`${key}.`));
      if (isKey(key)) {
        if (given.has(key)) throw new PackageRError('config_invalid', `${key} (${origin}) is set twice.`, { operation: 'config.load' });
        if (value !== null && value !== undefined) given.set(key, { key, value, origin });
      } else if (isGroup && typeof value === 'object' && value !== null && !Array.isArray(value)) {
        visit(value as Record<string, unknown>, `${key}.`);
      } else if (!isGroup) {
        throw unknown(key, origin, settingKeys);
      } else if (value !== null) {
        throw new PackageRError('config_invalid', `${key} (${origin}) is a group of settings, not a value.`, { operation: 'config.load' });
      }
    }
  };
  visit(file.values, '');
  return [...given.values()];
}

function storedValues(stored: Readonly<Record<string, unknown>>, warnings: string[]): Given[] {
  const given: Given[] = [];
  for (const [key, value] of Object.entries(stored)) {
    if (isKey(key)) given.push({ key, value, origin: 'stored' });
    else warnings.push(`The stored setting ${JSON.stringify(key.slice(0, 80))} is not known, and is passed over.`);
  }
  return given;
}

function takeStored(one: Given, take: (values: readonly Given[]) => void, warnings: string[]): void {
  try {
    take([one]);
  } catch (error) {
    if (!isError(error)) throw error;
    warnings.push(`${error.message} The default is used instead.`);
  }
}

function unknown(key: string, where: string, known: readonly string[]): PackageRError {
  const message = `There is no setting ${JSON.stringify(key.slice(0, 80))} (${where}).${suggest(key, known)}`;
  return new PackageRError('config_unknown', message, { operation: 'config.load' });
}

/** What depends on the machine or on other settings. Folders become absolute. */
function fillIn(values: Map<string, SettingValue>, { env, cwd }: LoadOptions): void {
  const data = env['XDG_DATA_HOME'] || join(env['HOME'] || homedir(), '.local', 'share');
  values.set('dataDir', resolve(cwd, (values.get('dataDir') as string | undefined) ?? join(data, 'package-r')));
  const secrets = values.get('secretsFolder') as string | undefined;
  if (secrets !== undefined) values.set('secretsFolder', resolve(cwd, secrets));
  values.set('publicUrl', withoutSlash((values.get('publicUrl') as string | undefined) ?? `http://127.0.0.1:${values.get('port')}`));
  const port = values.get('content.port');
  const url =
    (values.get('content.url') as string | undefined) ??
    (port === undefined ? undefined : `http://${bracket(String(values.get('content.host')))}:${port}`);
  values.set('content.url', url === undefined ? undefined : withoutSlash(url));
  values.set('inline.extensions', Object.freeze((values.get('inline.extensions') as readonly string[]).map((one) => one.toLowerCase())));
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '');
}

/** An address that listens on all is reached by the loopback of this machine. */
function bracket(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

interface Group {
  [name: string]: SettingValue | Group;
}

function nest(values: ReadonlyMap<string, SettingValue>): Group {
  const config: Group = {};
  for (const [key, value] of values) {
    const names = key.split('.');
    const last = names.pop() as string;
    const group = names.reduce<Group>((above, name) => {
      above[name] ??= {};
      return above[name] as Group;
    }, config);
    group[last] = value;
  }
  return freeze(config);
}

function freeze(group: Group): Group {
  for (const value of Object.values(group)) {
    if (typeof value === 'object' && !(value instanceof Secret) && !Array.isArray(value)) freeze(value as Group);
  }
  return Object.freeze(group);
}
