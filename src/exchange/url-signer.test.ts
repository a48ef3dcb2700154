import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isError } from '#errors/error.ts';
import { SigningKeys } from '#exchange/url-signer.ts';
import { randomId } from '#model/clock.ts';
import { decodeKey, parseKey } from '#model/key.ts';
import type { SignedObject } from '#model/temporary-url.ts';
import { Vault } from '#state/vault.ts';
import { fakeClock } from '#testing/fake-clock.ts';
import { type TemporaryState, temporaryState } from '#testing/temporary-state.ts';

const day = 86_400_000;

describe('signing keys', () => {
  let temporary: TemporaryState;
  let keys: SigningKeys;
  const clock = fakeClock();
  const open = async () => {
    const { state, folder } = temporary;
    const vault = await Vault.open({ state, folder });
    return SigningKeys.open({ state, vault, clock: clock.now, makeId: randomId, base: () => 'http://127.0.0.1:81/content' });
  };
  beforeEach(async () => {
    temporary = await temporaryState();
    keys = await open();
  });
  afterEach(() => temporary.close());

  const object = (more: Partial<SignedObject> = {}): SignedObject => ({
    source: '1',
    key: parseKey('a/b c.txt'),
    method: 'GET',
    expiresAt: clock.now() + 60_000,
    responseHeaders: {},
    ...more,
  });
  const refused = (code: 'signature_invalid' | 'signature_expired') => expect.toSatisfy((error: unknown) => isError(error, code), code);
  const fails = (url: string, code: 'signature_invalid' | 'signature_expired' = 'signature_invalid') =>
    expect(keys.verify(url)).rejects.toEqual(refused(code));

  it('gives back what was signed, for any object', async () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 1024 }).filter((key) => !key.includes(0));
    const text = fc.string({ unit: 'grapheme', maxLength: 80 });
    const headers = fc.record({ contentType: text, contentDisposition: text, cacheControl: text }, { requiredKeys: [] });
    const part = fc.record({ upload: text, number: fc.integer({ min: 1, max: 10_000 }) });
    const method = fc.constantFrom('GET', 'HEAD', 'PUT');
    const signed = fc.record({
      source: fc.constantFrom('1', '99'),
      key: bytes,
      method,
      version: text,
      etag: text,
      responseHeaders: headers,
      part,
    });
    await fc.assert(
      fc.asyncProperty(signed, async ({ key, ...more }) => {
        const asked = { ...more, key: decodeKey(key), expiresAt: clock.now() + 1 };
        const url = keys.sign(asked);
        expect(url).toMatch(/^http:\/\/127\.0\.0\.1:81\/content\/o\/[A-Za-z0-9_.-]+\/[A-Za-z0-9_.~%-]+$/);
        expect(new URL(url).href).toBe(url);
        expect(await keys.verify(url)).toEqual(asked);
      }),
      { numRuns: 150 },
    );
  });

  it('holds the name to save under, and stays below 8 KiB for the longest key', () => {
    const responseHeaders = { contentDisposition: `attachment; filename="_.txt"; filename*=UTF-8''%E6%97%A5.txt` };
    expect(keys.sign(object({ responseHeaders }))).toMatch(/\/%E6%97%A5\.txt$/);
    expect(keys.sign(object())).toMatch(/\/b%20c\.txt$/);
    expect(keys.sign(object({ key: parseKey('\u0001'.repeat(1024)), version: 'v'.repeat(1024) })).length).toBeLessThan(8192);
  });

  it('tells nobody what it opens', () => {
    const parts = new URL(keys.sign(object({ key: parseKey('private/folder/b c.txt') }))).pathname.split('/');
    const bytes = Buffer.from(parts.at(-2)?.split('.')[1] ?? '', 'base64url').toString('latin1');
    expect(bytes).not.toContain('private');
    expect(keys.sign(object())).not.toBe(keys.sign(object()));
  });

  it('refuses every changed character', async () => {
    const url = keys.sign(object());
    const from = url.indexOf('/o/') + 3;
    for (let at = from; at < url.length; at++) {
      const changed = url[at] === 'A' ? 'B' : 'A';
      await fails(url.slice(0, at) + changed + url.slice(at + 1));
    }
    for (const other of [`${url}?x=1`, `${url}#x`, `${url}/x`, url.slice(0, -1), '', '/', '/o/', '/o/a.b.c/d', `/o/${'a'.repeat(10_000)}`])
      await fails(other);
  });

  it('looks at the signature before the time, and at the time of each use', async () => {
    const url = keys.sign(object());
    clock.advance(59_999);
    await keys.verify(url);
    clock.advance(1);
    await fails(url, 'signature_expired');
    await fails(url.replace(/\/o\/(.)/, (_, first) => `/o/${first === '_' ? '-' : '_'}`));
  });

  it('signs with the newest key; the ones before verify for eight days', async () => {
    const old = keys.sign(object({ expiresAt: clock.now() + 30 * day }));
    await keys.rotate();
    const young = keys.sign(object({ expiresAt: clock.now() + 30 * day }));
    expect(young.split('/o/')[1]?.split('.')[0]).not.toBe(old.split('/o/')[1]?.split('.')[0]);
    const again = await open();
    clock.advance(8 * day - 1);
    await Promise.all([again.verify(old), again.verify(young)]);
    clock.advance(1);
    await fails(old);
    await keys.verify(young);
  });

  it('ends all that was signed where it is rotated at once, after a new start too', async () => {
    const first = keys.sign(object());
    await keys.rotate();
    const second = keys.sign(object());
    await keys.rotate({ now: true });
    for (const one of [keys, await open()]) {
      await expect(one.verify(first)).rejects.toMatchObject({ code: 'signature_invalid' });
      await expect(one.verify(second)).rejects.toMatchObject({ code: 'signature_invalid' });
    }
    await keys.verify(keys.sign(object()));
  });

  it('finds the key that another process made', async () => {
    const other = await open();
    await other.rotate();
    const url = other.sign(object());
    clock.advance(5000);
    await keys.verify(url);
  });

  it('keeps its keys sealed, and begins anew where they do not open', async () => {
    const [row] = await temporary.state.db.selectFrom('signing_key').selectAll().execute();
    expect(row?.sealed.length).toBeGreaterThan(32);
    const vault = await Vault.open({ state: temporary.state, folder: `${temporary.folder}/other` });
    const fresh = await SigningKeys.open({ state: temporary.state, vault, clock: clock.now, makeId: randomId, base: () => 'http://h' });
    await expect(fresh.verify(keys.sign(object()))).rejects.toEqual(refused('signature_invalid'));
    await fresh.verify(fresh.sign(object()));
  });

  it.each([Number.NaN, -1, 0.5, 2 ** 48])('refuses to sign for an end of %s', (expiresAt) => {
    expect(() => keys.sign(object({ expiresAt }))).toThrow(expect.toSatisfy((error: unknown) => isError(error, 'request_invalid')));
  });
});
