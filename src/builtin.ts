/** Built-in drivers and exports, a line each. */
import type { DriverDefinition } from '#drivers/driver.ts';
import { folderDriver } from '#drivers/folder/definition.ts';
import { memoryDriver } from '#drivers/memory/definition.ts';
import { s3Driver } from '#drivers/s3/definition.ts';
import type { Export } from '#exports/export.ts';
import { indexExport } from '#exports/html/index-html.ts';
import { aria2Export } from '#exports/lists/aria2.ts';
import { curlExport } from '#exports/lists/curl.ts';
import { omissionsExport } from '#exports/lists/omissions.ts';
import { md5SumsExport, sha256SumsExport } from '#exports/lists/sums.ts';
import { urlsExport } from '#exports/lists/urls.ts';
import { manifestExport, manifestSumExport } from '#exports/manifest/manifest.ts';
import { zipExport } from '#exports/zip/zip.ts';

export const builtinDrivers: readonly DriverDefinition[] = [folderDriver, memoryDriver, s3Driver];
export const builtinExports: readonly Export[] = [
  manifestExport,
  manifestSumExport,
  urlsExport,
  aria2Export,
  curlExport,
  sha256SumsExport,
  md5SumsExport,
  omissionsExport,
  indexExport,
  zipExport,
];
