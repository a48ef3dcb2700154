/**
 * Who may import whom, proven by planted violations: for every row of biome.json a file that breaks it fails with that row's own
 * message, and a file that keeps to it passes. The rows are compared with the table below, which is DESIGN's, written by hand.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { config, type Finding, inspect, leaveHouse, restricted } from './house.ts';

/** What each folder may import besides itself. `drivers/*.ts` is the contract without the stores. */
const table: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  model: ['errors'],
  config: ['model', 'errors', 'drivers/*.ts'],
  layers: ['model', 'errors', 'drivers/*.ts'],
  state: ['model', 'errors'],
  access: ['model', 'errors', 'state'],
  jobs: ['model', 'errors', 'state'],
  events: ['model', 'errors', 'state'],
  sources: ['model', 'errors', 'drivers/*.ts', 'layers', 'state', 'access', 'jobs', 'events'],
  packages: ['model', 'errors', 'sources', 'state', 'access', 'jobs', 'events'],
  shares: ['model', 'errors', 'sources', 'packages', 'state', 'access', 'events'],
  exchange: ['model', 'errors', 'sources', 'shares', 'state', 'access', 'events'],
  exports: ['model', 'errors'],
  api: ['model'],
  http: ['api', 'model', 'errors', 'access', 'sources', 'packages', 'shares', 'exchange', 'exports', 'jobs', 'events'],
  client: ['api', 'model'],
  cli: ['client', 'api', 'model', 'config', 'errors'],
  operator: ['client', 'api', 'model', 'config', 'errors'],
  testing: ['drivers/*.ts', 'state', 'model', 'errors', 'exports/export.ts'],
  'drivers/*.ts': ['model', 'errors'],
  'drivers/folder': ['model', 'errors', 'drivers/*.ts'],
  'drivers/memory': ['model', 'errors', 'drivers/*.ts'],
  'drivers/s3': ['model', 'errors', 'drivers/*.ts'],
  'drivers/azure': ['model', 'errors', 'drivers/*.ts'],
  'drivers/gcs': ['model', 'errors', 'drivers/*.ts'],
  'drivers/http': ['model', 'errors', 'drivers/*.ts'],
  'drivers/mount': ['model', 'errors', 'drivers/*.ts'],
  'builtin.ts': ['drivers', 'exports', 'drivers/folder', 'exports/export.ts', 'drivers/*.ts'],
};

/** One module of every place, as an import names it. */
const modules: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    Object.keys(table)
      .filter((place) => !place.endsWith('.ts'))
      .map((place) => [place, `#${place}/planted.ts`]),
  ),
  'drivers/*.ts': '#drivers/planted.ts',
  'exports/export.ts': '#exports/export.ts',
  'builtin.ts': '#builtin.ts',
  'main.ts': '#main.ts',
};

interface Row {
  readonly place: string;
  readonly message: string;
  readonly test: boolean;
}

/** The application has a table of its own: web-imports.test.ts. */
const serverRows = config.overrides.filter(({ includes }) => includes[0]?.startsWith('web/') !== true);
const rows: readonly Row[] = serverRows.flatMap(({ includes, linter }) =>
  (linter.rules.style?.noRestrictedImports?.options.patterns ?? []).map(({ message }) => {
    const glob = includes[0] ?? '';
    return { place: glob.replace('src/', '').replace(/\/\*\*(\/\*\.test\.ts)?$/, ''), message, test: glob.endsWith('.test.ts') };
  }),
);

function mayImport(place: string, target: string): boolean {
  const allowed = table[place] ?? [];
  return (
    target === place ||
    target.startsWith(`${place}/`) ||
    allowed.includes(target) ||
    allowed.some((folder) => target.startsWith(`${folder}/`))
  );
}

/** The file in which a violation of a place is planted. */
function plantIn(place: string, test = false): string {
  const name = test ? 'planted.test.ts' : 'planted.ts';
  if (place === 'builtin.ts') return 'src/builtin.ts';
  return place === 'drivers/*.ts' ? `src/drivers/${name}` : `src/${place}/${name}`;
}

/** The file that holds the import of one module, so that a finding names the import it is about. */
function plantOf(place: string, target: string, test = false): string {
  const name = `planted-${Object.keys(modules).indexOf(target)}`;
  return plantIn(place, test).replace('planted', name);
}

const skeleton = Object.fromEntries(Object.values(modules).map((module) => [module.replace('#', 'src/'), 'export const planted = 1;\n']));

/** One house with every import of every place, in code and in tests: what Biome finds in it tells of all rows at once. */
const everyPlace = Object.keys(table).filter((place) => place !== 'builtin.ts');
const everyImport = Object.fromEntries(
  everyPlace.flatMap((place) =>
    Object.entries(modules).flatMap(([target, module]) =>
      [false, true].map((test) => [plantOf(place, target, test), `import '${module}';\n`] as const),
    ),
  ),
);

function saidOf(found: ReadonlyMap<string, Finding[]>, file: string): string {
  return (found.get(file) ?? [])
    .filter(({ category }) => category === restricted)
    .map(({ text }) => text)
    .join();
}

describe('the import table', () => {
  let found: Map<string, Finding[]>;
  beforeAll(() => {
    found = inspect({ ...skeleton, ...everyImport });
  });

  it('has one row for every place, and one for its tests', () => {
    const places = Object.keys(table).sort();
    const ofCode = rows.filter((row) => !row.test).map((row) => row.place);
    expect(ofCode.sort()).toEqual(places);
    const withTests = places.filter((place) => place !== 'builtin.ts' && place !== 'drivers/*.ts');
    expect(
      rows
        .filter((row) => row.test)
        .map((row) => row.place)
        .sort(),
    ).toEqual(withTests);
  });

  for (const row of rows.filter(({ test, place }) => !test && place !== 'builtin.ts')) {
    it(`${row.place}: forbids what it must, with its reason, and permits the rest`, () => {
      for (const target of Object.keys(modules)) {
        const said = saidOf(found, plantOf(row.place, target));
        if (mayImport(row.place, target)) expect(said, `${row.place} → ${target}`).toBe('');
        else expect(said, `${row.place} → ${target}`).toContain(row.message);
      }
    });
  }

  it('builtin.ts: registers drivers and exports and nothing else', () => {
    const message = rows.find(({ place }) => place === 'builtin.ts')?.message;
    const says = (target: string): string =>
      saidOf(inspect({ ...skeleton, 'src/builtin.ts': `import '${modules[target]}';\n` }), 'src/builtin.ts');
    expect(says('state')).toContain(message);
    expect(says('drivers/folder') + says('exports')).toBe('');
  });

  for (const row of rows.filter(({ test }) => test)) {
    it(`tests of ${row.place}: may import the suites, not the wiring`, () => {
      expect(saidOf(found, plantOf(row.place, 'main.ts', true))).toContain(row.message);
      expect(saidOf(found, plantOf(row.place, 'testing', true))).toBe('');
    });
  }

  it('no folder presigns but exchange', () => {
    const presign = "import '#sources/presign.ts';\n";
    const places = ['packages', 'shares', 'http', 'exports', 'access', 'exchange'];
    const plants = Object.fromEntries(places.map((place) => [plantIn(place), presign]));
    const answers = inspect({ ...skeleton, 'src/sources/presign.ts': 'export const planted = 1;\n', ...plants });
    expect(places.filter((place) => saidOf(answers, plantIn(place)) !== '')).toEqual(['packages', 'shares', 'http', 'exports', 'access']);
  });

  it('every form of import is seen, and ../ is none', () => {
    const forms = {
      'src/model/a.ts': "export const a = import('#state/planted.ts');\n",
      'src/model/b.ts': "import type { planted } from '#state/planted.ts';\nexport type B = typeof planted;\n",
      'src/model/c.ts': "export { planted } from '#state/planted.ts';\n",
      'src/model/d.ts': "import '../state/planted.ts';\n",
    };
    const found = inspect({ ...skeleton, ...forms });
    for (const file of Object.keys(forms))
      expect(
        found.get(file)?.map(({ category }) => category),
        file,
      ).toContain(restricted);
  });

  it('a row that is taken out no longer bites: what the tests above would see', () => {
    const without = { ...config, overrides: config.overrides.filter(({ includes }) => includes[0] !== 'src/model/**') };
    const file = { [plantIn('model')]: "import '#state/planted.ts';\n" };
    expect(inspect({ ...skeleton, ...file }, without).get(plantIn('model')) ?? []).toEqual([]);
    expect(inspect({ ...skeleton, ...file }).get(plantIn('model'))).not.toBeUndefined();
  });
});

describe('the other rules that keep the house', () => {
  let found: Map<string, Finding[]>;
  beforeAll(() => {
    found = inspect({
      ...skeleton,
      'src/model/one.ts': "import { two } from '#model/two.ts';\nexport const one = (): unknown => two;\n",
      'src/model/two.ts': "import { one } from '#model/one.ts';\nexport const two = (): unknown => one;\n",
      'src/model/index.ts': "export * from './path.ts';\nexport * from './name.ts';\n",
      'src/model/path.ts': 'export const path = 1;\n',
      'src/model/name.ts': 'export const name = 1;\n',
      'src/model/unwanted.ts': 'export default 1;\n',
      'src/model/Wrong_Case.ts': 'export const wrong = 1;\n',
    });
  });

  for (const [what, file, category] of [
    ['a cycle', 'src/model/one.ts', 'lint/suspicious/noImportCycles'],
    ['a barrel', 'src/model/index.ts', 'lint/performance/noBarrelFile'],
    ['a default export', 'src/model/unwanted.ts', 'lint/style/noDefaultExport'],
    ['a file name that is not kebab-case', 'src/model/Wrong_Case.ts', 'lint/style/useFilenamingConvention'],
  ] as const) {
    it(`finds ${what}`, () => expect(found.get(file)?.map((finding) => finding.category)).toContain(category));
  }

  it('finds nothing in a file that keeps them', () => expect(found.get('src/model/path.ts')).toBeUndefined());
});

afterAll(leaveHouse);
