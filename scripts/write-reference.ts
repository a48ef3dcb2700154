/** Writes the pages of docs/reference/ that are generated from the code. `--check` fails when one of them is stale. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { writeCliReference } from '#cli/reference.ts';
import { writeNumber } from '#config/parse-setting.ts';
import { writeConfigReference } from '#config/reference.ts';
import type { Setting } from '#config/setting.ts';
import { type SettingKey, settings } from '#config/settings.ts';
import { errorKinds, errorTable } from '#errors/table.ts';
import { isolatedServer } from '#http/isolated-server.fixture.ts';
import { writeHttpReference } from '#http/reference.ts';
import { builtinExports } from '../src/builtin.ts';
import { type LimitRow, limitSections } from '../test/limits/rows.ts';

const folder = new URL('../docs/reference/', import.meta.url);

function writeErrors(): string {
  const kinds = Object.entries(errorKinds).map(([kind, meaning]) => `| \`${kind}\` | ${meaning} |`);
  const rows = Object.entries(errorTable).map(([code, row]) => `| \`${code}\` | ${row.kind} | ${row.title} | ${row.help} |`);
  return [
    '# Errors',
    '',
    'Generated from `src/errors/table.ts`. Every refusal carries one of these codes: in the `code` of an `application/problem+json` answer, and',
    'in the `code` of `--json` output. Codes are stable; sentences may be improved.',
    '',
    '## Kinds',
    '',
    '| kind | what it means |',
    '|---|---|',
    ...kinds,
    '',
    '## Codes',
    '',
    '| code | kind | what is wrong | what to do |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

/** From the rows of the tests of limits, so that each is told with the file that holds to it and the test that proves it. */
function writeLimits(): string {
  const sections = limitSections.flatMap(({ title, rows, absent }) => [
    `## ${title}`,
    '',
    '| limit | default | at most | beyond it | setting | where | proof |',
    '|---|---|---|---|---|---|---|',
    ...rows.map(limitRow),
    '',
    ...(absent === undefined ? [] : [`Not there yet, and so without a limit: ${absent.join(', ')}.`, '']),
  ]);
  return [
    '# Limits',
    '',
    'Generated from `src/config/` and `test/limits/rows.ts`. Whoever comes near one is heard; beyond it the answer is the one named, never a',
    'crash. A deployment lowers or raises them by [settings](config.md), within the range that each has there. Sizes are bytes; a character of',
    'several bytes counts as several. Every test asks just below, at and above.',
    '',
    ...sections,
  ].join('\n');
}

function limitRow({ what, settings: keys = [], number, answer, enforcedIn, test: [file] }: LimitRow): string {
  const numbers = keys.map((key) => numberOf(key));
  const tell = (part: 'default' | 'max'): string => numbers.map((one) => one?.[part] ?? '').join(' · ');
  const defaults = [tell('default'), number].filter(Boolean).join('; ');
  const names = keys.map((key) => `\`${key}\``).join(' · ');
  return `| ${what} | ${defaults} | ${tell('max')} | ${answer} | ${names} | \`${enforcedIn}\` | \`${file}\` |`;
}

function numberOf(key: SettingKey): { readonly default: string; readonly max: string } | undefined {
  const setting: Setting = settings[key];
  if (setting.type !== 'number') return undefined;
  return { default: writeNumber(setting.default, setting.unit), max: writeNumber(setting.max, setting.unit) };
}

/** Of the real routes on a domain that nobody asks: no data folder is opened. */
async function writeHttp() {
  const { server } = await isolatedServer({ exports: builtinExports });
  try {
    return await writeHttpReference(server);
  } finally {
    await server.close();
  }
}

const pages: Record<string, () => string | Promise<string>> = {
  'errors.md': writeErrors,
  'config.md': writeConfigReference,
  'limits.md': writeLimits,
  'cli.md': writeCliReference,
  'http.md': async () => (await writeHttp()).markdown,
  'openapi.json': async () => (await writeHttp()).openapi,
};

const isCheck = process.argv.includes('--check');
const stale: string[] = [];
mkdirSync(folder, { recursive: true });
for (const [name, write] of Object.entries(pages)) {
  const path = new URL(name, folder);
  const text = await write();
  if (isCheck) {
    let present = '';
    try {
      present = readFileSync(path, 'utf8');
    } catch {
      // A missing page is a stale one.
    }
    if (present !== text) stale.push(name);
  } else {
    writeFileSync(path, text);
  }
}
if (stale.length > 0) {
  console.error(`Stale: docs/reference/${stale.join(', ')}. Run: npm run build -- reference`);
  process.exitCode = 1;
}
