/** HTML that escapes by construction: whatever is put into the template is text, but for parts that were made by it. */

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Markup that needs no more escaping. Only `html` makes it. */
export class Html {
  readonly #markup: string;

  private constructor(markup: string) {
    this.#markup = markup;
  }

  toString(): string {
    return this.#markup;
  }

  /** html`<p title="${text}">${part}</p>`: strings and numbers are escaped, also within quoted attributes; lists are joined. */
  static write(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
    let markup = strings[0] ?? '';
    for (const [index, value] of values.entries()) markup += writeValue(value) + (strings[index + 1] ?? '');
    return new Html(markup);
  }
}

export type HtmlValue = Html | string | number | undefined | false | readonly HtmlValue[];

export const html: typeof Html.write = Html.write;

function writeValue(value: HtmlValue): string {
  if (value instanceof Html) return value.toString();
  if (value === undefined || value === false) return '';
  if (typeof value === 'object') return value.map(writeValue).join('');
  return String(value).replace(/[&<>"']/g, (character) => entities[character] ?? '');
}
