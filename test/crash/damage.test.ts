/**
 * Files that were damaged while packageR was away: a log that is torn, lost or garbage, a state with a wrong byte or a missing end. It either
 * refuses with a code, or what it serves is whole; a wrong byte in what was frozen never passes as right.
 */
import { cp, mkdir, open, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isError } from '#errors/error.ts';
import { parsePath } from '#model/path.ts';
import { type VerifyLine, verifyState } from '#packages/verify-state.ts';
import { openSqliteReader } from '#state/sqlite/sqlite-reader.ts';
import { openSqliteState } from '#state/sqlite/sqlite-state.ts';
import type { State } from '#state/state.ts';
import { fastFolder } from './fast-folder.ts';
import { manifestsOf, see } from './snapshot.ts';
import { curator, openWorld, prepare, reference, stateFile } from './world.ts';

async function faultsOf(state: State): Promise<string[]> {
  const faults: string[] = [];
  for await (const line of verifyState(state, new AbortController().signal))
    if (line.kind === 'wrong') faults.push(`${line.subject}: ${line.says}`);
  return faults;
}

async function flip(file: string, at: number): Promise<void> {
  const handle = await open(file, 'r+');
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, at);
  byte[0] = (byte[0] ?? 0) ^ (1 << (at % 8));
  await handle.write(byte, 0, 1, at);
  await handle.close();
}

let folder: string;
let manifests: ReadonlyMap<string, string>;
/** What could be seen after each unit that the log holds. */
const sights = new Set<string>();
let copies = 0;

beforeAll(async () => {
  folder = await fastFolder();
  await mkdir(join(folder, 'whole'));
  await prepare(join(folder, 'whole'));
  const world = await openWorld(join(folder, 'whole'));
  manifests = await manifestsOf(world.state);
  sights.add(await see(world.state));
  for (let at = 0; at < 4; at++) {
    await world.packages.put(curator, reference, parsePath(`later-${at}.md`), Buffer.from(`later ${at}\n`.repeat(200)));
    sights.add(await see(world.state));
  }
  // As a process leaves it that is killed: with a log.
  await cp(join(folder, 'whole'), join(folder, 'left'), { recursive: true });
  await world.close();
});
afterAll(() => rm(folder, { recursive: true }));

async function copyOf(name: 'whole' | 'left'): Promise<string> {
  const copy = join(folder, `copy-${copies++}`);
  await cp(join(folder, name), copy, { recursive: true });
  return copy;
}

/** A number below `limit`, another for each turn, the same each time. */
const pick = (turn: number, limit: number): number => Math.floor(((turn * 0.618_033_988_75) % 1) * limit);

describe('a log that is damaged', () => {
  const ways: readonly (readonly [name: string, damage: (wal: string, turn: number) => Promise<void>])[] = [
    ['a byte is wrong', async (wal, turn) => flip(wal, pick(turn, (await stat(wal)).size))],
    ['its end is missing', async (wal, turn) => truncate(wal, pick(turn, (await stat(wal)).size))],
    ['it is gone', (wal) => rm(wal)],
    ['its index is gone', (wal) => rm(wal.replace(/-wal$/, '-shm'))],
    ['its index is garbage', (wal, turn) => flip(wal.replace(/-wal$/, '-shm'), pick(turn, 4000))],
  ];

  it.each(ways)(
    'leaves a whole state of an earlier instant: %s',
    async (_name, damage) => {
      for (let turn = 1; turn <= 6; turn++) {
        const copy = await copyOf('left');
        await damage(`${stateFile(copy)}-wal`, turn);
        const world = await openWorld(copy);
        expect(sights, `turn ${turn}`).toContain(await see(world.state));
        expect(await faultsOf(world.state)).toEqual([]);
        expect(await manifestsOf(world.state)).toEqual(manifests);
        await world.packages.put(curator, reference, parsePath('again.md'), Buffer.from('again'));
        await world.close();
        await rm(copy, { recursive: true });
      }
    },
    120_000,
  );
});

describe('a state file that is damaged', () => {
  async function judge(copy: string): Promise<'refused' | 'found' | 'harmless'> {
    let state: State;
    try {
      state = await openSqliteState(stateFile(copy));
    } catch (error) {
      expect(isError(error, 'state_failed'), String(error)).toBe(true);
      return 'refused';
    }
    try {
      const faults = await faultsOf(state);
      if (faults.length > 0) return 'found';
      expect(await manifestsOf(state)).toEqual(manifests);
      return 'harmless';
    } finally {
      await state.close();
    }
  }

  it('is refused, or its faults are found, or they touch nothing: a wrong bit anywhere', async () => {
    const outcomes: Record<string, number> = {};
    const { size } = await stat(stateFile(join(folder, 'whole')));
    for (let turn = 1; turn <= 30; turn++) {
      const copy = await copyOf('whole');
      await flip(stateFile(copy), pick(turn, size));
      const outcome = await judge(copy);
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      await rm(copy, { recursive: true });
    }
    expect(outcomes['found']).toBeGreaterThan(0);
  }, 120_000);

  it('is refused, or its faults are found: an end that is missing', async () => {
    const { size } = await stat(stateFile(join(folder, 'whole')));
    for (let turn = 1; turn <= 12; turn++) {
      const copy = await copyOf('whole');
      await truncate(stateFile(copy), Math.max(100, pick(turn, size - 4096)));
      expect(await judge(copy)).not.toBe('harmless');
      await rm(copy, { recursive: true });
    }
  });
});

describe('verify', () => {
  const wrongs: readonly (readonly [what: string, sql: string, says: RegExp])[] = [
    ['a text', "update text set bytes = cast(bytes || 'x' as blob)", /bytes of "README\.md" are not those|bytes of the text/],
    ['an entry', "update entry set size = size + 1 where path = 'first/0003.bin'", /entries from .* differ/],
    ['an entry that is gone', "delete from entry where path = 'first/0003.bin'", /differ|missing/],
    [
      'an entry too many',
      "insert into entry select package, path || 'x', from_step, to_step, kind, size, source, key, key_bytes, version, etag, modified_at, sha256, checksums, meta, inline, ends_range from entry where path = 'first/0003.bin'",
      /differ/,
    ],
    ['a range', "update manifest_range set sha256 = replace(sha256, substr(sha256, 1, 1), 'f')", /differ/],
    ['a total', 'update version set bytes = bytes + 1 where number = 2', /totals/],
    ['a digest', "update version set digest = 'sha256:' || substr(digest, 9) || '0' where number = 1", /digest/],
    ['a span', "update entry set to_step = from_step where path = 'notes.md'", /ends before it begins/],
    ['a step that never was', "update entry set from_step = 999999 where path = 'notes.md'", /belongs to no step/],
  ];

  it.each(wrongs)('finds %s that was written past the triggers, and names it', async (_what, sql, says) => {
    const copy = await copyOf('whole');
    const database = new DatabaseSync(stateFile(copy));
    const triggers = database.prepare("select name from sqlite_schema where type = 'trigger'").all() as { name: string }[];
    for (const { name } of triggers) database.exec(`drop trigger "${name}"`);
    database.exec(sql);
    database.close();
    const state = await openSqliteReader(stateFile(copy));
    const lines: VerifyLine[] = [];
    for await (const line of verifyState(state, new AbortController().signal)) lines.push(line);
    await state.close();
    const faults = lines.filter((line) => line.kind === 'wrong');
    expect(faults.map((line) => line.says).join('\n')).toMatch(says);
    expect(faults.every((line) => line.subject.startsWith('admin/p'))).toBe(true);
    expect(lines.at(-1)).toMatchObject({ kind: 'done', packages: 1, versions: 2, wrong: faults.length });
  });

  it('finds nothing where nothing is wrong', async () => {
    const state = await openSqliteReader(stateFile(await copyOf('whole')));
    expect(await faultsOf(state)).toEqual([]);
    await state.close();
  });
});
