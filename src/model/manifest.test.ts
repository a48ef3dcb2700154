import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Leaf, Pointer, Text } from '#model/entry.ts';
import { parseKey } from '#model/key.ts';
import { endsRange, indexDigest, ManifestHasher, parseManifestLine, writeManifestLine } from '#model/manifest.ts';
import { compareBytes, parsePath } from '#model/path.ts';
import { components, requireComponent } from '#testing/component.ts';

interface Vector {
  readonly name: string;
  readonly manifest: string;
  readonly ranges: readonly string[];
  readonly digest: string;
}

const folder = new URL('../../docs/reference/vectors/', import.meta.url);
const vectors = JSON.parse(readFileSync(new URL('manifest.json', folder), 'utf8')) as Vector[];
const hasPython = requireComponent('check_manifest.py', components.python);

const text = (path: string, more: Partial<Text> = {}): Text => ({
  kind: 'text',
  path: parsePath(path),
  size: 1,
  sha256: 'a'.repeat(64),
  ...more,
});

const pointer = (path: string, more: Partial<Pointer> = {}): Pointer => ({
  kind: 'pointer',
  path: parsePath(path),
  source: 'SOURCE',
  key: parseKey('KEY'),
  size: 1,
  checksums: [],
  inline: true,
  ...more,
});

describe('the published vectors', () => {
  it('come with a reader that the specification shows', () => {
    const shown = readFileSync(new URL('../manifest.md', folder), 'utf8');
    expect(shown).toContain(`\`\`\`python\n${readFileSync(new URL('check_manifest.py', folder), 'utf8')}\`\`\``);
  });

  for (const { name, manifest, ranges, digest } of vectors) {
    it(`hold: ${name}`, () => {
      const hasher = new ManifestHasher();
      const found: string[] = [];
      for (const line of manifest.split('\n').slice(0, -1)) {
        const range = hasher.pushLine(parseManifestLine(line).path, `${line}\n`);
        if (range !== undefined) found.push(range.hash);
      }
      const end = hasher.finish();
      if (end.range !== undefined) found.push(end.range.hash);
      expect(found).toEqual(ranges);
      expect(end.digest).toBe(digest);
      expect(indexDigest(ranges)).toBe(digest);
      expect(end.bytes).toBe(Buffer.byteLength(manifest));
    });

    it.runIf(hasPython)(`hold for the independent reader: ${name}`, () => {
      const at = mkdtempSync(join(tmpdir(), 'manifest-'));
      writeFileSync(join(at, 'manifest.jsonl'), manifest);
      const { stdout, stderr } = spawnSync('python3', [new URL('check_manifest.py', folder).pathname, join(at, 'manifest.jsonl')], {
        encoding: 'utf8',
      });
      rmSync(at, { recursive: true });
      expect(stdout + stderr).toBe(`${digest}\n`);
    });
  }

  it('are many and have borders', () => {
    expect(vectors.length).toBeGreaterThanOrEqual(6);
    expect(Math.max(...vectors.map(({ ranges }) => ranges.length))).toBeGreaterThan(3);
  });
});

describe('writeManifestLine', () => {
  it('orders keys, leaves out what is absent, and names no location', () => {
    const line = writeManifestLine(
      pointer('a', {
        version: 'v',
        etag: 'e',
        meta: { '10': 1, '9': 'x', b: true },
        checksums: [{ algorithm: 'md5', value: '0'.repeat(32), evidence: 'stated' }],
      }),
    );
    expect(line).toBe(
      `{"path":"a","kind":"pointer","size":1,"etag":"e","version":"v","checksums":{"md5":"${'0'.repeat(32)}"},"meta":{"10":1,"9":"x","b":true}}\n`,
    );
    expect(writeManifestLine(pointer('a', { meta: {} }))).toBe('{"path":"a","kind":"pointer","size":1}\n');
  });

  it('takes the strongest evidence of an algorithm, whatever the order', () => {
    const checksums = (['stated', 'stored', 'verified'] as const).map((evidence, i) => ({
      algorithm: 'crc32' as const,
      value: `0000000${i}`,
      evidence,
    }));
    const tie = { algorithm: 'crc32', value: '00000009', evidence: 'verified' } as const;
    const expected = '{"path":"a","kind":"pointer","size":1,"checksums":{"crc32":"00000002"}}\n';
    expect(writeManifestLine(pointer('a', { checksums: [...checksums, tie] }))).toBe(expected);
    expect(writeManifestLine(pointer('a', { checksums: [tie, ...checksums.toReversed()] }))).toBe(expected);
  });

  it('refuses numbers that others could not read exactly', () => {
    for (const size of [-1, 0.5, 2 ** 53, Number.NaN]) expect(() => writeManifestLine(text('a', { size }))).toThrow('size');
    for (const value of [2 ** 53, 1e21, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => writeManifestLine(text('a', { meta: { value } }))).toThrow('value');
    }
    const nested = { value: { deep: 1 } } as unknown as Record<string, string>;
    expect(() => writeManifestLine(text('a', { meta: nested }))).toThrow('value');
  });
});

describe('parseManifestLine', () => {
  it('is the twin of writeManifestLine for any strings', () => {
    const value = fc.oneof(fc.string({ unit: 'binary' }), fc.boolean(), fc.maxSafeInteger());
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.dictionary(fc.string(), value), fc.maxSafeInteger(), (etag, meta, size) => {
        const line = writeManifestLine(pointer('a/b', { etag, meta, size: Math.abs(size) }));
        const parsed = parseManifestLine(line);
        expect(parsed.etag).toBe(etag);
        expect(Object.entries(parsed.meta ?? {}).sort()).toEqual(Object.entries(meta).sort());
        expect(line.indexOf('\n')).toBe(line.length - 1);
      }),
      { numRuns: 200 },
    );
  });

  it('refuses what is not canonical', () => {
    const sha = `"checksums":{"sha256":"${'a'.repeat(64)}"}`;
    const wrong = [
      '',
      'null',
      '[]',
      '{',
      '{"path":"","kind":"pointer","size":1}',
      '{"path":"a/../b","kind":"pointer","size":1}',
      '{"path":"a","kind":"folder","size":1}',
      '{"path":"a","kind":"pointer","size":-1}',
      '{"path":"a","kind":"pointer","size":1.0}',
      '{"path":"a","kind":"pointer","size":1e0}',
      '{"path":"a","kind":"pointer","size":"1"}',
      '{"path":"a", "kind":"pointer","size":1}',
      '{"kind":"pointer","path":"a","size":1}',
      '{"path":"\\u0061","kind":"pointer","size":1}',
      '{"path":"a","kind":"pointer","size":1,"size":1}',
      '{"path":"a","kind":"pointer","size":1,"etag":null}',
      '{"path":"a","kind":"pointer","size":1,"source":"s"}',
      '{"path":"a","kind":"pointer","size":1,"checksums":{}}',
      '{"path":"a","kind":"pointer","size":1,"checksums":{"md5":"00"}}',
      `{"path":"a","kind":"pointer","size":1,"checksums":{"md5":"${'A'.repeat(32)}"}}`,
      '{"path":"a","kind":"pointer","size":1,"checksums":{"constructor":"00"}}',
      '{"path":"a","kind":"pointer","size":1,"meta":{"b":1,"a":1}}',
      '{"path":"a","kind":"pointer","size":1,"meta":{"a":[1]}}',
      '{"path":"a","kind":"pointer","size":1,"meta":[]}',
      '{"path":"a","kind":"text","size":1}',
      `{"path":"a","kind":"text","size":1,"etag":"e",${sha}}`,
      `{"path":"a","kind":"text","size":1,${sha}}\n\n`,
      `{"path":"a","kind":"text","size":1,${sha}}\r\n`,
    ];
    for (const line of wrong) expect(() => parseManifestLine(line), line).toThrow();
    expect(parseManifestLine(`{"path":"a","kind":"text","size":1,${sha}}`).checksums.sha256).toBe('a'.repeat(64));
  });

  it('keeps a key named __proto__', () => {
    const line = '{"path":"a","kind":"pointer","size":1,"meta":{"__proto__":1}}\n';
    expect(Object.keys(parseManifestLine(line).meta ?? {})).toEqual(['__proto__']);
  });
});

describe('ManifestHasher', () => {
  const leaves: Leaf[] = Array.from({ length: 2000 }, (_, i) => text(`f/${i}`)).sort((a, b) => compareBytes(a.path, b.path));
  const rangesOf = (all: readonly Leaf[]) => {
    const hasher = new ManifestHasher();
    const ranges = all.flatMap((leaf) => hasher.push(leaf) ?? []);
    const { range, digest } = hasher.finish();
    return { ranges: range === undefined ? ranges : [...ranges, range], digest };
  };

  it('refuses a wrong order, also across a border, and a path twice', () => {
    const border = leaves.find((leaf) => endsRange(leaf.path)) as Leaf;
    for (const [first, second] of [
      ['b', 'a'],
      ['a', 'a'],
      ['\u{1F600}', '\uFF5E'],
      [border.path, 'a'],
    ] as const) {
      const hasher = new ManifestHasher();
      hasher.push(text(first));
      expect(() => hasher.push(text(second))).toThrow('byte order');
    }
  });

  it('changes only the range that an edit touches', () => {
    const before = rangesOf(leaves);
    const after = rangesOf(leaves.map((leaf, i) => (i === 1000 ? { ...leaf, size: 2 } : leaf)));
    expect(before.ranges.length).toBeGreaterThan(4);
    expect(after.ranges.filter(({ hash }, i) => hash !== before.ranges[i]?.hash).length).toBe(1);
    expect(after.digest).not.toBe(before.digest);
  });

  it('tells what a range holds', () => {
    const { ranges } = rangesOf(leaves);
    expect(ranges.reduce((sum, { entries }) => sum + entries, 0)).toBe(leaves.length);
    for (const { last } of ranges.slice(0, -1)) expect(endsRange(last)).toBe(true);
    expect(ranges[0]?.first).toBe(leaves[0]?.path);
  });
});
