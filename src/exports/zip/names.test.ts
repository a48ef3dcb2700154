import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ancestorsOf, type Path, parsePath } from '#model/path.ts';
import { chooseNames, SeenNames, TakenNames } from './names.ts';

const namesOf = (paths: readonly Path[], exact?: number) => {
  const taken = new TakenNames(exact);
  for (const path of paths) taken.see(path);
  return chooseNames(taken.names);
};

describe('names of an archive', () => {
  /** Names that mean each other: with the suffix, in other letters, and as they would be called where the usual name is taken. */
  const base = fc.constantFrom('a', 'A', 'b', 'README', 'sha256sums', 'é', `${'long'.repeat(62)}x`, `${'long'.repeat(62)}y`);
  const tail = fc.constantFrom('', '.pointer', '.POINTER', '.pointer.pointer', '/in', '-packageR.txt');
  const kind = fc.constantFrom('pointer' as const, 'file' as const);
  const entry = fc.record({ base, tail, kind, isTagged: fc.nat(3) });

  it('do not collide, whatever the files are called and however few names are remembered as they are', () => {
    fc.assert(
      fc.property(fc.array(entry, { minLength: 2, maxLength: 12 }), fc.constantFrom(0, 2, undefined), (entries, exact) => {
        const files = new Map<string, 'pointer' | 'file'>();
        for (const one of entries) {
          const own = parsePath(one.base + one.tail);
          const tagged = namesOf([own, parsePath(`${own}.pointer`)]).pointerFor(own);
          const path = one.isTagged === 0 ? tagged.slice(0, -'.pointer'.length) : one.isTagged === 1 ? tagged : own;
          const isFree = ![...files.keys()].some(
            (other) => ancestorsOf(other as Path).includes(path as Path) || path.startsWith(`${other}/`),
          );
          if (isFree) files.set(path, one.kind);
        }
        const paths = [...files.keys()] as Path[];
        const names = namesOf(paths, exact);
        const kept = paths.filter((path) => files.get(path) === 'file');
        const pointers = paths.filter((path) => files.get(path) === 'pointer').map((path) => names.pointerFor(path));
        const all = [...kept, ...pointers, ...Object.values(names.extras)];
        expect(new Set(all).size).toBe(all.length);
        const folded = new Set(kept.map((name) => name.toLowerCase()));
        for (const name of [...pointers, ...Object.values(names.extras)]) expect(folded.has(name.toLowerCase())).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it('of pointers make way for one that is called as another one would be', () => {
    const first = namesOf([parsePath('a'), parsePath('a.pointer')]).pointerFor(parsePath('a'));
    const twin = parsePath(first.slice(0, -'.pointer'.length));
    const names = namesOf([parsePath('a'), parsePath('a.pointer'), twin]);
    expect(names.pointerFor(twin)).not.toBe(names.pointerFor(parsePath('a')));
  });

  it('are remembered in memory of a fixed size, none is forgotten, and few others make way', () => {
    const count = 60_000;
    const taken = new TakenNames(1000);
    for (let at = 0; at < count; at++) taken.see(parsePath(`x/${at}.tif.pointer`));
    const names = chooseNames(taken.names);
    let [hits, ways] = [0, 0];
    for (let at = 0; at < count; at++) {
      if (taken.names.has(`x/${at}.tif.pointer`)) hits += 1;
      if (names.pointerFor(parsePath(`y/${at}.tif`)) !== `y/${at}.tif.pointer`) ways += 1;
    }
    expect(hits).toBe(count);
    expect(ways).toBeLessThan(10);
    expect(names.pointerFor(parsePath('x/7.tif'))).toMatch(/^x\/7\.tif~[0-9a-f]{16}\.pointer$/);
  });

  it('are what they always were where nothing stands in the way', () => {
    const names = namesOf([parsePath('a/b.tif')]);
    expect(new SeenNames().isEmpty).toBe(true);
    expect(names.pointerFor(parsePath('a/b.tif'))).toBe('a/b.tif.pointer');
    expect(names.extras.readme).toBe('README-packageR.txt');
  });
});
