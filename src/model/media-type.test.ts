import { describe, expect, it } from 'vitest';
import { inertMediaType, octetStream } from '#model/media-type.ts';
import { parsePath } from '#model/path.ts';

describe('media type', () => {
  it.each([
    ['a/b.PNG', 'image/png'],
    ['a.csv', 'text/csv; charset=utf-8'],
    ['notes.ipynb', 'application/json'],
  ])('states an inert type for %s', (path, type) => expect(inertMediaType(parsePath(path))).toBe(type));

  it.each(['a.html', 'a.htm', 'a.svg', 'a.SVG', 'a.xml', 'a.xhtml', 'a.pdf', 'a.js', 'a.swf', 'png', 'x.constructor', 'x.__proto__', 'a.'])(
    'states nothing active for %s',
    (path) => expect(inertMediaType(parsePath(path))).toBe(octetStream),
  );
});
