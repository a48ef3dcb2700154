/** Runs a program or a shell line in a test, without blocking the servers of the same process. */
import { spawn } from 'node:child_process';

export interface RunResult {
  readonly status: number | null;
  readonly output: string;
}

/** `sh -c line` in `folder`; stdout and stderr together. The locale is C.UTF-8. */
export function runShell(line: string, folder: string): Promise<RunResult> {
  const env = { PATH: process.env['PATH'], HOME: folder, LC_ALL: 'C.UTF-8' };
  return new Promise((resolve, reject) => {
    const child = spawn('sh', ['-c', line], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const parts: Buffer[] = [];
    child.stdout.on('data', (part: Buffer) => parts.push(part));
    child.stderr.on('data', (part: Buffer) => parts.push(part));
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, output: Buffer.concat(parts).toString() }));
  });
}
