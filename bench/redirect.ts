/**
 * `redirect`: stable URLs of a share answered with a 307 to a temporary URL, each freshly signed: share check, look-up of one of 100,000
 * entries in SQLite, signature, counters, audit and log. A real server on core 0, wrk on core 1 without pipelining, against a bare
 * `node:http` that answers every request with the same 307. The store is never asked: the pointers are pinned to object versions.
 *
 * Variants: `link` (anyone with the link) and `ticket` (a share with a password, by its ticket).
 * Flags: --entries N, --seconds N.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bench } from './bench.ts';
import { isOnPath } from './processes.ts';
import { checkAnswer } from './redirect/check.ts';
import { pathsOf, type Served, type ShareServer, serveBare, serveShares } from './redirect/servers.ts';
import { latencyOf, load } from './redirect/wrk.ts';

const variants = ['link', 'ticket'] as const;
const samples = 200;

let folder = '';
let seconds = 6;
let ours: ShareServer | undefined;
let peer: Served | undefined;
const notes: string[] = ['closed loop of wrk: a stall holds back the requests behind it, so p99 is a lower bound'];

export const redirect: Bench = {
  name: 'redirect',
  unit: 'redirects',
  variants,
  async prepare(flags) {
    for (const command of ['wrk', 'taskset'])
      if (!isOnPath(command)) throw new Error(`${command} is missing: apt-get install wrk util-linux`);
    seconds = Number(flags['seconds'] ?? 6);
    folder = await mkdtemp(join(tmpdir(), 'package-r-bench-redirect-'));
    ours = await serveShares(folder, pathsOf(Number(flags['entries'] ?? 100_000)));
    peer = await serveBare();
  },
  async verify() {
    const { paths, bases, store } = known(ours);
    const step = Math.max(1, Math.floor(paths.length / samples));
    for (const variant of variants)
      for (let index = 0; index < paths.length; index += step) await checkAnswer(bases[variant], paths[index] as string, store);
  },
  async ours(variant) {
    const server = known(ours);
    return load(server, server.bases[variant as 'link'], { seconds, folder });
  },
  peers: { 'node-http': async () => load(known(peer), known(peer).base, { seconds, folder }) },
  async limits() {
    const server = known(ours);
    const [one, bare] = [await latencyOf(server.bases.link, folder), await latencyOf(known(peer).base, folder)];
    notes.push(`one connection: p50 ${one.p50} ms, p99 ${one.p99} ms; node-http p50 ${bare.p50} ms, p99 ${bare.p99} ms`);
    return {};
  },
  notes: () => notes,
  async close() {
    await ours?.close();
    await peer?.close();
    if (folder !== '') await rm(folder, { recursive: true, force: true });
  },
};

function known<T>(server: T | undefined): T {
  if (server === undefined) throw new Error('The servers are not started.');
  return server;
}
