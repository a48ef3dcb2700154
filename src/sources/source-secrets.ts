/**
 * Secrets of sources: one file a value in the secrets folder, `<folder>/<source>/<FILE>`, which wins; else sealed in the vault. They
 * never come from the environment of the process.
 */
import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { DriverDefinition, SecretOption } from '#drivers/driver.ts';
import { PackageRError } from '#errors/error.ts';
import { Secret } from '#model/secret.ts';
import type { SecretView } from '#sources/source.ts';
import type { Write } from '#state/state.ts';
import type { Vault } from '#state/vault.ts';

const fileLimit = 64 * 1024;

export class SourceSecrets {
  readonly #vault: Vault;
  readonly #folder: string | undefined;

  constructor(options: { readonly vault: Vault; readonly folder: string | undefined }) {
    this.#vault = options.vault;
    this.#folder = options.folder;
  }

  /**
   * All that are set. Errors: secret_invalid for a required one that is missing, and for a file that others may read or that leads out
   * of the folder; key_missing.
   */
  async open(id: string, name: string, definition: DriverDefinition): Promise<Record<string, Secret>> {
    const secrets: Record<string, Secret> = {};
    for (const option of definition.secrets) {
      const found = (await this.#readFile(name, option)) ?? (await this.#vault.get(ownerOf(id), option.name));
      if (found !== undefined) secrets[option.name] = found;
      else if (option.required) throw missing(name, option, this.#folder !== undefined);
    }
    return secrets;
  }

  /** Which are set and from where; never what they are. A file that cannot be used counts as set: opening says what is wrong with it. */
  async view(id: string, name: string, definition: DriverDefinition): Promise<Record<string, SecretView>> {
    const views: Record<string, SecretView> = {};
    const kept = definition.secrets.length === 0 ? [] : await this.#vault.names(ownerOf(id));
    for (const option of definition.secrets) {
      const path = await this.#findFile(name, option).catch(() => option.file);
      if (path !== undefined) views[option.name] = { set: true, from: 'folder' };
      else if (kept.includes(option.name)) views[option.name] = { set: true, from: 'state' };
    }
    return views;
  }

  /** Null removes one. */
  write(id: string, secrets: Readonly<Record<string, Secret | null>>): Write[] {
    const owner = ownerOf(id);
    return Object.entries(secrets).map(([name, secret]) =>
      secret === null ? this.#vault.remove(owner, name) : this.#vault.set(owner, name, secret),
    );
  }

  remove(id: string): Write {
    return this.#vault.remove(ownerOf(id));
  }

  async #findFile(name: string, option: SecretOption): Promise<string | undefined> {
    if (this.#folder === undefined) return undefined;
    const path = await realpath(join(this.#folder, name, option.file)).catch(unlessMissing);
    if (path === undefined) return undefined;
    const folder = await realpath(join(this.#folder, name));
    const above = await realpath(this.#folder);
    if (!folder.startsWith(above + sep) || !path.startsWith(folder + sep)) throw refused(name, option, 'leads out of the secrets folder');
    return path;
  }

  async #readFile(name: string, option: SecretOption): Promise<Secret | undefined> {
    const path = await this.#findFile(name, option);
    if (path === undefined) return undefined;
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(() => {
      throw refused(name, option, 'cannot be read');
    });
    try {
      const stat = await file.stat();
      if (!stat.isFile()) throw refused(name, option, 'is not a file');
      if ((stat.mode & 0o077) !== 0)
        throw refused(name, option, `can be read by others (mode ${(stat.mode & 0o777).toString(8).padStart(4, '0')}): chmod 600 it`);
      if (stat.size > fileLimit) throw refused(name, option, `is larger than ${fileLimit} bytes`);
      const text = await file.readFile('utf8');
      if (text.trim() === '') throw refused(name, option, 'is empty');
      return Secret.parse(text);
    } finally {
      await file.close();
    }
  }
}

function ownerOf(id: string): string {
  return `source:${id}`;
}

function unlessMissing(error: unknown): undefined {
  const code = (error as { code?: unknown }).code;
  if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
  throw new PackageRError('secret_invalid', 'The secrets folder cannot be read.', { cause: error });
}

function missing(name: string, option: SecretOption, hasFolder: boolean): PackageRError {
  const file = hasFolder ? `, or put it into the file ${name}/${option.file} of the secrets folder` : '';
  return new PackageRError('secret_invalid', `The source ${name} needs the secret “${option.name}”: set it${file}.`);
}

function refused(name: string, option: SecretOption, fault: string): PackageRError {
  return new PackageRError('secret_invalid', `The file ${name}/${option.file} of the secrets folder ${fault}.`);
}
