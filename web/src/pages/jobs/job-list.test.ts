import { describe, expect, it, vi } from 'vitest';
import type { Job } from '#api/jobs.ts';
import { merged } from './job-list.ts';

vi.mock('../../queries/client.ts', () => ({ client: {}, codeOf: () => undefined }));

const job = (id: string, state: Job['state'], at: number, done = 0): Job => ({
  id,
  kind: 'package.annex',
  subject: 'package:1',
  state,
  progress: { done },
  createdAt: `2026-01-01T00:00:0${at}Z`,
});
const ids = (jobs: readonly Job[]): string => jobs.map(({ id }) => id).join('');

describe('the list of jobs', () => {
  it('is newest first, in whatever order they come', () => {
    const all = [job('b', 'done', 2), job('d', 'done', 4), job('a', 'done', 1), job('c', 'running', 3), job('e', 'queued', 4)];
    expect(ids(all.reduce<readonly Job[]>(merged, []))).toBe('edcba');
  });

  it('never goes back to what was', () => {
    const list = [job('a', 'done', 1, 9), job('b', 'running', 0, 5)];
    expect(merged(list, job('a', 'running', 1, 3))).toBe(list);
    expect(merged(list, job('b', 'running', 0, 4))).toBe(list);
    expect(merged(list, job('b', 'done', 0, 6)).map(({ state }) => state)).toEqual(['done', 'done']);
  });
});
