/** The folder driver: a directory of this machine seen as an object store. */
import type { Capabilities } from '#drivers/capability.ts';
import type { Driver, DriverContext } from '#drivers/driver.ts';
import { folderError } from '#drivers/folder/errors.ts';
import { listFolder } from '#drivers/folder/list.ts';
import { folderMultipart } from '#drivers/folder/multipart.ts';
import { NameCache, probeCase } from '#drivers/folder/names.ts';
import { FolderRoot } from '#drivers/folder/place.ts';
import { readFile, statFile } from '#drivers/folder/read.ts';
import { cleanScratch } from '#drivers/folder/scratch.ts';
import { copyFile, deleteFile, writeFile } from '#drivers/folder/write.ts';
import { localUrlMaxSeconds, presignLocally } from '#drivers/local-url.ts';

export interface FolderSettings {
  /** Absolute path of a directory. */
  readonly root: string;
  readonly writable: boolean;
}

/** Errors: source_unavailable where the root cannot be opened, link_refused where its scratch folder is a link. */
export async function openFolder({ root: path, writable }: FolderSettings, context: DriverContext): Promise<Driver> {
  const root = await FolderRoot.open(path);
  try {
    const keyCase = await probeCase(root);
    if (writable) await cleanScratch(root, context.clock);
    const capabilities: Capabilities = {
      presign: 'local',
      presignMaxSeconds: localUrlMaxSeconds,
      write: writable,
      copy: writable,
      delete: writable,
      multipart: writable,
      versions: false,
      checksums: [],
      keyCase,
      publicUrls: false,
      cors: false,
      ordered: true,
    };
    return { ...readable(root, capabilities, context), ...(writable ? writing(root) : {}) };
  } catch (error) {
    await root.close();
    throw folderError(error, 'folder.open', '');
  }
}

function readable(root: FolderRoot, capabilities: Capabilities, context: DriverContext): Driver {
  const names = new NameCache();
  return {
    kind: 'folder',
    capabilities,
    list: (request) => listFolder(root, names, request),
    stat: (key, options) => statFile(root, key, options),
    read: (key, options) => readFile(root, key, options),
    presign: (request) => presignLocally(request, capabilities, context),
    close: () => root.close(),
  };
}

function writing(root: FolderRoot): Partial<Driver> {
  return {
    write: (key, body, options) => writeFile(root, key, body, options),
    copy: (from, to, options) => copyFile(root, from, to, options),
    delete: (key, options) => deleteFile(root, key, options),
    multipart: folderMultipart(root),
  };
}
