/** Registers the folder driver. */
import type { DriverDefinition } from '#drivers/driver.ts';
import { openFolder } from '#drivers/folder/driver.ts';
import { folderOptions } from '#drivers/folder/options.ts';

export const folderDriver: DriverDefinition = {
  kind: 'folder',
  title: 'Folder of this machine',
  options: folderOptions,
  secrets: [],
  open: ({ options }, context) => openFolder({ root: String(options['root']), writable: options['writable'] === true }, context),
};
