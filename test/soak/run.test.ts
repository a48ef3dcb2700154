/** What `npm run soak` is asked: it says what it can do, and begins nothing where it was asked for something else. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const program = fileURLToPath(new URL('./run.ts', import.meta.url));

function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...args], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

describe('npm run soak', () => {
  it('says what it can do', async () => {
    const { code, stdout } = await run('--help');
    expect(code).toBe(0);
    for (const option of ['--minutes', '--store', '--crash', '--seed', '--races']) expect(stdout).toContain(option);
  });

  it.each([['--races', 'many'], ['--crash', '0'], ['--store', 'toString'], ['--crash', '5', '--races', '5'], ['--unknown']])(
    'begins nothing with %s %s',
    async (...args) => {
      const { code, stdout, stderr } = await run(...args);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toContain('npm run soak');
    },
  );
});
