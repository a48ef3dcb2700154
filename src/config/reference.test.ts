import { expect, it } from 'vitest';
import { writeConfigReference } from '#config/reference.ts';
import { settingKeys } from '#config/settings.ts';

it('has one row for each setting', () => {
  const rows = writeConfigReference()
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  expect(rows.map((row) => row.split('`')[1]).sort()).toEqual([...settingKeys].sort());
  expect(rows.every((row) => row.split(' | ').length >= 5 && !row.includes('undefined'))).toBe(true);
});
