import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resolvePath, slugOf, writeMarkdown } from './markdown.ts';

const write = (text: string, folder: string[] = []): string => writeMarkdown(text, { folder, hrefOf: (path) => `/app/${path.join('/')}` });

const harmless = new Set(
  'p h2 h3 h4 h5 h6 a span em strong s code pre ul ol li blockquote hr br table thead tbody tr th td div img'.split(' '),
);
const attribute = /^(?:href|target|rel|class|tabindex|start|data-heading|data-path|data-to|alt|src)$/;

/** Every tag of the outcome is one that can do nothing, and every address one that may be followed. */
function expectHarmless(html: string): void {
  for (const [tag, name = '', inside = ''] of html.matchAll(/<\/?([a-z0-9]+)((?:\s[^<>]*)?)>/gi)) {
    expect(harmless, tag).toContain(name.toLowerCase());
    for (const [, key = '', value = ''] of inside.matchAll(/\s([^\s="]+)="([^"]*)"/g)) {
      expect(key, tag).toMatch(attribute);
      if (key === 'href') expect(value, tag).toMatch(/^(?:https?:\/\/|mailto:|\/app\/|#)/i);
      if (key === 'src') expect(value, tag).toMatch(/^data:image\/(?:png|gif|jpeg|webp);/);
    }
  }
  expect(html.replaceAll(/<\/?[a-z0-9]+(?:\s[^<>]*)?>/gi, '')).not.toContain('<');
}

const hostile = [
  '<script>window.__xss = 1</script>',
  '<img src=x onerror="window.__xss = 1">',
  '[a](javascript:alert(1))',
  '[a](JaVaScRiPt:alert(1))',
  '[a](java\tscript:alert(1))',
  '[a](&#106;avascript:alert(1))',
  '[a](data:text/html,<script>alert(1)</script>)',
  '[a](vbscript:x) [b](file:///etc/passwd) [c](blob:x)',
  '![a](data:image/svg+xml;base64,PHN2Zz4=)',
  '![x"onload="alert(1)](https://evil.example/a.png "t\\" onerror=\\"x")',
  '[a](//evil.example/x) [b](/\\evil.example) [c](\\\\evil.example)',
  '<https://evil.example/"onmouseover="alert(1)>',
  '[a]: javascript:alert(1)\n[a]',
  '```"><script>alert(1)</script>\nx\n```',
  '<a href="https://evil.example" ping="https://evil.example">x</a>',
  '<form action="https://evil.example"><input name=x></form><style>*{background:url(https://evil.example)}</style>',
  '|a|\n|:-:|\n|<svg onload=alert(1)>|',
  '# <iframe srcdoc="<script>alert(1)</script>">',
];

describe('Markdown of anybody', () => {
  it.each(hostile)('does no harm: %s', (text) => expectHarmless(write(text)));

  it('does no harm in whatever order', () => {
    const bit = fc.oneof(
      fc.constantFrom(...hostile, '[', ']', '(', ')', '!', '`', '\n', '> ', '- ', '|', '"', "'", '<', '&lt;'),
      fc.string(),
    );
    fc.assert(fc.property(fc.array(bit, { maxLength: 12 }), (bits) => expectHarmless(write(bits.join('')))));
  });

  it('is shown for what it is', () => {
    expect(write('# Snow\n\nDaily **NDSI**, see https://example.org.')).toBe(
      '<h2 data-heading="snow">Snow</h2>\n<p>Daily <strong>NDSI</strong>, see <a href="https://example.org/" target="_blank" rel="noopener noreferrer">https://example.org</a>.</p>\n',
    );
    expect(write('|a|b|\n|-|-:|\n|1|2|')).toContain('<td class="align-right">2</td>');
  });

  it('loads no picture: it is a link, or its name within one', () => {
    expect(write('![The map](https://evil.example/m.png)')).toBe(
      '<p><a href="https://evil.example/m.png" target="_blank" rel="noopener noreferrer" class="picture">The map</a></p>\n',
    );
    expect(write('![](maps/m.png)')).toContain('<a href="/app/maps/m.png" data-path="maps/m.png" class="picture">maps/m.png</a>');
    expect(write('[![built](https://ci.example/b.svg)](https://ci.example)')).toContain('noreferrer">built</a>');
    expect(write('![dot](data:image/png;base64,iVBORw0KGgo=)')).toContain('<img src="data:image/png;base64,iVBORw0KGgo=" alt="dot">');
  });

  it('links files of its tree, and headings of its own', () => {
    expect(write('[x](../a%20b.md#top)', ['docs'])).toContain('<a href="/app/a b.md" data-path="a b.md">x</a>');
    expect(write('[x](../../up.md)', ['docs'])).toBe('<p><span>x</span></p>\n');
    expect(write('[x](#how-it-was-made)\n\n## How it was made?')).toContain('data-to="how-it-was-made"');
  });

  it.each([
    ['nesting', '> '.repeat(500_000)],
    ['lists', Array.from({ length: 1400 }, (_, at) => `${' '.repeat(at)}- x`).join('\n')],
    ['brackets', '['.repeat(1_000_000)],
    ['emphasis', '*a '.repeat(333_333)],
    ['links', 'http://a.b/(((('.repeat(66_666)],
    ['text', 'A line of prose, and another.\n\n'.repeat(32_000)],
  ])('takes a megabyte in its stride: %s', (_, text) => {
    const start = performance.now();
    expect(write(text).length).toBeGreaterThan(0);
    expect(performance.now() - start).toBeLessThan(10_000);
  });
});

describe('a relative link', () => {
  it.each([
    ['a.md', 'docs/a.md'],
    ['./a.md?x#y', 'docs/a.md'],
    ['/a.md', 'a.md'],
    ['../data/', 'data'],
    ['..', ''],
    ['../../a', undefined],
    ['//host/a', undefined],
    ['a%2Fb', undefined],
    ['a%00', undefined],
    ['a%zz', undefined],
    ['c:d', undefined],
    ['', undefined],
  ])('%s', (link, path) => expect(resolvePath(['docs'], link)?.join('/')).toBe(path));

  it('finds a heading by its usual name', () => expect(slugOf('How *it* was made: Größe & Co.')).toBe('how-it-was-made-größe--co'));
});
