import { expect, it } from 'vitest';
import { nearest, suggest } from '#model/near.ts';

it.each([
  ['prot', ['port', 'host'], 'port'],
  ['exchange.maxsecond', ['exchange.maxSeconds', 'exchange.defaultSeconds'], 'exchange.maxSeconds'],
  ['bukcet', ['bucket', 'prefix'], 'bucket'],
  ['zzzzzz', ['port', 'host'], undefined],
  ['', [], undefined],
])('%s is near', (name, known, near) => {
  expect(nearest(name, known)).toBe(near);
});

it('says so', () => {
  expect(suggest('prot', ['port'])).toBe(' Did you mean "port"?');
  expect(suggest('zzzzzzz', ['port'])).toBe('');
});
