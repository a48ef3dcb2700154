/** The page docs/reference/config.md, written from the list of settings. */
import { writeNumber } from '#config/parse-setting.ts';
import type { Setting } from '#config/setting.ts';
import { environmentNameOf, type SettingKey, settingKeys, settings } from '#config/settings.ts';

/** Markdown: how values are found, then a table of the settings and one of the limits. */
export function writeConfigReference(): string {
  const isLimit = (key: string): boolean => key.startsWith('limits.');
  return [
    '# Configuration',
    '',
    'Generated from `src/config/settings.ts`. A value is taken from the first place that has it: a flag, the environment, the configuration',
    'file, what an administrator stored, the default. `package-r config cat` shows each value and where it comes from. Unknown keys in the file',
    'and unknown `PACKAGE_R_…` variables are errors.',
    '',
    'The file is `--config FILE` (or `PACKAGE_R_CONFIG`), else the first of `.package-r.yaml`, `.package-r.yml` and `.package-r.json` in the',
    'working folder, in `$XDG_CONFIG_HOME/package-r` (`~/.config/package-r`) and in `/etc/package-r`; in the last two it may also be called',
    '`package-r.yaml` or `config.yaml`. Keys are nested or dotted: `exchange: { maxSeconds: 30m }` is `exchange.maxSeconds: 30m`.',
    '',
    'Durations are written `250ms`, `30s`, `15m`, `12h`, `7d`; sizes `512B`, `64KiB`, `1MiB`, `5GiB`; lists as YAML lists, or with commas in the',
    'environment and in flags. A number without a unit has the unit of its setting.',
    '',
    '## Settings',
    '',
    ...table(settingKeys.filter((key) => !isLimit(key))),
    '',
    '## Limits',
    '',
    'A deployment may lower all of them, and raise each to the end of its range.',
    '',
    ...table(settingKeys.filter(isLimit)),
    '',
  ].join('\n');
}

function table(keys: readonly SettingKey[]): string[] {
  const rows = keys.map((key) => {
    const setting: Setting = settings[key];
    return `| \`${key}\` | \`${environmentNameOf(key)}\` | ${typeOf(setting)} | ${defaultOf(setting)} | ${setting.description} |`;
  });
  return ['| key | environment | values | default | what it is |', '|---|---|---|---|---|', ...rows];
}

function typeOf(setting: Setting): string {
  switch (setting.type) {
    case 'number':
      return `${writeNumber(setting.min, setting.unit)} – ${writeNumber(setting.max, setting.unit)}${setting.unit === 'count' ? '' : ` (${setting.unit})`}`;
    case 'text':
      return setting.values === undefined ? 'text' : setting.values.map((value) => `\`${value}\``).join(', ');
    case 'flag':
      return 'true, false';
    default:
      return setting.type;
  }
}

function defaultOf(setting: Setting): string {
  if (setting.type === 'number') return setting.optional === true ? 'not set' : writeNumber(setting.default, setting.unit);
  if (setting.type === 'text' && setting.default === null) return setting.otherwise ?? 'not set';
  if (setting.type === 'secret') return 'not set';
  if (setting.type === 'list') return setting.default.length === 0 ? 'none' : setting.default.map((one) => `\`${one}\``).join(' ');
  return `\`${setting.default}\``;
}
