import { describe, expect, it, vi } from 'vitest';
import type { Job } from '#api/jobs.ts';
import type { Annex } from '#api/packages.ts';
import { cancelPutting, newRun, type PutPlan, type PutServer, runPut } from './putting.ts';

vi.mock('./client.ts', () => ({ client: {}, codeOf: () => undefined }));

const plan: PutPlan = { namespace: 'me', name: 'snow', isNew: true, to: 'raw', copyTexts: true, onConflict: 'keep' };
const items = [
  { source: 'a', path: 'x/1', kind: 'pointer' as const },
  { source: 'b', path: '', kind: 'folder' as const },
  { source: 'a', path: 'y', kind: 'folder' as const },
];

function job(id: string, state: Job['state']): Job {
  return { id, kind: 'package.annex', subject: 'package:1', state, progress: { done: 1 }, createdAt: '2026-01-01T00:00:00Z' };
}

function fake(more: Partial<PutServer> = {}): { server: PutServer; asked: unknown[] } {
  const asked: unknown[] = [];
  const server: PutServer = {
    async create(reference) {
      asked.push(reference);
    },
    async annex(_plan, request) {
      asked.push(request);
      return job(request.source, 'queued');
    },
    async *follow(id) {
      yield job(id, 'running');
      yield job(id, 'done');
    },
    async cancel(id) {
      asked.push(`cancel ${id}`);
    },
    ...more,
  };
  return { server, asked };
}

describe('what goes from the tray into a package', () => {
  it('goes source by source; a whole source as what it holds', async () => {
    const { server, asked } = fake();
    const run = newRun(plan, items);
    await runPut(run, server);
    const shared = { to: 'raw', copyTexts: true, onConflict: 'keep' };
    expect(asked).toEqual([
      'me/snow',
      { ...shared, source: 'a', select: { paths: ['x/1', 'y'] } },
      { ...shared, source: 'b', select: { folder: '' } },
    ]);
    expect(run.parts.map(({ state }) => state)).toEqual(['done', 'done']);
    expect(run.state).toBe('ended');
  });

  it('does not begin where the package cannot be made', async () => {
    const refusal = new Error('exists');
    const { server, asked } = fake({ create: () => Promise.reject(refusal) });
    const run = newRun(plan, items);
    await runPut(run, server);
    expect([run.state, run.error, run.parts.map(({ state }) => state), asked]).toEqual(['ended', refusal, ['failed', 'failed'], []]);
  });

  it('tells the failure of one source, and goes on with the next', async () => {
    const refusal = new Error('no');
    const { server } = fake({
      annex: async (_plan, { source }: Annex) => {
        if (source === 'a') throw refusal;
        return job(source, 'queued');
      },
    });
    const run = newRun({ ...plan, isNew: false }, items);
    await runPut(run, server);
    expect(run.parts.map(({ state, error }) => [state, error])).toEqual([
      ['failed', refusal],
      ['done', undefined],
    ]);
  });

  it('ends when it is cancelled, also while a job is on its way, and begins no other', async () => {
    const { server, asked } = fake({
      async *follow(id) {
        yield job(id, 'cancelled');
      },
    });
    const run = newRun({ ...plan, isNew: false }, items);
    const running = runPut(run, server);
    await cancelPutting(run, server);
    await running;
    expect(run.parts.map(({ state }) => state)).toEqual(['cancelled', 'cancelled']);
    expect(asked.filter((one) => typeof one === 'string')).toEqual(['cancel a']);
  });
});
