/** What is installed: the Node that runs, install scripts, licences, the reason for each package, and a lock that `npm ci` accepts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const project = new URL('../..', import.meta.url).pathname;

interface Manifest {
  readonly version?: string;
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly allowScripts?: Readonly<Record<string, boolean>>;
}

interface Lock {
  readonly packages: Readonly<Record<string, Locked>>;
}

interface Locked extends Manifest {
  readonly hasInstallScript?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

function read<T>(...path: string[]): T {
  return JSON.parse(readFileSync(join(project, ...path), 'utf8')) as T;
}

const manifest = read<Manifest>('package.json');
const web = read<Manifest>('web', 'package.json');
const direct = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies, ...web.dependencies, ...web.devDependencies });
const lock = read<Lock>('package-lock.json');
/** Of what is built in or runs. Fonts have their own; axe is run by tests and never shipped. */
const others: Readonly<Record<string, string>> = {
  '@fontsource-variable/jetbrains-mono': 'OFL-1.1',
  '@fontsource-variable/source-sans-3': 'OFL-1.1',
  '@axe-core/playwright': 'MPL-2.0',
  dompurify: '(MPL-2.0 OR Apache-2.0)',
};
const permissive = ['MIT', 'ISC', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'BlueOak-1.0.0', 'MIT OR Apache-2.0'];

describe('the packages', () => {
  it('run on the packaged Node', () => {
    expect(process.versions.node.split('.')[0]).toBe('24');
    expect(manifest.devDependencies?.['node']).toBe(process.versions.node);
    expect(readFileSync(join(project, 'scripts/run.sh'), 'utf8')).toContain(`NODE_VERSION=${process.versions.node}\n`);
  });

  it('run no install script, save the one that fetches Node (and one that macOS alone would have)', () => {
    const withScript = (packages: Lock['packages']): string[] =>
      Object.entries(packages)
        .filter(([path, { hasInstallScript }]) => hasInstallScript && path !== 'node_modules/fsevents')
        .map(([path]) => path);
    expect(withScript(read<Lock>('node_modules', '.package-lock.json').packages)).toEqual(['node_modules/node']);
    expect(withScript(lock.packages)).toEqual(['node_modules/node']);
    expect(manifest.allowScripts).toEqual({ node: true });
  });

  it('are pinned exactly, and locked', () => {
    expect(direct.length).toBeGreaterThan(0);
    for (const [name, version] of direct) {
      expect(version, name).toMatch(/^\d+\.\d+\.\d+$/);
      expect(lock.packages[`node_modules/${name}`]?.version, name).toBe(version);
    }
  });

  it('have a line in the lock for every optional binary, or npm ci refuses it (node scripts/complete-lock.ts)', () => {
    const missing = Object.entries(lock.packages).flatMap(([path, { optionalDependencies }]) =>
      Object.keys(optionalDependencies ?? {}).filter(
        (name) => !(`node_modules/${name}` in lock.packages || `${path}/node_modules/${name}` in lock.packages),
      ),
    );
    expect(missing).toEqual([]);
  });

  it('name no place they were fetched from', () => {
    // The workspace is a link to its folder.
    expect(Object.values(lock.packages).filter((locked) => 'resolved' in locked)).toEqual([{ resolved: 'web', link: true }]);
  });

  it('have permissive licences', () => {
    for (const [name] of direct) {
      const { license } = read<Manifest>('node_modules', name, 'package.json');
      if (license !== others[name]) expect(permissive, name).toContain(license);
    }
  });

  it('have a reason each, in docs/decisions/dependencies.md, and no page of one that went', () => {
    const page = readFileSync(join(project, 'docs/decisions/dependencies.md'), 'utf8');
    const named = [...page.matchAll(/^- `([^`]+)`: \S/gm)].map(([, name]) => name);
    expect(named.sort()).toEqual(direct.map(([name]) => name).sort());
  });
});
