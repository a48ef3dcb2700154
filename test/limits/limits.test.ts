/** No limit without a test: each setting has a row, each row a file and a test, and each setting a floor and a ceiling that hold. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '#config/config.ts';
import type { NumberSetting, Setting } from '#config/setting.ts';
import { type SettingKey, settingKeys, settings } from '#config/settings.ts';
import { limitSections } from './rows.ts';

const project = fileURLToPath(new URL('../..', import.meta.url));
const rows = limitSections.flatMap((section) => section.rows);
const numbers = settingKeys.filter((key) => key.startsWith('limits.'));

describe('limits', () => {
  it('have a row for each setting', () => {
    const told = new Set(rows.flatMap((row) => row.settings ?? []));
    expect(numbers.filter((key) => !told.has(key))).toEqual([]);
    expect(numbers.length).toBeGreaterThan(40);
  });

  it.each(rows.map((row) => [row.what, row] as const))(
    'are held to and tested: %s',
    (_, { settings: keys = [], number, enforcedIn, test: [file, title] }) => {
      expect(keys.length > 0 || number !== undefined).toBe(true);
      expect(readFileSync(`${project}${enforcedIn}`, 'utf8').length).toBeGreaterThan(0);
      expect(readFileSync(`${project}${file}`, 'utf8')).toContain(`'${title}'`);
    },
  );

  it.each(numbers)('%s takes its floor and its ceiling, and nothing beyond or beside', (key) => {
    const setting: Setting = settings[key];
    expect(setting.type).toBe('number');
    const { min, max } = setting as NumberSetting;
    const read = (value: string) => loadConfig({ cwd: '/', env: { HOME: '/nowhere' }, flags: { [key]: value } });
    for (const value of [min, min + 1, max - 1, max].filter((one) => one >= min && one <= max))
      expect(at(read(String(value)).config, key)).toBe(value);
    for (const value of [min - 1, max + 1, 'NaN', '-1', '1e99', '1.5', 'Infinity', '0x10', ' ', '9'.repeat(400), '10 apples'])
      expect(() => read(String(value)), String(value)).toThrow(key);
  });
});

function at(config: unknown, key: SettingKey): unknown {
  return key.split('.').reduce<unknown>((part, name) => (part as Record<string, unknown>)[name], config);
}
