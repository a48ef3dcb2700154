import { testExport } from '#testing/test-export.ts';
import { indexExport } from './html/index-html.ts';
import { aria2Export } from './lists/aria2.ts';
import { curlExport } from './lists/curl.ts';
import { omissionsExport } from './lists/omissions.ts';
import { md5SumsExport, sha256SumsExport } from './lists/sums.ts';
import { urlsExport } from './lists/urls.ts';
import { manifestExport, manifestSumExport } from './manifest/manifest.ts';
import { zipExport } from './zip/zip.ts';

const all = [
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

for (const one of all) testExport(one.name, one);
