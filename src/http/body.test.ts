import type { IncomingMessage } from 'node:http';
import { PassThrough, Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { checkJsonShape, readBody } from './body.ts';
import { defaultHttpLimits } from './limits.ts';

const payload = (stream: Readable, headers = {}): IncomingMessage => Object.assign(stream, { headers }) as unknown as IncomingMessage;
const refused = (text: string, more = {}) => {
  try {
    checkJsonShape(text, { ...defaultHttpLimits, ...more });
    return undefined;
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('readBody', () => {
  it('gathers a body that is within the limit', async () => {
    const body = payload(Readable.from([Buffer.from('ab'), Buffer.from('cd')]));
    expect(String(await readBody(body, { bytes: 4, timeout: 1000 }))).toBe('abcd');
  });

  it('refuses one byte more, announced or not', async () => {
    const more = payload(Readable.from([Buffer.from('ab'), Buffer.from('cde')]));
    await expect(readBody(more, { bytes: 4, timeout: 1000 })).rejects.toMatchObject({ code: 'too_large' });
    const announced = payload(new PassThrough(), { 'content-length': '5' });
    await expect(readBody(announced, { bytes: 4, timeout: 1000 })).rejects.toMatchObject({ code: 'too_large' });
  });

  it('gives up on a body that does not come, and on one whose sender is gone', async () => {
    await expect(readBody(payload(new PassThrough()), { bytes: 4, timeout: 1 })).rejects.toMatchObject({ code: 'body_timeout' });
    const broken = payload(new PassThrough());
    const reading = readBody(broken, { bytes: 4, timeout: 1000 });
    broken.destroy();
    await expect(reading).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('checkJsonShape', () => {
  it('passes ordinary JSON', () => {
    expect(refused('{"a":[1,{"a":"}]\\"{"}],"b":{"a" : 1},"c":"a"}')).toBeUndefined();
  });

  it.each([
    ['deep', '['.repeat(33)],
    ['a repeated key', '{"a":1,"a":2}'],
    ['a repeated key in another spelling', '{"a":1,"\\u0061":2}'],
    ['a repeated key after much space', `{"a":1,"a"${' '.repeat(40)}:2}`],
    ['many keys', `{${Array.from({ length: 1001 }, (_, i) => `"k${i}":0`).join(',')}}`],
    ['many items', `[${'0,'.repeat(10_000)}0]`],
    ['a long string', `"${'x'.repeat(64 * 1024 + 1)}"`],
  ])('refuses %s', (_, text) => {
    expect(refused(text)).toBe('request_invalid');
  });
});
