import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isError } from '#errors/error.ts';
import { Secret } from '#model/secret.ts';
import { Vault } from '#state/vault.ts';
import { type TemporaryState, temporaryState } from '#testing/temporary-state.ts';

describe('vault', () => {
  let place: TemporaryState;
  const open = (envKey?: string) =>
    Vault.open({ state: place.state, folder: place.folder, envKey: envKey ? Secret.parse(envKey) : undefined });
  const isMissing = (error: unknown) => isError(error, 'key_missing');
  beforeEach(async () => {
    place = await temporaryState();
  });
  afterEach(() => place.close());

  it('keeps secrets over a restart, sealed', async () => {
    const vault = await open();
    await place.state.write(vault.set('source:1', 'key', Secret.parse('CANARY-KEY')), vault.set('source:1', 'id', Secret.parse('x')));
    await place.reopen();
    const again = await open();
    expect((await again.get('source:1', 'key'))?.reveal()).toBe('CANARY-KEY');
    expect(await again.names('source:1')).toEqual(['id', 'key']);
    expect(await again.get('source:2', 'key')).toBeUndefined();
    await place.reopen();
    for (const name of await readdir(place.folder)) expect(await readFile(join(place.folder, name), 'latin1')).not.toContain('CANARY-KEY');
  });

  it.each(['a', 'two\nlines\n', 'é😀', 'carriage\r', ' '])('gives back %j exactly', async (value) => {
    const vault = await open();
    const secret = Secret.parse(value.endsWith('\n') ? `${value}\n` : value);
    await place.state.write(vault.set('o', 'n', secret));
    expect((await vault.get('o', 'n'))?.reveal()).toBe(secret.reveal());
  });

  it('replaces and removes', async () => {
    const vault = await open();
    await place.state.write(
      vault.set('o', 'a', Secret.parse('1')),
      vault.set('o', 'b', Secret.parse('2')),
      vault.set('p', 'a', Secret.parse('3')),
    );
    await place.state.write(vault.set('o', 'a', Secret.parse('4')), vault.remove('o', 'b'));
    expect((await vault.get('o', 'a'))?.reveal()).toBe('4');
    expect(await vault.names('o')).toEqual(['a']);
    await place.state.write(vault.remove('o'));
    expect(await vault.names('o')).toEqual([]);
    expect(await vault.names('p')).toEqual(['a']);
  });

  it('makes one private key file, whatever the umask and however many ask', async () => {
    const mask = process.umask(0);
    try {
      const vaults = await Promise.all(Array.from({ length: 8 }, () => open()));
      const sealed = (vaults[0] as Vault).seal(Buffer.from('x'), 'label');
      for (const vault of vaults) expect(vault.unseal(sealed, 'label').toString()).toBe('x');
      expect((await stat(join(place.folder, 'key'))).mode & 0o777).toBe(0o600);
      expect((await readdir(place.folder)).filter((name) => name.startsWith('key'))).toEqual(['key']);
    } finally {
      process.umask(mask);
    }
  });

  it('makes a key file private that others could read', async () => {
    await open();
    await chmod(join(place.folder, 'key'), 0o644);
    await open();
    expect((await stat(join(place.folder, 'key'))).mode & 0o777).toBe(0o600);
  });

  it.each(['', 'short', 'x'.repeat(44), 'ab'.repeat(31)])('refuses a key file that holds %j and leaves it alone', async (text) => {
    await writeFile(join(place.folder, 'key'), text);
    await expect(open()).rejects.toSatisfy((error) => isMissing(error) && !(error as Error).message.includes(text || 'nothing'));
    expect(await readFile(join(place.folder, 'key'), 'utf8')).toBe(text);
  });

  it('takes a key from the environment before the file', async () => {
    const key = Buffer.alloc(32, 7);
    const vault = await open(key.toString('base64'));
    const sealed = vault.seal(Buffer.from('x'), 'l');
    expect((await open(key.toString('hex'))).unseal(sealed, 'l').toString()).toBe('x');
    expect(await readdir(place.folder)).not.toContain('key');
    await expect(open('too short')).rejects.toSatisfy(isMissing);
  });

  it('says whose secrets are lost with another key, and opens none of them', async () => {
    const vault = await open();
    expect(await vault.status()).toMatchObject({ sealed: 0, openable: true, lost: [] });
    await place.state.write(vault.set('source:1', 'k', Secret.parse('v')));
    expect(await vault.status()).toMatchObject({ sealed: 1, openable: true });
    const other = await open(Buffer.alloc(32, 1).toString('base64'));
    await place.state.write(other.set('source:2', 'k', Secret.parse('v')));
    const status = await other.status();
    expect(status).toMatchObject({ sealed: 2, openable: false, lost: ['source:1'] });
    expect(status.message).toContain('source:1');
    await expect(other.get('source:1', 'k')).rejects.toSatisfy(isMissing);
  });

  it('does not open what was moved, changed or cut', async () => {
    const vault = await open();
    const sealed = Buffer.from(vault.seal(Buffer.from('value'), 'a'));
    expect(() => vault.unseal(sealed, 'b')).toThrow(expect.objectContaining({ code: 'key_missing' }));
    for (const at of [0, 3, 12, 25, sealed.length - 1]) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] as number) ^ 1;
      expect(() => vault.unseal(changed, 'a')).toThrow(expect.objectContaining({ code: 'key_missing' }));
    }
    for (const length of [0, 1, 36, sealed.length - 1])
      expect(() => vault.unseal(sealed.subarray(0, length), 'a')).toThrow(expect.objectContaining({ code: 'key_missing' }));
    await place.state.write(vault.set('source:1', 'k', Secret.parse('v')));
    await place.state.write({ query: place.state.db.updateTable('sealed').set({ owner: 'source:2' }) });
    await expect(vault.get('source:2', 'k')).rejects.toSatisfy(isMissing);
  });
});
