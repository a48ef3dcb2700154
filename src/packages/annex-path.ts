/** Which objects an annex takes, and the path that each gets in the package. */
import { PackageRError } from '#errors/error.ts';
import type { Pointer } from '#model/entry.ts';
import { compareBytes, isWithin, joinPath, nameOf, type Path, parentOf, parsePath, relativeTo, root } from '#model/path.ts';
import { compileExpression, compileGlob } from '#model/pattern.ts';
import type { AnnexRequest, AnnexSelection, GroupCondition } from './annex-request.ts';

/** Undefined for what is not selected; else the new path. Errors: request_invalid, path_invalid. */
export type ChoosePath = (pointer: Pointer) => Path | undefined;

/** Where to look in the source. Each file or folder is walked by itself. */
export function startsOf(select: AnnexSelection): readonly Path[] {
  return select.paths ?? [select.folder ?? root];
}

/** Checks the whole request before anything is done. Errors: pattern_invalid, request_invalid. */
export function compileChoice(request: AnnexRequest, select: AnnexSelection): ChoosePath {
  const { folder = root, glob, match, where = [], minSize = 0, maxSize = Number.MAX_SAFE_INTEGER } = select;
  const { modifiedAfter = Number.NEGATIVE_INFINITY, modifiedBefore = Number.POSITIVE_INFINITY } = select;
  const hasDates = select.modifiedAfter !== undefined || select.modifiedBefore !== undefined;
  const fitsGlob = glob === undefined ? () => true : compileGlob(glob);
  const expression = match === undefined ? undefined : compileExpression(match);
  const groups = expression?.groups ?? [];
  for (const { group } of where) if (!groups.includes(group)) throw invalid(`“match” has no group ${JSON.stringify(group)}`);
  const outside = (select.paths ?? []).find((path) => !isWithin(path, folder));
  if (outside !== undefined) throw invalid(`${JSON.stringify(outside)} does not lie in ${JSON.stringify(folder)}`);
  const place = placing(request, select, groups);
  return (pointer) => {
    const { path, size, modifiedAt } = pointer;
    if (size < minSize || size > maxSize) return undefined;
    if (hasDates && (modifiedAt === undefined || modifiedAt < modifiedAfter || modifiedAt >= modifiedBefore)) return undefined;
    const seen = relativeTo(path, folder);
    if (!fitsGlob(seen)) return undefined;
    const found = expression === undefined ? {} : expression.match(seen);
    if (found === undefined || !where.every((condition) => holds(condition, found))) return undefined;
    return place(path, found);
  };
}

function placing(request: AnnexRequest, { folder, paths }: AnnexSelection, groups: readonly string[]) {
  const { to, strip, rename } = request;
  const starts = [...(paths ?? [])].sort((a, b) => b.length - a.length);
  const stripFor = (path: Path): Path => {
    if (strip !== undefined) return strip;
    if (folder !== undefined || paths === undefined) return folder ?? root;
    return parentOf(starts.find((start) => isWithin(path, start)) ?? path);
  };
  if (rename !== undefined) checkTemplate(rename, groups);
  return (path: Path, found: Readonly<Record<string, string>>): Path => {
    const from = stripFor(path);
    if (!isWithin(path, from) || path === from)
      throw invalid(`${JSON.stringify(path)} does not lie in ${JSON.stringify(from)}, which is to be stripped`);
    const rest = relativeTo(path, from);
    return joinPath(to, rename === undefined ? rest : fill(rename, rest, found));
  };
}

const placeholder = /\{([A-Za-z_][A-Za-z0-9_]*)\}/g;
const ownNames = ['name', 'stem', 'ext', 'path', 'folder'];

function checkTemplate(rename: string, groups: readonly string[]): void {
  for (const [, name = ''] of rename.matchAll(placeholder)) {
    if (!ownNames.includes(name) && !groups.includes(name))
      throw invalid(`“rename” uses {${name}}, which is neither of ${ownNames.join(', ')} nor a group of “match”`);
  }
}

/** `{name}` is the file name, `{stem}` and `{ext}` its parts (`{ext}` with the dot), `{path}` and `{folder}` what strip left. */
function fill(template: string, rest: Path, found: Readonly<Record<string, string>>): Path {
  const name = nameOf(rest);
  const dot = name.lastIndexOf('.');
  const at = dot > 0 ? dot : name.length;
  const values: Record<string, string> = {
    ...found,
    name,
    stem: name.slice(0, at),
    ext: name.slice(at),
    path: rest,
    folder: parentOf(rest),
  };
  const text = template.replace(placeholder, (_, key: string) => values[key] ?? '');
  return parsePath(text.replace(/^\//, ''));
}

function holds({ group, op, value }: GroupCondition, found: Readonly<Record<string, string>>): boolean {
  const actual = found[group];
  if (actual === undefined) return false;
  if (typeof value !== 'string') return op === 'in' && value.includes(actual);
  const order = compareValues(actual, value);
  switch (op) {
    case '=':
      return order === 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
    case 'in':
      return actual === value;
  }
}

function compareValues(a: string, b: string): number {
  const decimal = /^-?\d{1,15}(\.\d{1,15})?$/;
  return decimal.test(a) && decimal.test(b) ? Number(a) - Number(b) : compareBytes(a, b);
}

function invalid(why: string): PackageRError {
  return new PackageRError('request_invalid', `The selection is not valid: ${why}.`);
}
