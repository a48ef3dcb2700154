/**
 * Our side of the annex bench, in a process of its own: COUNT FOLDER. Each run begins with an empty data folder; while the job runs, one row
 * is written every 20 ms, as requests do. The variant is the shape.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sql } from 'kysely';
import type { Done } from '../bench.ts';
import { serveSide } from '../processes.ts';
import { annexAll, openData, type Shape } from './entries.ts';
import { watched } from './watch.ts';

const [given = '', folder = ''] = process.argv.slice(2);
const count = Number(given);

async function annex(shape: string): Promise<Done> {
  const own = await mkdtemp(join(folder, 'ours-'));
  const data = await openData(own, count, shape as Shape);
  try {
    const first = await watched(data.state, () => annexAll(data));
    const { head: before } = await data.packages.get(data.actor, data.reference);
    const again = await watched(data.state, () => annexAll(data));
    const { rows } = await sql<{ bytes: number }>`select page_count * page_size as bytes from pragma_page_count, pragma_page_size`.execute(
      data.state.db,
    );
    const { head } = await data.packages.get(data.actor, data.reference);
    if (head !== before) throw new Error(`The second annex made step ${head}.`);
    return {
      units: count,
      seconds: first.seconds,
      cpu: first.cpu,
      facts: {
        ...first.facts,
        'bytes an entry': (rows[0]?.bytes ?? 0) / count,
        'again entries/s': count / again.seconds,
        'again loop max ms': again.facts['loop max ms'] ?? 0,
      },
    };
  } finally {
    await data.close();
    await rm(own, { recursive: true });
  }
}

serveSide({ annex });
