/** What the documents promise: generated pages are fresh, links lead somewhere, commands exist, and nothing names a machine. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { writeCliReference } from '#cli/reference.ts';

const project = fileURLToPath(new URL('..', import.meta.url));
const run = promisify(execFile);
const notOurs = new Set(['node_modules', 'dist', '.git', '.cache', 'demo-data', 'coverage']);

/** Files of the project, without asking git, which may be absent. */
function files(pattern: RegExp, folder = ''): string[] {
  return readdirSync(join(project, folder), { withFileTypes: true }).flatMap((entry) => {
    if (notOurs.has(entry.name)) return [];
    const name = join(folder, entry.name);
    if (entry.isDirectory()) return files(pattern, name);
    return entry.isFile() && pattern.test(name) ? [name] : [];
  });
}

const read = (name: string): string => readFileSync(join(project, name), 'utf8');

describe('documents', () => {
  it('are as the code generates them', async () => {
    await run(process.execPath, ['scripts/write-reference.ts', '--check'], { cwd: project });
  });

  it('link to what is there', () => {
    const pages = files(/\.md$/);
    expect(pages.length).toBeGreaterThan(10);
    const broken = pages.flatMap((page) =>
      [...read(page).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
        .map((match) => match[1] as string)
        .filter((target) => !/^[a-z]+:/.test(target) && !existsSync(join(project, dirname(page), target)))
        .map((target) => `${page}: ${target}`),
    );
    expect(broken).toEqual([]);
  });

  it('show only verbs and options that exist', () => {
    const reference = writeCliReference();
    const lines = files(/\.md$/)
      .filter((page) => page.startsWith('README') || page.startsWith('docs/guides/'))
      .flatMap((page) => [...read(page).matchAll(/^(?:bin\/)?package-r ([^\n#]*)/gm)].map((match) => ({ page, line: match[1] as string })));
    expect(lines.length).toBeGreaterThan(20);
    for (const { page, line } of lines) {
      for (const part of line.split(/ ; | && /).map((one) => one.replace(/^(?:bin\/)?package-r /, ''))) {
        const words = part.split(' ');
        const verb = words.slice(0, 2).join(' ');
        const isKnown = reference.includes(`# package-r ${verb}\n`) || reference.includes(`# package-r ${words[0]}\n`);
        expect(isKnown, `${page}: package-r ${part}`).toBe(true);
        for (const option of part.match(/ --[a-z-]+/g) ?? []) expect(reference, `${page}: ${part}`).toContain(option.trim());
      }
    }
  });

  it('name no machine, no registry host and no private file', () => {
    const names = files(/^(?!.*\.(png|ico|woff2|log)$)/);
    const forbidden = [/\/root\//, new RegExp(['registry', 'npmjs', 'org'].join('\\.')), new RegExp(`\\.\\./${'shared'}/`)];
    const found = names.flatMap((name) => forbidden.filter((one) => one.test(read(name))).map((one) => `${name}: ${one}`));
    expect(found).toEqual([]);
  });
});
