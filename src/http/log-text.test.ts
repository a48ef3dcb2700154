import { describe, expect, it } from 'vitest';
import { writeLogText } from './log-text.ts';

describe('log lines for people', () => {
  it('say a request in one line', () => {
    const line = JSON.stringify({
      level: 30,
      time: '2026-11-23T12:00:05.000Z',
      id: 'x',
      method: 'GET',
      path: '/api/v1/me',
      status: 200,
      milliseconds: 4,
      actor: 'user:1',
      peer: 'p',
      msg: 'request',
    });
    expect(writeLogText(`${line}\n`)).toBe('12:00:05 info  GET /api/v1/me 200 4 ms\n');
  });

  it('keep other facts, and stay one line', () => {
    const line = JSON.stringify({ level: 50, time: '2026-11-23T12:00:05.000Z', msg: 'two\nlines', err: { stack: 'a\nb' } });
    expect(writeLogText(line)).toBe('12:00:05 error two\\nlines err={"stack":"a\\nb"}\n');
  });

  it('pass what is no line of the logger', () => {
    expect(writeLogText('not json\n')).toBe('not json\n');
  });
});
