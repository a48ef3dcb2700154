/** Registers the memory driver. */
import type { DriverDefinition } from '#drivers/driver.ts';
import { openMemory } from '#drivers/memory/driver.ts';
import { memoryOptions } from '#drivers/memory/options.ts';

export const memoryDriver: DriverDefinition = {
  kind: 'memory',
  title: 'Memory (gone when packageR stops)',
  options: memoryOptions,
  secrets: [],
  open: ({ options }, context) => openMemory({ versions: options['versions'] !== false }, context),
};
