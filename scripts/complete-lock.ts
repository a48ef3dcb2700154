/**
 * Completes package-lock.json: a line for each native binary of another platform that the registry in use did not offer when the lock
 * was written. Without them `npm ci` refuses the whole lock ("Missing: … from lock file"). Run it after every change of packages:
 * `node scripts/complete-lock.ts`; test/tooling/packages.test.ts fails when it was forgotten. An added line has no integrity, since nothing
 * was there to hash; the platforms that the lock was written for keep theirs.
 */
import { readFileSync, writeFileSync } from 'node:fs';

interface LockedPackage {
  readonly version?: string;
  readonly dev?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>;
  readonly [field: string]: unknown;
}

const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const processors = ['arm', 'arm64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64'];

/** `@oxc-parser/binding-linux-arm-gnueabihf` → linux, arm, glibc. Undefined where the name names no platform. */
function platformOf(name: string): { os: string[]; cpu: string[]; libc?: string[] } | undefined {
  const words = name.split(/[/-]/);
  const os = words.find((word) => systems.includes(word));
  const cpu = words.find((word) => processors.includes(word));
  if (os === undefined || cpu === undefined) return undefined;
  const last = words.at(-1) ?? '';
  const libc = last.startsWith('musl') ? ['musl'] : last.startsWith('gnu') ? ['glibc'] : undefined;
  return { os: [os], cpu: [cpu], ...(libc && os === 'linux' ? { libc } : {}) };
}

/** The same lock with a line for each optional binary that had none, in npm's order. */
function completeLock(lock: Lock): { lock: Lock; added: string[] } {
  const packages: Record<string, LockedPackage> = { ...lock.packages };
  const added: string[] = [];
  for (const parent of Object.values(lock.packages)) {
    for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
      const path = `node_modules/${name}`;
      const platform = platformOf(name);
      if (packages[path] !== undefined || platform === undefined || !/^\d/.test(version)) continue;
      packages[path] = { version, ...(parent.dev ? { dev: true } : {}), optional: true, ...platform };
      added.push(path);
    }
  }
  const sorted = Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, 'en'));
  return { lock: { ...lock, packages: Object.fromEntries(sorted) }, added };
}

const path = process.argv[2] ?? 'package-lock.json';
const { lock, added } = completeLock(JSON.parse(readFileSync(path, 'utf8')) as Lock);
if (added.length > 0) writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${path}: ${added.length} lines added`);
