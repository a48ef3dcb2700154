import { describe, expect, it } from 'vitest';
import { noChange } from '../../queries/changes.ts';
import { type Say, writeTally } from './compare-words.ts';

const say: Say = (key, count) => (key === 'nothing' ? 'Nothing changed' : `${count} ${key}`);

describe('the sentence of what changed', () => {
  it.each([
    [{}, 'Nothing changed'],
    [{ added: 12, changed: 3, moved: 1, bytes: 4_200_000_000 }, '12 added, 3 changed, 1 moved; +4.2\u00a0GB'],
    [{ removed: 1, bytes: -12 }, '1 removed; −12\u00a0B'],
    [{ moved: 7 }, '7 moved'],
    [{ added: 1, removed: 1 }, '1 added, 1 removed'],
  ])('%j', (tally, sentence) => expect(writeTally({ ...noChange, ...tally }, say, 'en')).toBe(sentence));
});
