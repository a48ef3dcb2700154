/** The configuration file: where it is looked for, and how it is read. YAML, of which JSON is a part. */
import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { PackageRError } from '#errors/error.ts';

export interface ConfigFile {
  readonly path: string;
  readonly values: Readonly<Record<string, unknown>>;
}

interface FileSearch {
  /** Asked for by name: it must be there. */
  readonly path?: string | undefined;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const names = ['.package-r.yaml', '.package-r.yml', '.package-r.json'];
const plainNames = ['package-r.yaml', 'package-r.yml', 'package-r.json'];
const limit = 1024 * 1024;

/** The first that is there, in this order; undefined for none. */
export function findConfigFile({ path, cwd, env }: FileSearch): ConfigFile | undefined {
  if (path !== undefined) return readConfigFile(resolve(cwd, path));
  const home = env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config');
  for (const folder of [cwd, join(home, 'package-r'), '/etc/package-r']) {
    for (const name of folder === cwd ? names : [...names, ...plainNames, 'config.yaml', 'config.yml', 'config.json']) {
      const candidate = join(folder, name);
      if (statSync(candidate, { throwIfNoEntry: false })?.isFile()) return readConfigFile(candidate);
    }
  }
  return undefined;
}

/** Errors: config_invalid, with the line of a fault. */
function readConfigFile(path: string): ConfigFile {
  const text = readText(path);
  const document = parseDocument(text, { prettyErrors: true, uniqueKeys: true });
  const [fault] = document.errors;
  if (fault !== undefined) {
    const line = fault.linePos?.[0].line;
    throw refused(path, `is not valid YAML${line === undefined ? '' : ` in line ${line}`} (${fault.code})`);
  }
  const values: unknown = toValues(document, path);
  if (values === null || values === undefined) return { path, values: {} };
  if (typeof values !== 'object' || Array.isArray(values)) throw refused(path, 'does not hold settings');
  return { path, values: values as Record<string, unknown> };
}

function toValues(document: ReturnType<typeof parseDocument>, path: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 10 });
  } catch (cause) {
    throw refused(path, 'has aliases that repeat too much', cause);
  }
}

function readText(path: string): string {
  try {
    if (statSync(path).size > limit) throw refused(path, 'is larger than 1 MiB');
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if (cause instanceof PackageRError) throw cause;
    throw refused(path, 'cannot be read', cause);
  }
}

function refused(path: string, fault: string, cause?: unknown): PackageRError {
  return new PackageRError('config_invalid', `The configuration file ${JSON.stringify(path)} ${fault}.`, {
    operation: 'config.load',
    cause,
  });
}
