/**
 * Vitest reporter: closes a run with the plain line `N passed, N failed, N skipped`, which needs no knowledge of Vitest to be read.
 * Where CI=true a skipped test is a failure: everything that a test needs is installed there.
 */
import type { Reporter, TestCase, TestModule } from 'vitest/node';

type State = ReturnType<TestCase['result']>['state'];

function count(modules: readonly TestModule[], state: State): number {
  return modules.reduce((sum, module) => sum + [...module.children.allTests(state)].length, 0);
}

/** The line, where a file that could not be loaded and an error outside of tests count as one failure each. */
function write(modules: readonly TestModule[], strayErrors: number): { line: string; skipped: number } {
  const broken = modules.reduce((sum, module) => sum + module.errors().length, 0) + strayErrors;
  const skipped = count(modules, 'skipped');
  const line = `${count(modules, 'passed')} passed, ${count(modules, 'failed') + broken} failed`;
  return { line: skipped === 0 ? line : `${line}, ${skipped} skipped`, skipped };
}

export default class Totals implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], strayErrors: readonly unknown[]): void {
    const { line, skipped } = write(modules, strayErrors.length);
    // After the summary of the default reporter, whatever order the reporters are called in.
    process.once('exit', (code) => {
      if (process.env['CI'] === 'true' && skipped > 0 && code === 0) {
        console.log(`${skipped} skipped tests: where CI=true each one is a failure`);
        process.exitCode = 1;
      }
      console.log(line);
    });
  }
}
