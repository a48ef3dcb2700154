/** The suites of everything that stands on the state, unchanged, on PostgreSQL: one rule, two engines. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { hasPostgres, startPostgres } from '#testing/postgres.ts';

const project = fileURLToPath(new URL('../..', import.meta.url));
/** Its moments are turns of the event loop, which a database of another process does not keep to. What it asks of SQL, jobs.test.ts asks too. */
const left = 'src/jobs/leases.test.ts';
const suites = ['access', 'events', 'exchange', 'jobs', 'packages', 'shares', 'sources', 'state'].map((name) => `src/${name}/`);

interface Report {
  readonly numPassedTests: number;
  readonly numPendingTests: number;
  readonly testResults: readonly { readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[] }[];
}

async function runSuites(url: string): Promise<{ report: Report; log: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'package-r-suites-'));
  const output = join(folder, 'report.json');
  const vitest = join(project, 'node_modules/vitest/vitest.mjs');
  const args = [
    vitest,
    'run',
    '--testTimeout=300000',
    `--exclude=${left}`,
    '--reporter=json',
    `--outputFile=${output}`,
    '--reporter=default',
    ...suites,
  ];
  const env = { ...process.env, NO_COLOR: '1', PACKAGE_R_TEST_STATE: 'postgres', PACKAGE_R_TEST_DATABASE: url };
  const child = spawn(process.execPath, args, { cwd: project, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      log = (log + chunk).slice(-100_000);
    });
  }
  try {
    await new Promise((resolve) => child.once('close', resolve));
    return { report: JSON.parse(await readFile(output, 'utf8')) as Report, log };
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe.runIf(hasPostgres('the suites on PostgreSQL'))('on PostgreSQL', () => {
  it('everything that holds on SQLite holds', { timeout: 1_800_000 }, async () => {
    const server = await startPostgres();
    try {
      const { report, log } = await runSuites(server.url);
      const tests = report.testResults.flatMap(({ assertionResults }) => assertionResults);
      const failed = tests.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName);
      expect(failed, log).toEqual([]);
      expect(report.numPassedTests, log).toBeGreaterThan(500);
    } finally {
      await server.stop();
    }
  });
});
