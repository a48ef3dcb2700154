/** Built-in drivers and exports, a line each. */
import type { DriverDefinition } from '#drivers/driver.ts';
import type { Export } from '#exports/export.ts';

export const drivers: readonly DriverDefinition[] = [];
export const exports_: readonly Export[] = [];
