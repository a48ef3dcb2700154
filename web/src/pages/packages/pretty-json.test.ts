import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { prettyJson } from './pretty-json.ts';

describe('JSON to be read', () => {
  it('is laid out as JSON.stringify does, whatever it holds', () => {
    fc.assert(
      fc.property(fc.json(), (any) => {
        const text = JSON.stringify(JSON.parse(any));
        expect(prettyJson(text)).toBe(JSON.stringify(JSON.parse(text), undefined, 2));
      }),
      { examples: [['{"a":[],"b":{},"c":[1,{"d":"x\\"],"}]}'], ['[[[]]]']] },
    );
  });

  it('keeps every digit', () => expect(prettyJson('[12345678901234567890,1.10]')).toBe('[\n  12345678901234567890,\n  1.10\n]'));

  it('is left alone where it is none', () => expect(prettyJson('{"a":1,}')).toBeUndefined());
});
