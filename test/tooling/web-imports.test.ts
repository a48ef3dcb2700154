/** Who may import whom in the web application, proven by planted violations: each forbidden import is found, and each allowed one is not. */
import { afterAll, describe, expect, it } from 'vitest';
import { inspect, leaveHouse, restricted } from './house.ts';

/** A place, what it imports, and whether it may. */
const imports: readonly (readonly [place: string, module: string, may: boolean])[] = [
  ['ui', './button.vue', true],
  ['ui', 'reka-ui', true],
  ['ui', '../components/planted.ts', false],
  ['ui', '../queries/planted.ts', false],
  ['ui', '#api/planted.ts', false],
  ['queries', '#api/planted.ts', true],
  ['queries', '#client/planted.ts', true],
  ['queries', '../base.ts', true],
  ['queries', 'reka-ui', false],
  ['queries', '#model/planted.ts', false],
  ['queries', '../ui/planted.ts', false],
  ['queries', '../components/planted.ts', false],
  ['components', '../ui/planted.ts', true],
  ['components', '../queries/planted.ts', true],
  ['components', '#api/planted.ts', true],
  ['components', '../pages/planted.ts', false],
  ['components', '#packages/planted.ts', false],
  ['components', 'reka-ui', false],
  ['components/deep', '../../ui/planted.ts', true],
  ['components/deep', '../../pages/planted.ts', false],
  ['pages/one', '../../components/planted.ts', true],
  ['pages/one', '../../ui/planted.ts', true],
  ['pages/one', './beside.vue', true],
  ['pages/one', '../two/planted.ts', false],
  ['pages/one', '../../pages/two/planted.ts', false],
  ['pages/one', '#http/planted.ts', false],
  ['pages/one', 'reka-ui', false],
];

const planted = imports.map(([place, module], at) => [`web/src/${place}/planted-${at}.ts`, `import '${module}';\n`] as const);

afterAll(leaveHouse);

describe('the import table of the web application', () => {
  const found = inspect(Object.fromEntries(planted));
  it.each(imports.map((one, at) => [...one, planted[at]?.[0] ?? ''] as const))('%s → %s: %s', (_place, _module, may, file) => {
    const isRefused = (found.get(file) ?? []).some(({ category }) => category === restricted);
    expect(isRefused).toBe(!may);
  });
});
