import { describe, expect, it } from 'vitest';
import { html } from './html.ts';

describe('html', () => {
  it('writes every value as text', () => {
    const name = `"><svg onload=alert(1)>'&`;
    expect(String(html`<a title="${name}">${name}</a>`)).toBe(
      '<a title="&quot;&gt;&lt;svg onload=alert(1)&gt;&#39;&amp;">&quot;&gt;&lt;svg onload=alert(1)&gt;&#39;&amp;</a>',
    );
  });

  it('keeps its own parts, joins lists, leaves out what is undefined or false', () => {
    expect(String(html`<ul>${[1, 2].map((n) => html`<li>${n}</li>`)}</ul>${undefined}${false}`)).toBe('<ul><li>1</li><li>2</li></ul>');
  });

  it('is not fooled by an object that looks like markup', () => {
    const forged = { toString: () => '<script>' } as unknown as string;
    expect(() => String(html`${forged}`)).toThrow();
  });
});
