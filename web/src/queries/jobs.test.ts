import { describe, expect, it, vi } from 'vitest';
import type { Job } from '#api/jobs.ts';
import { ClientError } from '#client/error.ts';
import { followJob, type JobFeed } from './jobs.ts';

vi.mock('./client.ts', () => ({ client: {}, codeOf: (error: unknown) => (error instanceof ClientError ? error.code : undefined) }));

const job = (state: Job['state'], done = 0): Job => ({
  id: '1',
  kind: 'package.annex',
  subject: 'package:1',
  state,
  progress: { done },
  createdAt: '2026-01-01T00:00:00Z',
});

function refusing(error: Error): () => AsyncIterable<Job> {
  return () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error) }) });
}

async function seen(feed: Partial<JobFeed>, signal = new AbortController().signal): Promise<string[]> {
  const states: string[] = [];
  const whole: JobFeed = { async *events() {}, get: async () => job('done'), pause: async () => undefined, ...feed };
  for await (const { state, progress } of followJob('1', signal, whole)) states.push(`${state} ${progress.done}`);
  return states;
}

describe('a job that somebody follows', () => {
  it('is told until it ends', async () => {
    const events = async function* () {
      yield job('queued');
      yield job('running', 3);
      yield job('done', 5);
    };
    expect(await seen({ events })).toEqual(['queued 0', 'running 3', 'done 5']);
  });

  it('is looked at where there is no stream, or it broke off', async () => {
    const events = async function* () {
      yield job('running', 1);
      throw new TypeError('network error');
    };
    expect(await seen({ events })).toEqual(['running 1', 'done 0']);
    const refused = refusing(new ClientError(429, 'rate_limited', 'Too many event streams of yours are open.'));
    expect(await seen({ events: refused })).toEqual(['done 0']);
  });

  it('is given up where it is not there, or the server stays away', async () => {
    const gone = refusing(new ClientError(404, 'not_found', 'There is no such job.'));
    await expect(seen({ events: gone })).rejects.toThrow('There is no such job.');
    const away = (): Promise<never> => Promise.reject(new ClientError(0, 'unreachable', 'The server does not answer.'));
    await expect(seen({ get: away })).rejects.toThrow('does not answer');
  });

  it('is left quietly', async () => {
    const end = new AbortController();
    const events = async function* () {
      yield job('running');
      end.abort();
      throw end.signal.reason;
    };
    expect(await seen({ events }, end.signal)).toEqual(['running 0']);
  });
});
