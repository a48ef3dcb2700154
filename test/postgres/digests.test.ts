/** The same random edits on both engines: every edit ends alike, and every version has the same digest. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Access } from '#access/access.ts';
import { isError, PackageRError } from '#errors/error.ts';
import { Events } from '#events/events.ts';
import { Jobs } from '#jobs/jobs.ts';
import { randomId } from '#model/clock.ts';
import { parsePath, root } from '#model/path.ts';
import { parseReference } from '#packages/package.ts';
import { Packages } from '#packages/packages.ts';
import { Sources } from '#sources/sources.ts';
import { openPostgresState } from '#state/postgres/postgres-state.ts';
import { openSqliteState } from '#state/sqlite/sqlite-state.ts';
import type { State } from '#state/state.ts';
import { Vault } from '#state/vault.ts';
import { fakeClock } from '#testing/fake-clock.ts';
import { hasPostgres, makeSchema, type PostgresServer, startPostgres, type TemporarySchema } from '#testing/postgres.ts';

const admin = { kind: 'system', name: 'test' } as const;
const inline = { extensions: ['.txt'], maxBytes: 1000 };

interface World {
  readonly packages: Packages;
  close(): Promise<void>;
}

async function openWorld(state: State, folder: string): Promise<World> {
  const clock = fakeClock();
  const events = new Events({ state, clock: clock.now });
  const access = new Access({ state, clock: clock.now, makeId: randomId, events });
  const vault = await Vault.open({ state, folder });
  const connector = { request: () => Promise.reject(new PackageRError('endpoint_refused')), close: async () => undefined };
  const signer = { sign: () => 'http://127.0.0.1/signed' };
  const sources = new Sources({ state, access, events, vault, drivers: [], connector, signer, clock: clock.now, inline });
  const jobs = new Jobs({ state, clock: clock.now, makeId: randomId });
  const stat = () => Promise.reject(new PackageRError('object_not_found'));
  await access.users.create(admin, { name: 'alice' });
  return {
    packages: new Packages({ state, access, sources, jobs, events, clock: clock.now, makeId: randomId, inline, stat }),
    async close() {
      await jobs.close();
      await sources.close();
      await events.close();
      await state.close();
    },
  };
}

const paths = ['a', 'a!', 'a/x', 'a/y/z', 'A', 'B/1', 'b/1', 'é', 'e\u0301', '😀', '\uffee', 'Z_', 'z-', 'a b', "it's \\ %"];
const path = fc.constantFrom(...paths);
const operation = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('put' as const), path, content: fc.constantFrom('1', '2') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('move' as const), path, to: path }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), path }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('undo' as const, 'redo' as const, 'freeze' as const) }) },
);
type Step = typeof operation extends fc.Arbitrary<infer T> ? T : never;

/** What came of each edit: a code, a digest, or the paths as they are listed. */
async function play({ packages }: World, name: string, steps: readonly Step[]): Promise<string[]> {
  const reference = parseReference(`alice/${name}`);
  await packages.create(admin, reference);
  const edit = async (step: Step): Promise<string> => {
    switch (step.do) {
      case 'put':
        await packages.put(admin, reference, parsePath(step.path), Buffer.from(step.content));
        return 'put';
      case 'move':
        await packages.move(admin, reference, [parsePath(step.path)], parsePath(step.to));
        return 'moved';
      case 'remove':
        await packages.remove(admin, reference, [parsePath(step.path)]);
        return 'removed';
      case 'freeze':
        return (await packages.freeze(admin, reference, { message: 'x' })).digest;
      default:
        await packages[step.do](admin, reference);
        return step.do;
    }
  };
  const outcomes: string[] = [];
  for (const step of steps) {
    outcomes.push(await edit(step).catch((error: unknown) => (isError(error) ? error.code : String(error))));
    const { tree } = await packages.open(admin, 'download', reference, root);
    const found: string[] = [];
    for await (const leaf of tree.walk(root)) found.push(leaf.path);
    const page = await tree.list(root, { limit: 5 });
    outcomes.push(JSON.stringify([found, page.entries.map((entry) => 'path' in entry && entry.path)]));
  }
  return outcomes;
}

describe.runIf(hasPostgres('digests on both engines'))('both engines', () => {
  let server: PostgresServer;
  let schema: TemporarySchema;
  let folder: string;
  let worlds: readonly [World, World];
  beforeAll(async () => {
    server = await startPostgres();
    schema = await makeSchema(server.url);
    folder = await mkdtemp(join(tmpdir(), 'package-r-digests-'));
    const sqlite = await openSqliteState(join(folder, 'state.sqlite'));
    worlds = [await openWorld(sqlite, folder), await openWorld(await openPostgresState(schema.url), folder)];
  });
  afterAll(async () => {
    for (const world of worlds) await world.close();
    await server.stop();
    await rm(folder, { recursive: true });
  });

  it('agree on every edit, every listing and every digest', async () => {
    let count = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 10, maxLength: 30 }), async (steps) => {
        const name = `p${++count}`;
        const freeze = { do: 'freeze' } as const;
        const [one, other] = await Promise.all(worlds.map((world) => play(world, name, [...steps, freeze])));
        expect(other).toEqual(one);
      }),
      { numRuns: 15 },
    );
  });
});
