/** A house of planted files under the project's own rules, and what Biome finds in it. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const project = new URL('../..', import.meta.url).pathname;

interface Override {
  readonly includes: readonly string[];
  readonly linter: {
    rules: { style?: { noRestrictedImports?: { options: { patterns: readonly { group: string[]; message: string }[] } } } };
  };
}

export interface BiomeConfig {
  readonly overrides: readonly Override[];
  readonly [field: string]: unknown;
}

export interface Finding {
  readonly category: string;
  readonly text: string;
}

export const config: BiomeConfig = JSON.parse(readFileSync(join(project, 'biome.json'), 'utf8')) as BiomeConfig;

const house = mkdtempSync(join(tmpdir(), 'package-r-house-'));
let houses = 0;

/** Lays a house with the project's own rules and the files given, and tells what Biome finds in it. Throws when it looked at nothing. */
export function inspect(files: Readonly<Record<string, string>>, rules: BiomeConfig = config): Map<string, Finding[]> {
  const room = join(house, String(houses++));
  mkdirSync(room);
  cpSync(join(project, 'package.json'), join(room, 'package.json'));
  writeFileSync(join(room, '.gitignore'), 'node_modules/\n');
  writeFileSync(join(room, 'biome.json'), JSON.stringify(rules));
  symlinkSync(join(project, 'node_modules'), join(room, 'node_modules'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(room, path)), { recursive: true });
    writeFileSync(join(room, path), text);
  }
  const biome = join(project, 'node_modules/.bin/biome');
  const args = ['lint', '--reporter=json', '--max-diagnostics=none', '.'];
  const { stdout, stderr } = spawnSync(biome, args, { cwd: room, encoding: 'utf8', maxBuffer: 1 << 27 });
  const start = stdout.indexOf('{');
  if (start < 0) throw new Error(`Biome said nothing: ${stderr}`);
  const report = JSON.parse(stdout.slice(start)) as {
    summary: { changed: number; unchanged: number };
    diagnostics: { category: string; message: unknown; advices?: unknown; location: { path: unknown } }[];
  };
  const looked = report.summary.changed + report.summary.unchanged;
  if (looked < Object.keys(files).length) throw new Error(`Biome looked at ${looked} files`);
  const found = new Map<string, Finding[]>();
  for (const { category, message, advices, location } of report.diagnostics) {
    const path = typeof location.path === 'string' ? location.path : ((location.path as { file?: string }).file ?? '');
    const name = path.replace(/^.*?(?=(web\/)?src\/)/, '');
    const text = JSON.stringify([message, advices]);
    found.set(name, [...(found.get(name) ?? []), { category, text }]);
  }
  return found;
}

/** The category of a finding that an import is against the table. */
export const restricted = 'lint/style/noRestrictedImports';

/** To be called when all tests are done. */
export function leaveHouse(): void {
  rmSync(house, { recursive: true, force: true });
}
