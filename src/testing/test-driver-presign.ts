/** Temporary URLs: what they open, and what they must not. */
import { describe, expect, it } from 'vitest';
import type { PresignRequest } from '#drivers/driver.ts';
import type { TemporaryUrl } from '#model/temporary-url.ts';
import { expectError, key, when } from '#testing/driver-subject.ts';
import type { FetchAnswer, FetchInit, TestSubject } from '#testing/test-driver.ts';

export function testPresign(get: () => TestSubject): void {
  describe('presign', () => {
    const name = key('presign/digits');
    const presign = async (request: Partial<PresignRequest> = {}): Promise<TemporaryUrl> =>
      get().driver.presign({ method: 'GET', key: name, expiresIn: 60, ...request });
    const use = (url: TemporaryUrl, init?: FetchInit): Promise<FetchAnswer> =>
      (get().fetchUrl as NonNullable<TestSubject['fetchUrl']>)(url, init);
    const isServed = (): boolean => get().driver.capabilities.presign !== 'no' && get().fetchUrl !== undefined;
    const put = (): Promise<void> => get().put(name, Buffer.from('0123456789'));

    it('is as declared: local at once, remote by promise, no refused', async () => {
      const { driver } = get();
      if (driver.capabilities.presign === 'no') return expectError(() => presign(), 'unsupported');
      const url = driver.presign({ method: 'GET', key: name, expiresIn: 60 });
      expect(url instanceof Promise).toBe(driver.capabilities.presign === 'remote');
      expect((await url).method).toBe('GET');
    });

    when(isServed())('opens the object for GET, with ranges', async () => {
      await put();
      expect((await use(await presign())).bytes.toString()).toBe('0123456789');
      const part = await use(await presign(), { headers: { range: 'bytes=3-5' } });
      expect([part.status, part.bytes.toString(), part.headers.get('content-range')]).toEqual([206, '345', 'bytes 3-5/10']);
      expect((await use(await presign(), { headers: { range: 'bytes=10-' } })).status).toBe(416);
      expect((await use(await presign({ key: key('presign/none') }))).status).toBe(404);
    });

    when(isServed())('is for one method only', async () => {
      await put();
      const head = await use(await presign({ method: 'HEAD' }));
      expect([head.status, head.headers.get('content-length'), head.bytes.length]).toEqual([200, '10', 0]);
      expect((await use(await presign({ method: 'HEAD' }), { method: 'GET' })).status).toBe(403);
      expect((await use(await presign(), { method: 'PUT', body: Buffer.from('x') })).status).toBe(403);
    });

    when(isServed())('answers with the headers that were signed', async () => {
      await put();
      const contentDisposition = `attachment; filename="d.txt"; filename*=UTF-8''d%C3%A9!'().txt`;
      const { headers } = await use(await presign({ responseHeaders: { contentType: 'text/x-test', contentDisposition } }));
      expect([headers.get('content-type'), headers.get('content-disposition')]).toEqual(['text/x-test', contentDisposition]);
    });

    when(isServed())('opens awkward keys', async () => {
      const { awkwardKeys, unlinkable = [] } = get();
      for (const one of unlinkable) await expectError(() => presign({ key: key(`presign/${one}`) }), 'unsupported');
      for (const awkward of awkwardKeys.filter((one) => !unlinkable.includes(one)).map((one) => key(`presign/${one}`))) {
        await get().put(awkward, Buffer.from('awkward'));
        expect((await use(await presign({ key: awkward }))).bytes.toString()).toBe('awkward');
      }
    });

    when(isServed())('dies in time, and by any change', async () => {
      await put();
      // Where time is real, there must be some for all that is tried.
      const url = await presign({ expiresIn: get().passSeconds === undefined ? 60 : 2 });
      for (let at = url.url.indexOf('?') + 1; at < url.url.length; at += Math.ceil(url.url.length / 12)) {
        const other = url.url[at] === 'A' ? 'B' : 'A';
        const tampered = { ...url, url: url.url.slice(0, at) + other + url.url.slice(at + 1) };
        expect([400, 403, 404]).toContain((await use(tampered)).status);
      }
      expect((await use(url)).status).toBe(200);
      await get().passSeconds?.(3);
      if (get().passSeconds !== undefined) expect((await use(url)).status).toBe(403);
    });

    when(get().driver.capabilities.presign !== 'no')('refuses a life out of range', async () => {
      const { presignMaxSeconds } = get().driver.capabilities;
      for (const expiresIn of [0, -1, 1.5, Number.NaN, presignMaxSeconds + 1, 1e9]) {
        await expectError(() => presign({ expiresIn }), 'request_invalid');
      }
      expect((await presign({ expiresIn: presignMaxSeconds })).expiresAt).toBeTypeOf('number');
    });

    when(isServed() && get().driver.capabilities.versions)('opens an old object version', async () => {
      const versioned = key('presign/versioned');
      await get().put(versioned, Buffer.from('old'));
      const { version } = await get().driver.stat(versioned);
      await get().put(versioned, Buffer.from('new'));
      expect((await use(await presign({ key: versioned, version }))).bytes.toString()).toBe('old');
    });

    when(isServed() && get().driver.capabilities.write)('takes an object, or a part of an upload', async () => {
      const written = key('presign/written');
      expect((await use(await presign({ method: 'PUT', key: written }), { body: Buffer.from('sent') })).status).toBe(200);
      expect((await use(await presign({ key: written }))).bytes.toString()).toBe('sent');
      const { multipart } = get().driver;
      if (multipart === undefined) return;
      const upload = await multipart.create(written);
      const url = await presign({ method: 'PUT', key: written, part: { upload, number: 1 } });
      expect((await use(url, { body: Buffer.from('a part') })).status).toBe(200);
      await multipart.complete(written, upload, await multipart.list(written, upload));
      expect((await use(await presign({ key: written }))).bytes.toString()).toBe('a part');
    });
  });
}
