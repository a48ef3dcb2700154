import { describe, expect, it } from 'vitest';
import { isError } from '#errors/error.ts';
import { parsePackageYaml } from '#packages/package-yaml.ts';

const parse = (text: string) => parsePackageYaml(Buffer.from(text));

describe('package.yaml', () => {
  it('holds what a package says of itself', () => {
    const text = `
title: Sea ice, 2024
description: |
  Two lines
  of it.
licence: CC-BY-4.0 OR (MIT AND Apache-2.0)
authors:
  - name: Ada Lovelace
    email: ada@example.org
    orcid: 0000-0002-1825-0097
    affiliation: An institute
keywords: [ice, sea]
homepage: https://example.org/ice
doi: 10.5281/zenodo.1234567
extra:
  grant: { number: 7 }
`;
    expect(parse(text)).toMatchObject({
      title: 'Sea ice, 2024',
      authors: [{ orcid: '0000-0002-1825-0097' }],
      extra: { grant: { number: 7 } },
    });
    expect(parse('')).toEqual({});
  });

  it.each([
    'titel: x',
    'title: ""',
    'title: [x]',
    'title: x\ntitle: y',
    'title: &a x\ndescription: *a',
    'title: !!js/function "x"',
    'authors: [{ email: a@b }]',
    'authors: [{ name: x, orcid: 1 }]',
    'authors: x',
    'homepage: javascript:alert(1)',
    'homepage: https://user:secret@example.org/',
    'doi: https://doi.org/10.1/x',
    'licence: "MIT; rm -rf"',
    'extra: text',
    '- a',
    '{',
    'a: b: c',
    'title: "x\\u0000"',
    '__proto__: { title: x }',
    `description: ${'x'.repeat(70_000)}`,
  ])('refuses %j', (text) => {
    expect(() => parse(text)).toThrow(expect.toSatisfy((error: unknown) => isError(error, 'metadata_invalid')));
  });

  it('refuses bytes that are no UTF-8', () => {
    expect(() => parsePackageYaml(Buffer.from([0xff, 0xfe]))).toThrow(
      expect.toSatisfy((error: unknown) => isError(error, 'metadata_invalid')),
    );
  });
});
