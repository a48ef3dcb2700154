import { describe, expect, it } from 'vitest';
import { examplesOf, factsOf, kindOf, packageOf } from './job-words.ts';

describe('what is said of a job', () => {
  it('is what its result counts, and nothing of what is zero or unknown', () => {
    const result = { step: 4, added: 12, removed: 0, unchanged: 3, skipped: 0, seen: 15, unnamable: 1, missing: 'x' };
    expect(factsOf({ kind: 'package.annex', result })).toEqual([
      { name: 'added', count: 12 },
      { name: 'unchanged', count: 3 },
      { name: 'unnamable', count: 1 },
    ]);
    expect(factsOf({ kind: 'package.annex' })).toEqual([]);
    expect(factsOf({ kind: 'package.later', result })).toEqual([]);
    expect(factsOf({ kind: 'package.drift', result: { intact: 7, gone: 2, entries: [{}] } })).toEqual([
      { name: 'intact', count: 7 },
      { name: 'gone', count: 2 },
    ]);
  });

  it('knows kinds and packages by their names', () => {
    expect(kindOf({ kind: 'package.freeze' })).toBe('freeze');
    expect(kindOf({ kind: 'other.freeze' })).toBeUndefined();
    expect(packageOf({ package: 'ada/snow' })).toEqual({ namespace: 'ada', package: 'snow' });
    expect(packageOf({})).toBeUndefined();
  });

  it('names a few of what could not be put', () => {
    const examples = ['a//b', 'c/', 7, 'd', 'e', 'f', 'g'];
    expect(examplesOf({ result: { examples } })).toEqual(['a//b', 'c/', 'd', 'e', 'f']);
    expect(examplesOf({})).toEqual([]);
  });
});
