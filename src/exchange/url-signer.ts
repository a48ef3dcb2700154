/**
 * packageR's own signatures, for stores whose bytes it serves itself (`folder`, `memory`): `<base>/o/<key id>.<sealed>/<file name>`. What is
 * signed is sealed with AES-256-GCM, so whoever holds the URL can neither change it nor read the source and key in it: a share discloses no
 * location. The file name is for people and is bound to the payload too. The newest key seals; those before it open until they retire.
 */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { PackageRError } from '#errors/error.ts';
import { encodeExtended } from '#exchange/disposition.ts';
import { parsePayload, writePayload } from '#exchange/signed-token.ts';
import type { Clock, MakeId } from '#model/clock.ts';
import type { SignedObject } from '#model/temporary-url.ts';
import type { State } from '#state/state.ts';
import type { Vault } from '#state/vault.ts';

export interface SigningKeysOptions {
  readonly state: State;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly makeId: MakeId;
  /** The base of the content listener without a slash at the end, asked at each signature: its port may be known late. */
  readonly base: () => string;
}

interface SigningKey {
  readonly id: string;
  readonly key: KeyObject;
  readonly retiresAt: number | null;
}

/** Milliseconds: a day more than the longest signature lives. */
const retireAfter = 8 * 86_400_000;
/** Milliseconds between two looks for a key that another process made. */
const reloadAfter = 5000;
const urlLimit = 8192;
const form = /\/o\/([A-Za-z0-9_-]{1,64})\.([A-Za-z0-9_-]{48,8000})\/([^/?#]{1,1024})$/;
const sizes = { nonce: 12, tag: 16 } as const;

export class SigningKeys {
  readonly #options: SigningKeysOptions;
  #keys: readonly SigningKey[] = [];
  #loadedAt = 0;
  /** Numbers of the looks for keys: the last that was begun, and the one that the keys are of. */
  #begun = 0;
  #known = 0;

  private constructor(options: SigningKeysOptions) {
    this.#options = options;
  }

  /** Makes the first key where there is none that opens: a lost key ends the URLs it signed and nothing else. */
  static async open(options: SigningKeysOptions): Promise<SigningKeys> {
    const keys = new SigningKeys(options);
    await keys.#load();
    if (keys.#newest() === undefined) await keys.rotate();
    return keys;
  }

  /** An absolute URL, usable as it stands. Errors: request_invalid for one that would be too long or is no instant. */
  sign(object: SignedObject): string {
    const newest = this.#newest();
    if (newest === undefined) throw new PackageRError('key_missing', 'There is no key to sign with.');
    if (!Number.isSafeInteger(object.expiresAt) || object.expiresAt < 0 || object.expiresAt >= 2 ** 48) {
      throw new PackageRError('request_invalid', 'The end of a temporary URL is no instant.', { operation: 'exchange.sign' });
    }
    const url = `${this.#options.base()}/o/${newest.id}.${seal(newest, writePayload(object))}/${fileNameOf(object)}`;
    if (url.length > urlLimit) throw new PackageRError('request_invalid', `A temporary URL would be longer than ${urlLimit} bytes.`);
    return url;
  }

  /** `url`: absolute, or the raw path of the request. Errors: signature_invalid, signature_expired. */
  async verify(url: string): Promise<SignedObject> {
    const match = url.length > urlLimit ? null : form.exec(url);
    const [, id = '', sealed = '', fileName = ''] = match ?? [];
    const key = match === null ? undefined : ((await this.#find(id)) ?? (await this.#findAnew(id)));
    if (key === undefined) throw refused('signature_invalid');
    const payload = open(key, sealed);
    const object = payload === undefined ? undefined : parsePayload(payload);
    if (object === undefined || decoded(fileName) !== decoded(fileNameOf(object))) throw refused('signature_invalid');
    if (object.expiresAt <= this.#options.clock()) throw refused('signature_expired');
    return object;
  }

  /**
   * A new key signs from now on; those before it verify for eight days more, then they are forgotten. With `now` they are forgotten at
   * once: every temporary URL that packageR itself signed ends.
   */
  async rotate({ now: isAtOnce = false }: { readonly now?: boolean | undefined } = {}): Promise<void> {
    const { state, vault, clock, makeId } = this.#options;
    const id = makeId();
    const now = clock();
    const sealed = vault.seal(randomBytes(32), labelOf(id));
    const retired = state.db.deleteFrom('signing_key');
    await state.write(
      { query: isAtOnce ? retired : retired.where('retires_at', '<=', now) },
      {
        query: state.db
          .updateTable('signing_key')
          .set({ retires_at: now + retireAfter })
          .where('retires_at', 'is', null),
      },
      { query: state.db.insertInto('signing_key').values({ id, sealed, created_at: now, retires_at: null }) },
    );
    await this.#load();
  }

  #newest(): SigningKey | undefined {
    return this.#keys.find((key) => key.retiresAt === null);
  }

  async #find(id: string): Promise<SigningKey | undefined> {
    const now = this.#options.clock();
    return this.#keys.find((key) => key.id === id && (key.retiresAt === null || key.retiresAt > now));
  }

  async #findAnew(id: string): Promise<SigningKey | undefined> {
    // Where the clock was set back, what was loaded “later” is of an unknown age.
    const age = this.#options.clock() - this.#loadedAt;
    if (age >= 0 && age < reloadAfter) return undefined;
    await this.#load();
    return this.#find(id);
  }

  async #load(): Promise<void> {
    const { state, vault, clock } = this.#options;
    const look = ++this.#begun;
    const rows = await state.db.selectFrom('signing_key').selectAll().orderBy('created_at', 'desc').execute();
    // A look that was begun later knows better: what it found gone does not come back.
    if (look < this.#known) return;
    this.#known = look;
    this.#loadedAt = clock();
    this.#keys = rows.flatMap((row) => {
      const bytes = unsealed(() => vault.unseal(row.sealed, labelOf(row.id)));
      return bytes === undefined ? [] : [{ id: row.id, key: createSecretKey(bytes), retiresAt: row.retires_at }];
    });
  }
}

/** Nonce, ciphertext and tag, base64url; the key id is authenticated with them. */
function seal({ id, key }: SigningKey, payload: Buffer): string {
  const nonce = randomBytes(sizes.nonce);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(`package-r/url/1\n${id}`));
  return Buffer.concat([nonce, cipher.update(payload), cipher.final(), cipher.getAuthTag()]).toString('base64url');
}

/** The twin of seal; undefined for anything that it did not make, another spelling of the same bytes included. */
function open({ id, key }: SigningKey, sealed: string): Buffer | undefined {
  const bytes = Buffer.from(sealed, 'base64url');
  if (bytes.toString('base64url') !== sealed || bytes.length <= sizes.nonce + sizes.tag) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, sizes.nonce), { authTagLength: sizes.tag });
  decipher.setAAD(Buffer.from(`package-r/url/1\n${id}`)).setAuthTag(bytes.subarray(-sizes.tag));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(sizes.nonce, -sizes.tag)), decipher.final()]);
  } catch {
    return undefined;
  }
}

/** The name that the file is saved under, else the last segment of its key. */
function fileNameOf({ key, responseHeaders }: SignedObject): string {
  const disposition = responseHeaders?.contentDisposition ?? '';
  const extended = /; filename\*=UTF-8''([A-Za-z0-9!#$&+.^_`|~%-]+)$/.exec(disposition)?.[1];
  const plain = /; filename="([^"]+)"/.exec(disposition)?.[1] ?? key.slice(key.lastIndexOf('/') + 1);
  const name = decoded(extended ?? '') || plain;
  const safe = [...name.toWellFormed()].slice(0, 80).join('');
  return safe === '' || /^\.+$/.test(safe) ? 'object' : encodeExtended(safe).replace(/!/g, '%21');
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function unsealed(open: () => Buffer): Buffer | undefined {
  try {
    return open();
  } catch {
    return undefined;
  }
}

function labelOf(id: string): string {
  return `signing_key:${id}`;
}

function refused(code: 'signature_invalid' | 'signature_expired'): PackageRError {
  return new PackageRError(code, undefined, { operation: 'exchange.verify' });
}
