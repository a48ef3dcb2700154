import { describe, expect, it } from 'vitest';
import { PackageRError } from '#errors/error.ts';
import { type ErrorCode, errorTable } from '#errors/table.ts';
import { statusOf, toProblem } from './problem.ts';

describe('toProblem', () => {
  it('has a status for every code', () => {
    for (const code of Object.keys(errorTable) as ErrorCode[]) {
      expect([code, statusOf(code)]).toEqual([code, expect.toSatisfy((status: number) => status >= 400 && status < 600)]);
    }
  });

  it('keeps every word of a foreign error inside', () => {
    const answer = toProblem(new Error('s3 said: SECRET'), 'r1');
    expect(answer.status).toBe(500);
    expect(JSON.stringify(answer.problem)).not.toContain('SECRET');
    const caused = toProblem(
      new PackageRError('store_response', undefined, { cause: new Error('SECRET'), context: { key: 'SECRET' } }),
      'r1',
    );
    expect(JSON.stringify(caused.problem)).not.toContain('SECRET');
  });

  it('tells nobody which address inside was refused', () => {
    const { status, problem } = toProblem(new PackageRError('endpoint_refused', '"store.lan" is private: add store.lan:9000.'), 'r1');
    expect([status, JSON.stringify(problem)]).toEqual([403, expect.not.stringContaining('store.lan')]);
    expect(problem.help).toContain('sources test');
  });

  it('says when to come back', () => {
    expect(toProblem(new PackageRError('rate_limited', undefined, { retryAfter: 1.2 }), '').headers['retry-after']).toBe('2');
    expect(toProblem(new PackageRError('source_unavailable'), '').headers['retry-after']).toBe('5');
  });
});
