import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeKey } from '#model/key.ts';
import { parseName } from '#model/name.ts';
import { encodePath, parsePath } from '#model/path.ts';
import {
  type PointerFile,
  parsePointerFile,
  pointerLimits,
  pointerPutter,
  pointerWriter,
  withoutTicket,
  writePointerFile,
} from '#model/pointer-file.ts';
import { components, requireComponent } from '#testing/component.ts';
import { awkwardPaths } from '#testing/memory-tree.ts';

interface Vector {
  readonly name: string;
  readonly text: string;
}

const folder = new URL('../../docs/reference/vectors/', import.meta.url);
const vectors = JSON.parse(readFileSync(new URL('pointer.json', folder), 'utf8')) as { valid: Vector[]; invalid: Vector[] };
const hasPython = requireComponent('check_pointer.py', components.python);

const base = 'https://h.example/s/ID';
const pointer = (path: string, more: Partial<PointerFile> = {}): PointerFile => {
  const parsed = parsePath(path);
  return { url: `${base}/o/${encodePath(parsed)}`, path: parsed, size: 1, checksums: [], ...more };
};

describe('the published vectors', () => {
  it('come with a reader that the specification shows', () => {
    const shown = readFileSync(new URL('../pointer.md', folder), 'utf8');
    expect(shown).toContain(`\`\`\`python\n${readFileSync(new URL('check_pointer.py', folder), 'utf8')}\`\`\``);
  });

  for (const { name, text } of vectors.valid) {
    it(`are read and written again: ${name}`, () => {
      expect(writePointerFile(parsePointerFile(Buffer.from(text)))).toBe(text);
    });

    it.runIf(hasPython)(`are read by the independent reader: ${name}`, () => {
      const at = mkdtempSync(join(tmpdir(), 'pointer-'));
      writeFileSync(join(at, 'x.pointer'), text);
      const { stdout, stderr } = spawnSync('python3', [new URL('check_pointer.py', folder).pathname, join(at, 'x.pointer')], {
        encoding: 'utf8',
      });
      rmSync(at, { recursive: true });
      const expected = text
        .split('\n')
        .slice(1, -1)
        .map((line) => `${line.replace(' ', '=')}\n`);
      expect(stdout + stderr).toBe(expected.join(''));
    });
  }

  for (const { name, text } of vectors.invalid) {
    it(`are refused: ${name}`, () => {
      expect(() => parsePointerFile(Buffer.from(text))).toThrow(expect.objectContaining({ code: 'pointer_invalid' }));
    });
  }
});

describe('pointer files', () => {
  it('hold any path, also the longest', () => {
    const longest = Array.from({ length: 64 }, () => '日'.repeat(21)).join('/');
    for (const path of [...awkwardPaths, longest]) {
      const text = writePointerFile(pointer(path));
      expect(parsePointerFile(Buffer.from(text)).path).toBe(path);
      expect(text.split('\n').length).toBe(5);
    }
  });

  it('never carry a credential', () => {
    const wrong = [
      'https://user@h.example/s/ID/o/a',
      'https://user:pw@h.example/s/ID/o/a',
      `${base}~ticket/o/a`,
      `${base}/o/a?token=1`,
      `${base}/o/a#x`,
      `${base}/o/b`,
      'https://h.example/a',
      '/s/ID/o/a',
      'ftp://h.example/s/ID/o/a',
      `${base}/o/a\nsource x`,
      'https://h.example/s/ID /o/a',
    ];
    for (const url of wrong)
      expect(() => writePointerFile(pointer('a', { url })), url).toThrow(expect.objectContaining({ code: 'pointer_invalid' }));
  });

  it('leave out an etag that does not fit into a line', () => {
    for (const etag of ['', 'a\nsource x', 'a\u2028b', '\ud800', 'e'.repeat(1025)]) {
      expect(writePointerFile(pointer('a', { etag }))).not.toContain('etag');
    }
    expect(writePointerFile(pointer('a', { etag: 'W/"x y"' }))).toContain('\netag W/"x y"\n');
  });

  it('keep a key of any bytes', () => {
    const key = decodeKey(Buffer.from([0x61, 0x0a, 0xff, 0x25, 0x2f, 0xc3, 0xa9, 0x2f]));
    const text = writePointerFile(pointer('a', { location: { source: parseName('lake'), key } }));
    expect(text).toContain('source lake\nkey a%0A%FF%25/%C3%A9/\n');
    expect(parsePointerFile(Buffer.from(text)).location?.key).toBe(key);
  });

  it('write the strongest checksum of an algorithm, and read it as stated', () => {
    const checksums = [
      { algorithm: 'crc32', value: '00000000', evidence: 'stated' },
      { algorithm: 'crc32', value: '00000001', evidence: 'stored' },
    ] as const;
    const text = writePointerFile(pointer('a', { checksums }));
    expect(parsePointerFile(Buffer.from(text)).checksums).toEqual([{ algorithm: 'crc32', value: '00000001', evidence: 'stated' }]);
  });

  it('are the same put into a block as written', () => {
    const sha512 = { algorithm: 'sha512', value: 'a'.repeat(128), evidence: 'stated' } as const;
    const crc32 = { algorithm: 'crc32', value: '00000001', evidence: 'stored' } as const;
    const more: Partial<PointerFile>[] = [
      ...['', 'W/"x y"', 'a\nsource x', '\ud800', 'é', 'e'.repeat(300), 'e'.repeat(1025)].map((etag) => ({ etag })),
      ...[0, 2 ** 31, Number.MAX_SAFE_INTEGER].map((size) => ({ size })),
      ...[[sha512], [crc32, sha512], [crc32, { ...crc32, evidence: 'stated' as const }]].map((checksums) => ({ checksums, etag: 'x' })),
      { location: { source: parseName('lake'), key: decodeKey(Buffer.from([0x61, 0xff])) } },
    ];
    const longest = Array.from({ length: 64 }, () => '日'.repeat(21)).join('/');
    for (const front of [`${base}/o/`, `https://h.example/${'p'.repeat(4000)}/s/ID/o/`]) {
      const [{ room, put }, write] = [pointerPutter(front), pointerWriter(front)];
      for (const path of ['a', 'a/b-c_d.e~f', ...awkwardPaths, longest, 'n'.repeat(257)])
        for (const one of more) {
          const given = pointer(path, one);
          const block = Buffer.alloc(room(given) + 7, '#');
          expect(block.toString('utf8', 7, put(block, 7, given))).toBe(write(given));
          expect(block.toString('latin1', 0, 7)).toBe('#######');
        }
      for (const size of [-1, 0.5, Number.NaN, 2 ** 53])
        expect(() => put(Buffer.alloc(30_000), 0, pointer('a', { size }))).toThrow(expect.objectContaining({ code: 'pointer_invalid' }));
    }
  });

  it('are refused when they are no UTF-8, have a byte order mark, or are too long', () => {
    const text = writePointerFile(pointer('a'));
    expect(() => parsePointerFile(Buffer.concat([Buffer.from(text), Buffer.from([0xff, 0x0a])]))).toThrow('UTF-8');
    expect(() => parsePointerFile(Buffer.from(`\uFEFF${text}`))).toThrow('first line');
    expect(() => parsePointerFile(Buffer.alloc(pointerLimits.bytes + 1, 'x'))).toThrow('longer');
  });
});

describe('withoutTicket', () => {
  it('takes the ticket of the share and nothing else', () => {
    expect(withoutTicket('https://h/s/ID~t/')).toBe('https://h/s/ID/');
    expect(withoutTicket('https://h/pre/s/ID~t/o/x')).toBe('https://h/pre/s/ID/o/x');
    expect(withoutTicket('https://h/p/alice/f@3/o/s/x~y/z', parsePath('s/x~y/z'))).toBe('https://h/p/alice/f@3/o/s/x~y/z');
    expect(withoutTicket('https://h/s/ID~t/o/s/x~y/z', parsePath('s/x~y/z'))).toBe('https://h/s/ID/o/s/x~y/z');
  });
});
