/**
 * The vault keeps secrets sealed with the key of the data folder: AES-256-GCM, bound to what they are for, so that a sealed value
 * moved to another row does not open. A sealed value begins with a format byte and the id of its key.
 * Form: 1 byte format (1) · 8 bytes id of the key · 12 bytes nonce · 16 bytes tag · ciphertext.
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes, randomUUID } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PackageRError } from '#errors/error.ts';
import { Secret } from '#model/secret.ts';
import type { State, Write } from '#state/state.ts';

export interface VaultStatus {
  /** Values that are kept sealed. */
  readonly sealed: number;
  /** All of them were sealed with the present key. */
  readonly openable: boolean;
  /** Owners of those that were not. */
  readonly lost: readonly string[];
  /** One sentence for the log of start-up. */
  readonly message: string;
}

const format = 1;
const sizes = { key: 32, id: 8, nonce: 12, tag: 16 } as const;
const headerSize = 1 + sizes.id + sizes.nonce + sizes.tag;

export class Vault {
  readonly #state: State;
  readonly #key: Buffer;
  readonly #keyId: Buffer;

  private constructor(state: State, key: Buffer) {
    this.#state = state;
    this.#key = key;
    this.#keyId = createHmac('sha256', key).update('package-r key id').digest().subarray(0, sizes.id);
  }

  /**
   * `envKey` (32 bytes in base64 or hex) is used where given, else `<folder>/key`, which is made (0600) where it is missing.
   * Errors: key_missing for a key that cannot be read or has another length.
   */
  static async open({
    state,
    folder,
    envKey,
  }: {
    readonly state: State;
    readonly folder: string;
    readonly envKey?: Secret | undefined;
  }): Promise<Vault> {
    if (envKey !== undefined) return new Vault(state, parseKeyText(envKey.reveal(), 'PACKAGE_R_KEY'));
    return new Vault(state, await readOrMakeKey(folder));
  }

  /** To be written in a unit with whatever it belongs to; replaces an older value. */
  set(owner: string, name: string, secret: Secret): Write {
    const sealed = this.seal(Buffer.from(secret.reveal()), labelOf(owner, name));
    const query = this.#state.db
      .insertInto('sealed')
      .values({ owner, name, sealed })
      .onConflict((conflict) => conflict.columns(['owner', 'name']).doUpdateSet({ sealed }));
    return { query };
  }

  /** Errors: key_missing where it was sealed with another key or is damaged. */
  async get(owner: string, name: string): Promise<Secret | undefined> {
    const row = await this.#state.db
      .selectFrom('sealed')
      .select('sealed')
      .where('owner', '=', owner)
      .where('name', '=', name)
      .executeTakeFirst();
    if (row === undefined) return undefined;
    const text = this.unseal(row.sealed, labelOf(owner, name)).toString();
    // Secret.parse drops one line break at the end: a second one belongs to the value.
    return Secret.parse(text.endsWith('\n') ? `${text}\n` : text);
  }

  async names(owner: string): Promise<string[]> {
    const rows = await this.#state.db.selectFrom('sealed').select('name').where('owner', '=', owner).orderBy('name').execute();
    return rows.map((row) => row.name);
  }

  /** All of the owner where `name` is left out. */
  remove(owner: string, name?: string): Write {
    const query = this.#state.db.deleteFrom('sealed').where('owner', '=', owner);
    return { query: name === undefined ? query : query.where('name', '=', name) };
  }

  /** `label` says what it is for; only the same label opens it. */
  seal(bytes: Uint8Array, label: string): Uint8Array {
    const nonce = randomBytes(sizes.nonce);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(Buffer.from(label));
    const body = Buffer.concat([cipher.update(bytes), cipher.final()]);
    return Buffer.concat([Buffer.of(format), this.#keyId, nonce, cipher.getAuthTag(), body]);
  }

  /** Errors: key_missing where it was sealed with another key or for another label, or is damaged. */
  unseal(sealed: Uint8Array, label: string): Buffer {
    const bytes = Buffer.from(sealed);
    if (bytes.length < headerSize || bytes[0] !== format) throw unopened('is damaged');
    if (!this.#isOurs(bytes)) throw unopened('was sealed with another key');
    const nonce = bytes.subarray(1 + sizes.id, 1 + sizes.id + sizes.nonce);
    const tag = bytes.subarray(headerSize - sizes.tag, headerSize);
    const decipher = createDecipheriv('aes-256-gcm', this.#key, nonce, { authTagLength: sizes.tag });
    try {
      decipher.setAAD(Buffer.from(label)).setAuthTag(tag);
      return Buffer.concat([decipher.update(bytes.subarray(headerSize)), decipher.final()]);
    } catch (cause) {
      throw unopened('is damaged or was sealed for something else', cause);
    }
  }

  /** What could not be opened with the present key, without opening anything. */
  async status(): Promise<VaultStatus> {
    const secrets = await this.#state.db.selectFrom('sealed').select(['owner', 'sealed']).orderBy('owner').execute();
    const keys = await this.#state.db.selectFrom('signing_key').select(['id', 'sealed']).execute();
    const rows = [...secrets, ...keys.map(({ sealed }) => ({ owner: 'signing keys', sealed }))];
    const lost = [...new Set(rows.filter((row) => !this.#isOurs(Buffer.from(row.sealed))).map((row) => row.owner))];
    return { sealed: rows.length, openable: lost.length === 0, lost, message: messageOf(rows.length, lost) };
  }

  #isOurs(sealed: Buffer): boolean {
    return sealed[0] === format && sealed.subarray(1, 1 + sizes.id).equals(this.#keyId);
  }
}

function messageOf(sealed: number, lost: readonly string[]): string {
  if (lost.length > 0)
    return `Secrets of ${lost.join(', ')} were sealed with another key: restore <data>/key or PACKAGE_R_KEY, or enter them again.`;
  if (sealed === 0) return 'No secrets are sealed yet.';
  return `${sealed} secrets are sealed with this key: keep <data>/key apart from backups of the data; without it they are lost.`;
}

function unopened(what: string, cause?: unknown): PackageRError {
  return new PackageRError('key_missing', `A sealed secret ${what}.`, { operation: 'vault.unseal', cause });
}

function labelOf(owner: string, name: string): string {
  return JSON.stringify([owner, name]);
}

function parseKeyText(text: string, where: string): Buffer {
  const bare = text.trim();
  const isHex = /^[0-9a-f]{64}$/i.test(bare);
  const key = isHex ? Buffer.from(bare, 'hex') : /^[A-Za-z0-9+/_-]{43}=?$/.test(bare) ? Buffer.from(bare, 'base64') : Buffer.alloc(0);
  if (key.length !== sizes.key) throw new PackageRError('key_missing', `${where} does not hold a key: 32 bytes in base64 or hex.`);
  return key;
}

async function readOrMakeKey(folder: string): Promise<Buffer> {
  const path = join(folder, 'key');
  const found = await readKeyFile(path);
  if (found !== undefined) return found;
  await makeKeyFile(folder, path);
  const made = await readKeyFile(path);
  if (made === undefined) throw new PackageRError('key_missing', `The key file ${JSON.stringify(path)} vanished.`);
  return made;
}

async function readKeyFile(path: string): Promise<Buffer | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'latin1');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new PackageRError('key_missing', `The key file ${JSON.stringify(path)} cannot be read.`, { cause });
  }
  const key = parseKeyText(text, `The key file ${JSON.stringify(path)}`);
  // A key that is handed in read-only (a mounted secret) cannot be made private by us.
  await chmod(path, 0o600).catch(() => undefined);
  return key;
}

/** The key appears whole or not at all, and never in place of one that is there. */
async function makeKeyFile(folder: string, path: string): Promise<void> {
  const draft = `${path}.${randomUUID()}`;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(`${randomBytes(sizes.key).toString('base64')}\n`);
      await file.chmod(0o600);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(draft, path).catch(ignoreExisting);
  } catch (cause) {
    throw new PackageRError('key_missing', `The key file ${JSON.stringify(path)} cannot be made.`, { cause });
  } finally {
    await rm(draft, { force: true });
  }
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}
