/**
 * A process that restores or copies a whole state, and is to be killed. Its points are all that it does to files (before and after), each
 * statement of its thread, each question to PostgreSQL, and each batch of rows.
 */
import { writeSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { createInterface } from 'node:readline';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import { Client } from 'pg';
import { loadConfig } from '#config/config.ts';
import { copyState } from '../../src/copy-state.ts';
import { restore } from '../../src/restore.ts';

export interface WholeOrder {
  readonly env: Readonly<Record<string, string>>;
  readonly work: { readonly restore: string } | { readonly from: string; readonly to: string };
  /** The disk knows no links. */
  readonly hasNoLinks?: boolean;
  /** The point at which it is killed, from 0. */
  readonly at?: number | undefined;
}

const say = (word: string): void => void writeSync(1, `${word}\n`);
let points = 0;
let at: number | undefined;
let isCounted = false;

function point(): void {
  if (!isCounted) return;
  if (at === points) process.kill(process.pid, 'SIGKILL');
  points++;
}

type Callable = (...given: unknown[]) => unknown;

function wrap(owner: object, name: string, more: (own: Callable, self: unknown, given: unknown[]) => unknown): void {
  const own = Reflect.get(owner, name) as Callable;
  Reflect.set(owner, name, function counted(this: unknown, ...given: unknown[]) {
    return more(own, this, given);
  });
}

function count(hasNoLinks: boolean): void {
  for (const [owner, names] of [
    [DatabaseSync.prototype, ['exec', 'close']],
    [StatementSync.prototype, ['run', 'all', 'get']],
    [Client.prototype, ['query', 'connect', 'end']],
  ] as const) {
    for (const name of names) {
      wrap(owner, name, (own, self, given) => {
        point();
        return Reflect.apply(own, self, given);
      });
    }
  }
  const { promises } = process.getBuiltinModule('node:fs');
  const refused = async (): Promise<never> => Promise.reject(Object.assign(new Error('no links'), { code: 'EPERM' }));
  for (const name of ['rename', 'link', 'rm', 'copyFile', 'chmod', 'mkdir', 'open']) {
    wrap(promises, name, async (own, self, given) => {
      point();
      const done = await (name === 'link' && hasNoLinks ? refused() : Reflect.apply(own, self, given));
      point();
      return done;
    });
  }
  const fs = process.getBuiltinModule('node:fs');
  for (const name of ['linkSync', 'rmSync', 'fsyncSync']) {
    wrap(fs, name, (own, self, given) => {
      point();
      const done = Reflect.apply(own, self, given);
      point();
      return done;
    });
  }
  syncBuiltinESMExports();
}

async function obey({ env, work, at: killAt, hasNoLinks = false }: WholeOrder): Promise<void> {
  const loaded = loadConfig({ env, cwd: env['HOME'] ?? '/' });
  count(hasNoLinks);
  const { signal } = new AbortController();
  at = killAt;
  isCounted = true;
  say('began');
  if ('restore' in work) await restore(loaded, { file: work.restore, name: work.restore, signal, onLine: point });
  else await copyState(loaded, { ...work, cwd: env['HOME'] ?? '/', signal, onProgress: point, onVersion: point });
  say('done');
  isCounted = false;
  say(`counted ${points}`);
}

process.stdout.on('error', () => undefined);
say('ready');
for await (const line of createInterface({ input: process.stdin })) {
  await obey(JSON.parse(line) as WholeOrder).catch((error: Error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  });
  break;
}
process.exit(0);
