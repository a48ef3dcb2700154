import { describe, expect, it } from 'vitest';
import { checkPasswordPolicy, hashPassword, verifyPassword } from '#access/password.ts';
import { isError } from '#errors/error.ts';
import { Secret } from '#model/secret.ts';

describe('passwords', () => {
  it('verify against their own hash only, which never shows them and never repeats', async () => {
    const secret = Secret.parse('correct horse battery');
    const [one, two] = await Promise.all([hashPassword(secret), hashPassword(secret)]);
    expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(one).not.toBe(two);
    expect(await verifyPassword(secret, one)).toBe(true);
    expect(await verifyPassword('correct horse battery', two)).toBe(true);
    expect(await verifyPassword('Correct horse battery', one)).toBe(false);
  });

  it('are not cut: two that differ after byte 72 are two', async () => {
    const long = 'x'.repeat(79);
    const hash = await hashPassword(Secret.parse(`${long}a`));
    expect(await verifyPassword(`${long}b`, hash)).toBe(false);
    expect(await verifyPassword(`${long}a`, hash)).toBe(true);
    const longest = Secret.parse('é'.repeat(512));
    expect(await verifyPassword(longest, await hashPassword(longest))).toBe(true);
  });

  it.each([
    ['', 'password_weak'],
    ['a', 'password_weak'],
    ['elevenbytes', 'password_weak'],
    ['twelve\0bytes', 'password_weak'],
    ['twelve bytes\ud800', 'password_weak'],
    ['x'.repeat(1025), 'too_large'],
    ['é'.repeat(513), 'too_large'],
    ['x'.repeat(1_000_000), 'too_large'],
  ])('%j is refused with %s', (text, code) => {
    expect(() => checkPasswordPolicy(text)).toThrow(expect.objectContaining({ code }));
  });

  it.each(['twelve bytes', 'é'.repeat(6), 'x'.repeat(1024)])('%j is accepted', (text) => {
    expect(() => checkPasswordPolicy(text)).not.toThrow();
  });

  it('of a share may have 8 bytes', () => {
    expect(() => checkPasswordPolicy('8 bytes!', { min: 8 })).not.toThrow();
    expect(() => checkPasswordPolicy('7 bytes', { min: 8 })).toThrow(expect.objectContaining({ code: 'password_weak' }));
  });

  it.each([null, '', 'x', '$argon2id$v=19$m=19456,t=2,p=1$$', '$2b$10$abcdefghijklmnopqrstuv'])(
    'none matches the stored value %j',
    async (hash) => {
      for (const text of ['', 'x', 'null', 'twelve bytes']) expect(await verifyPassword(text, hash)).toBe(false);
    },
  );

  it('that are too large are refused before any work', async () => {
    await expect(verifyPassword('x'.repeat(1025), null)).rejects.toSatisfy((error) => isError(error, 'too_large'));
  });

  it('in a flood are refused rather than queued for ever', async () => {
    const cheap = `$argon2id$v=19$m=8,t=1,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`;
    const outcomes = await Promise.allSettled(Array.from({ length: 300 }, () => verifyPassword('x', cheap)));
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    for (const outcome of refused) expect(isError(outcome.reason, 'rate_limited') && outcome.reason.retryAfter).toBe(10);
    expect(await verifyPassword('x', null)).toBe(false);
  });
});
