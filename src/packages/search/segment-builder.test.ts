import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareBytes } from '#model/path.ts';
import { type BlobKey, BlockSet, ByteWriter, Damage, readBlock, readPostings, writePostings } from './blocks.ts';
import { type Field, rangesOf } from './grams.ts';
import { type IndexRows, SegmentBuilder } from './segment-builder.ts';

interface Built {
  readonly blocks: string[][];
  /** Blocks that have all grams of a term. */
  of(field: Field, term: string): number[];
}

function build(paths: readonly string[], blockPaths: number, postings = Number.POSITIVE_INFINITY): Built {
  const blocks: string[][] = [];
  const grams: { code: number; part: number; bytes: Uint8Array }[] = [];
  let part = 0;
  const emit = ({ table, keys, ends, bytes }: IndexRows): void => {
    for (const [index, key] of keys.entries()) {
      const blob = bytes.subarray(ends[index - 1] ?? 0, ends[index]);
      if (table === 'block') blocks[key] = readBlock(blob, [7, -1, key]);
      else grams.push({ code: key, part, bytes: blob });
    }
  };
  const start = (firstBlock: number) => new SegmentBuilder({ segment: 7, part, firstBlock, blockPaths, emit });
  let builder = start(0);
  const finish = (): void => {
    for (const _ of builder.finish());
  };
  for (const path of paths) {
    if (!builder.push(path) || builder.postings < postings) continue;
    finish();
    part += 1;
    builder = start(builder.nextBlock);
  }
  finish();
  return {
    blocks,
    of(field, term) {
      const sets = rangesOf(field, term).map(({ from, to }) => {
        const set = new BlockSet(blocks.length);
        for (const { code, part: of, bytes } of grams) if (code >= from && code < to) readPostings(bytes, [7, code, of], set);
        return set;
      });
      return [...sets.reduce((set, other) => set.intersect(other)).toArray()];
    },
  };
}

describe('a segment', () => {
  it('keeps the paths in blocks, each once', () => {
    expect(build(['a', 'a', 'a/b', 'ab', 'ä/é'], 2).blocks).toEqual([
      ['a', 'a/b'],
      ['ab', 'ä/é'],
    ]);
  });

  it('knows names of leaves by their grams, folders where they begin, and how far they go', () => {
    const built = build(['one/Aaa', 'one/bbb', 'one/ccc', 'one/two/ddd', 'xx'], 2);
    expect(built.of('name', 'aaa')).toEqual([0]);
    expect(built.of('name', '/bb')).toEqual([0]);
    expect(built.of('name', 'bb/')).toEqual([0]);
    expect(built.of('name', 'one')).toEqual([]);
    expect(built.of('folder', 'one')).toEqual([0]);
    expect(built.of('within', 'one')).toEqual([0, 1]);
    expect(built.of('folder', 'two')).toEqual([1]);
    expect(built.of('name', 'x//')).toEqual([2]);
  });

  it('folds names as searches do', () => {
    const built = build(['STRASSE-ß', 'İI', 'ΟΔΟΣ', '\u212Aelvin'], 1);
    const terms = ['ss', 'e-ß', 'i̇i', 'οδος', 'ος/', 'οσ', 'kelvin', '/k', 'n', 'İ'];
    expect(terms.map((term) => built.of('name', term))).toEqual([[0], [0], [1], [2], [2], [], [3], [3], [3], []]);
  });

  it('is the same in parts', () => {
    const paths = Array.from({ length: 100 }, (_, index) => `f${index % 3}/${index}-x`).sort(compareBytes);
    const [whole, parted] = [build(paths, 4), build(paths, 4, 30)];
    expect(parted.blocks).toEqual(whole.blocks);
    for (const gram of ['-x/', '/1-', '10-', 'x//']) expect(parted.of('name', gram)).toEqual(whole.of('name', gram));
    expect(parted.of('within', '/f1')).toEqual(whole.of('within', '/f1'));
  });

  it('has each part of each name in its block', () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'B', 'c', 'é', '日', '😀'), minLength: 1, maxLength: 5 });
    const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/'));
    fc.assert(
      fc.property(fc.array(path, { maxLength: 30 }), fc.integer({ min: 1, max: 5 }), fc.nat(), fc.nat(), (made, size, first, last) => {
        const paths = [...new Set(made)].sort(compareBytes);
        const built = build(paths, size, 25);
        expect(built.blocks.flat()).toEqual(paths);
        for (const one of paths) {
          const names = one.split('/').map((part) => [...`/${part.toLowerCase()}/`]);
          const block = built.blocks.findIndex((some) => some.includes(one));
          for (const [index, signs] of names.entries()) {
            const from = first % signs.length;
            const term = signs.slice(from, from + 1 + (last % (signs.length - from))).join('');
            expect(built.of(index === names.length - 1 ? 'name' : 'within', term)).toContain(block);
          }
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe('blobs', () => {
  const key: BlobKey = [1, 2, 3];
  const sealed = (numbers: readonly number[]): Uint8Array => {
    const writer = new ByteWriter();
    writePostings(writer, Uint32Array.from(numbers), 0, numbers.length);
    writer.seal(0, key);
    return writer.take();
  };

  it('give back their blocks', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 999 }), { maxLength: 300 }), (made) => {
        const numbers = made.sort((a, b) => a - b);
        const set = new BlockSet(1000);
        readPostings(sealed(numbers), key, set);
        expect([...set.toArray()]).toEqual(numbers);
      }),
    );
  });

  it('tell damage: a changed byte, a cut, another’s place, a block beyond the last', () => {
    const blob = sealed([1, 2, 3, 500]);
    for (let at = 0; at < blob.length; at++) {
      const changed = Uint8Array.from(blob);
      changed[at] = (changed[at] as number) ^ 1;
      expect(() => readPostings(changed, key, new BlockSet(1000))).toThrow(Damage);
      expect(() => readPostings(blob.subarray(0, at), key, new BlockSet(1000))).toThrow(Damage);
    }
    expect(() => readPostings(blob, [1, 2, 4], new BlockSet(1000))).toThrow(Damage);
    expect(() => readPostings(blob, key, new BlockSet(500))).toThrow(Damage);
    expect(() => readBlock(blob, key)).toThrow(Damage);
  });

  it('of sets: both, either', () => {
    const of = (...ranges: readonly (readonly [number, number])[]): BlockSet => {
      const set = new BlockSet(200);
      for (const [from, to] of ranges) set.add(from, to);
      return set;
    };
    expect([
      ...of([0, 100])
        .intersect(of([64, 70], [99, 200]))
        .toArray(),
    ]).toEqual([64, 65, 66, 67, 68, 69, 99]);
    expect([
      ...of([31, 33])
        .unite(of([199, 200]))
        .toArray(),
    ]).toEqual([31, 32, 199]);
  });
});
