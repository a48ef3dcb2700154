import { describe, expect, it } from 'vitest';
import { writeReadme } from './readme.ts';

const link = (to: string): string | undefined => (to === 'data/a.csv' ? 'o/data/a.csv' : undefined);
const write = (text: string): string => String(writeReadme(text, { link })).replaceAll('\n', '');

describe('a README', () => {
  it.each([
    ['# A\n## B ##\ntext\nmore', '<h2>A</h2><h3>B</h3><p>textmore</p>'],
    ['a *b* **c** `d<e` _f_ g_h_i', '<p>a <em>b</em> <strong>c</strong> <code>d&lt;e</code> <em>f</em> g_h_i</p>'],
    ['one  \ntwo', '<p>one<br>two</p>'],
    ['- a\n- b\n  - c\n\ntext', '<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul><p>text</p>'],
    ['3. a\n4. b', '<ol start="3"><li>a</li><li>b</li></ol>'],
    ['> quoted\n> *more*', '<blockquote><p>quoted<em>more</em></p></blockquote>'],
    ['```python\nx = "<a>"\n```\nend', '<pre class="code" tabindex="0">x = &quot;&lt;a&gt;&quot;</pre><p>end</p>'],
    ['***', '<hr>'],
    ['\\*not\\*', '<p>*not*</p>'],
    ['2 * 3 * 4', '<p>2 * 3 * 4</p>'],
  ])('%j', (text, markup) => {
    expect(write(text)).toBe(markup);
  });

  it('has tables', () => {
    expect(write('| a | b |\n|---|:-:|\n| `x\\|y` | <i> |\nend')).toBe(
      '<div class="scroll" tabindex="0"><table><thead><tr><th scope="col">a</th><th scope="col">b</th></tr></thead>' +
        '<tbody><tr><td><code>x|y</code></td><td>&lt;i&gt;</td></tr></tbody></table></div><p>end</p>',
    );
  });

  it('links to the web and to files of the package, and to nothing else', () => {
    const rel = 'rel="nofollow noopener noreferrer"';
    expect(write('[a](https://example.org/x?a=1&b=2)')).toBe(`<p><a href="https://example.org/x?a=1&amp;b=2" ${rel}>a</a></p>`);
    expect(write('see https://example.org/x.')).toBe(`<p>see <a href="https://example.org/x" ${rel}>https://example.org/x</a>.</p>`);
    expect(write('[a](data/a.csv)')).toBe(`<p><a href="o/data/a.csv" ${rel}>a</a></p>`);
    expect(write('![a](https://example.org/x.png)')).toBe(`<p><a href="https://example.org/x.png" ${rel}>a</a></p>`);
    for (const to of ['javascript:alert(1)', 'data:text/html,x', '//evil.example', 'JaVaScRiPt:x', 'https://u:p@x.example', '../../x'])
      expect(write(`[a](${to})`), to).not.toContain('<a');
  });

  it('leaves out the title that the page has', () => {
    expect(String(writeReadme('\n# Snow\n\ntext', { title: 'snow' }))).toBe('<p>text</p>\n');
  });

  it('holds no markup but its own, whatever the text is made of', () => {
    const pieces = [
      '<script>alert(1)</script>',
      '<img src=x onerror=alert(1)>',
      '<svg/onload=x>',
      '[x](javascript:alert(1))',
      '[x](data:text/html,<b>)',
      '![x](//evil.example/a.png)',
      '[x](java&#115;cript:x)',
      '<https://evil.example/"onmouseover="x>',
      '[a](https://example.org/"onclick="x)',
      '<base href=x>',
      '</p></section>',
      '&lt;script&gt;',
      '"\'><',
      '**',
      '*',
      '_',
      '`',
      '``',
      '[',
      ']',
      '(',
      ')',
      '!',
      '\\',
      '|',
      '\n',
      '\n\n',
      '\n|---|\n',
      '\n- ',
      '\n> ',
      '\n```\n',
      '\n# ',
      '\n1. ',
      '   ',
      'text',
      '\0',
      '\ud800',
      '\u202e',
    ];
    let seed = 1;
    const next = (below: number): number => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % below;
    };
    const tag =
      /^<(?:\/?(?:h[2-5]|p|ul|li|blockquote|code|em|strong|table|thead|tbody|tr|td|div|pre|a|ol|th)|hr|br|ol start="\d+"|th scope="col"|(?:pre class="code"|div class="scroll") tabindex="0"|a href="https?:\/\/[^"<>]*" rel="nofollow noopener noreferrer")>/;
    for (let round = 0; round < 3000; round += 1) {
      const text = Array.from({ length: 1 + next(14) }, () => pieces[next(pieces.length)]).join('');
      const markup = String(writeReadme(text));
      const rest = markup.replace(/<[^>]*>/g, (one) => (tag.test(one) ? '' : one));
      expect(rest, JSON.stringify(text)).not.toMatch(/[<>"']/);
    }
  });

  it('costs no more than its length, also where it is made to cost', () => {
    for (const piece of [
      '[',
      '![',
      '**a ',
      '*a',
      '_a ',
      '`a``',
      '> ',
      '- ',
      '<https://',
      '[a](',
      '|',
      '\\',
      'https://',
      '  - x\n',
      '>\n',
      '# ',
    ]) {
      const markup = String(writeReadme(piece.repeat(200_000 / piece.length)));
      expect(markup.length).toBeLessThan(4_000_000);
    }
  });
});
