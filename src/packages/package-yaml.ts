/**
 * `package.yaml` at the root of a package: what it is, who made it, how it may be used. A text like any other, so the digest covers it;
 * what is put there is checked first. Fields: docs/reference/package-yaml.md.
 */
import { parseDocument } from 'yaml';
import { PackageRError } from '#errors/error.ts';
import type { Path } from '#model/path.ts';

export interface PackageMetadata {
  readonly title?: string;
  readonly description?: string;
  /** SPDX expression. */
  readonly licence?: string;
  readonly authors?: readonly PackageAuthor[];
  readonly keywords?: readonly string[];
  readonly homepage?: string;
  readonly doi?: string;
  /** Whatever else there is to say: any mapping. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

export interface PackageAuthor {
  readonly name: string;
  readonly email?: string;
  /** Sixteen digits in groups of four; the last may be X. */
  readonly orcid?: string;
  readonly affiliation?: string;
}

export const packageYamlPath = 'package.yaml' as Path;

const packageYamlLimits = {
  bytes: 64 * 1024,
  title: 200,
  line: 500,
  description: 10 * 1024,
  authors: 1000,
  keywords: 50,
  keyword: 64,
} as const;

type Check = (value: unknown, at: string) => unknown;

const line =
  (most: number = packageYamlLimits.line): Check =>
  (value, at) => {
    if (
      typeof value !== 'string' ||
      value.trim() === '' ||
      value.length > most ||
      !value.isWellFormed() ||
      /[\p{Cc}\u2028\u2029]/u.test(value)
    )
      throw invalid(at, `is a line of 1 to ${most} characters`);
    return value;
  };

const form =
  (pattern: RegExp, what: string): Check =>
  (value, at) => {
    if (typeof value !== 'string' || value.length > packageYamlLimits.line || !pattern.test(value)) throw invalid(at, what);
    return value;
  };

const author = fields({
  name: line(),
  email: form(/^[^\s@<>"]+@[^\s@<>"]+$/, 'is an e-mail address'),
  orcid: form(/^\d{4}-\d{4}-\d{4}-\d{3}[\dX]$/, 'is an ORCID iD like 0000-0002-1825-0097'),
  affiliation: line(),
});

const metadata = fields({
  title: line(packageYamlLimits.title),
  description: (value, at) => {
    if (typeof value !== 'string' || Buffer.byteLength(value) > packageYamlLimits.description || !value.isWellFormed())
      throw invalid(at, `is a text of at most ${packageYamlLimits.description} bytes`);
    return value;
  },
  licence: form(
    /^\(*[A-Za-z0-9.+:-]+\)*(\s+(AND|OR|WITH)\s+\(*[A-Za-z0-9.+:-]+\)*)*$/,
    'is an SPDX expression like CC-BY-4.0 or Apache-2.0 OR MIT',
  ),
  authors: list((value, at) => {
    const one = author(value, at) as { name?: unknown };
    if (one.name === undefined) throw invalid(`${at}.name`, 'is missing');
    return one;
  }, packageYamlLimits.authors),
  keywords: list(line(packageYamlLimits.keyword), packageYamlLimits.keywords),
  homepage: form(/^https?:\/\/[^\s<>"\\^`{|}@]+$/, 'is an http or https address without credentials'),
  doi: form(/^10\.\d{4,9}\/\S+$/, 'is a DOI like 10.5281/zenodo.1234567'),
  extra: (value, at) => {
    if (!isRecord(value)) throw invalid(at, 'is a mapping');
    return value;
  },
});

/** Errors: metadata_invalid, with the field at fault. */
export function parsePackageYaml(bytes: Uint8Array): PackageMetadata {
  if (bytes.length > packageYamlLimits.bytes) throw invalid('It', `has at most ${packageYamlLimits.bytes} bytes`);
  const value = readYaml(bytes);
  return (value === null ? {} : metadata(value, '')) as PackageMetadata;
}

/** Without aliases, tags and repeated keys, so that its size is what it looks like. */
function readYaml(bytes: Uint8Array): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const document = parseDocument(text, { schema: 'core', uniqueKeys: true, strict: true, merge: false });
    const fault = document.errors[0] ?? document.warnings[0];
    if (fault !== undefined)
      throw new PackageRError('metadata_invalid', `package.yaml is no YAML: ${fault.code} at line ${fault.linePos?.[0].line ?? 1}.`);
    const value: unknown = document.toJS({ maxAliasCount: 0 });
    return value;
  } catch (cause) {
    if (cause instanceof PackageRError) throw cause;
    throw new PackageRError('metadata_invalid', 'package.yaml is no UTF-8 YAML document without aliases.', { cause });
  }
}

function fields(checks: Readonly<Record<string, Check>>): Check {
  return (value, at) => {
    if (!isRecord(value)) throw invalid(at === '' ? 'It' : at, 'is a mapping');
    for (const [name, one] of Object.entries(value)) {
      const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
      const here = at === '' ? name : `${at}.${name}`;
      if (check === undefined)
        throw new PackageRError(
          'metadata_invalid',
          `package.yaml has the unknown field ${JSON.stringify(here.slice(0, 100))}; put it under “extra”.`,
        );
      check(one, here);
    }
    return value;
  };
}

function list(check: Check, most: number): Check {
  return (value, at) => {
    if (!Array.isArray(value) || value.length > most) throw invalid(at, `is a list of at most ${most}`);
    value.forEach((one, index) => void check(one, `${at}[${index}]`));
    return value;
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(at: string, what: string): PackageRError {
  return new PackageRError('metadata_invalid', `package.yaml is not valid: ${at} ${what}.`);
}
