import { afterEach, describe, expect, it, vi } from 'vitest';
import { requireComponent } from '#testing/component.ts';

afterEach(() => vi.unstubAllEnvs());

describe('requireComponent', () => {
  const none = { command: 'no-such-program-here', install: 'apt-get install nothing' };

  it('finds what is there', () => {
    expect(requireComponent('a shell', { command: 'sh', install: 'none' })).toBe(true);
  });

  it('skips what is not, and fails for it in CI', () => {
    vi.stubEnv('CI', '');
    expect(requireComponent('a test of requireComponent', none)).toBe(false);
    vi.stubEnv('CI', 'true');
    expect(() => requireComponent('a test', none)).toThrow(
      'SKIPPED a test (no-such-program-here is missing) … install: apt-get install nothing',
    );
  });
});
