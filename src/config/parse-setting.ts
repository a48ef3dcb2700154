/** One value of a setting, from text (flags, environment) or from what a file or the state held. */
import type { NumberSetting, Setting } from '#config/setting.ts';
import { PackageRError } from '#errors/error.ts';
import { parseDuration, writeDuration } from '#model/duration.ts';
import { Secret } from '#model/secret.ts';

/** Where a value came from: shown to people, and named in errors. */
export interface Given {
  readonly key: string;
  readonly value: unknown;
  /** `flag --port`, `environment PORT`, `file /…/.package-r.yaml`, `stored`. */
  readonly origin: string;
}

export type SettingValue = string | number | boolean | readonly string[] | Secret | undefined;

const sizes = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 } as const;
const milliseconds = { milliseconds: 1, seconds: 1000, days: 86_400_000 } as const;

/** Errors: config_invalid, naming key, value (of a secret: not) and origin. */
export function parseSetting(setting: Setting, given: Given): SettingValue {
  const { value } = given;
  switch (setting.type) {
    case 'text':
      if (typeof value !== 'string' || value === '' || /\p{Cc}/u.test(value)) throw invalid(given, 'is not a text');
      if (setting.values !== undefined && !setting.values.includes(value)) throw invalid(given, `is none of ${setting.values.join(', ')}`);
      return value;
    case 'flag':
      if (value === true || value === 'true' || value === '1') return true;
      if (value === false || value === 'false' || value === '0') return false;
      throw invalid(given, 'is neither true nor false');
    case 'list':
      return parseList(given);
    case 'number':
      return parseNumber(setting, given);
    case 'secret':
      if (!given.origin.startsWith('environment') || typeof value !== 'string')
        throw new PackageRError('config_invalid', `${given.key} (${given.origin}) is a secret: it is taken from the environment only.`);
      return Secret.parse(value);
  }
}

function parseList(given: Given): readonly string[] {
  const items = typeof given.value === 'string' ? given.value.split(',').map((item) => item.trim()) : given.value;
  if (!Array.isArray(items)) throw invalid(given, 'is not a list');
  const filled = items.filter((item) => item !== '');
  if (filled.some((item) => typeof item !== 'string' || /[\p{Cc}\s]/u.test(item))) throw invalid(given, 'is not a list of words');
  return Object.freeze(filled as string[]);
}

function parseNumber(setting: NumberSetting, given: Given): number {
  const { unit, min, max } = setting;
  const number = typeof given.value === 'string' ? readNumber(given.value.trim(), unit) : given.value;
  if (typeof number !== 'number' || !Number.isSafeInteger(number)) throw invalid(given, `is not ${forms[unit]}`);
  if (number < min || number > max) throw invalid(given, `is not between ${writeNumber(min, unit)} and ${writeNumber(max, unit)}`);
  return number;
}

const forms: Readonly<Record<NumberSetting['unit'], string>> = {
  count: 'an integer',
  bytes: 'a size such as 65536, 64KiB or 1MiB',
  milliseconds: 'a duration such as 10s (a bare number counts milliseconds)',
  seconds: 'a duration such as 15m (a bare number counts seconds)',
  days: 'a duration such as 30d (a bare number counts days)',
};

function readNumber(text: string, unit: NumberSetting['unit']): number {
  if (/^\d{1,16}$/.test(text)) return Number(text);
  if (unit === 'count') return Number.NaN;
  if (unit === 'bytes') {
    const match = /^(\d{1,13})\s?(B|KiB|MiB|GiB)$/.exec(text);
    return match === null ? Number.NaN : Number(match[1]) * sizes[match[2] as keyof typeof sizes];
  }
  return /^\d{1,12}(ms|s|m|h|d)$/.test(text) ? parseDuration(text) / milliseconds[unit] : Number.NaN;
}

/** As people read it: `64KiB`, `15m`, `30d`. */
export function writeNumber(number: number, unit: NumberSetting['unit']): string {
  if (unit === 'count') return String(number);
  if (unit !== 'bytes') return writeDuration(number * milliseconds[unit]);
  for (const name of ['GiB', 'MiB', 'KiB'] as const)
    if (number !== 0 && number % sizes[name] === 0) return `${number / sizes[name]}${name}`;
  return `${number}B`;
}

function invalid({ key, value, origin }: Given, fault: string): PackageRError {
  const shown = (JSON.stringify(value) ?? typeof value).slice(0, 80);
  return new PackageRError('config_invalid', `${key} (${origin}): ${shown} ${fault}.`, {
    operation: 'config.load',
    context: { key, origin },
  });
}
