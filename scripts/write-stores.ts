/** Writes docs/reference/stores.md from what was seen on the real servers (docs/reference/stores.json). `--check` fails when it is stale. */
import { readFileSync, writeFileSync } from 'node:fs';
import { checks, isAsAmazon, readRecord } from '../test/stores/checks.ts';
import { storePrograms } from '../test/support/stores/store-server.ts';

type Name = keyof typeof storePrograms;

const page = new URL('../docs/reference/stores.md', import.meta.url);
const names = Object.keys(storePrograms) as Name[];
const heading = (name: Name): string => `${storePrograms[name].title} ${storePrograms[name].version}`;

const choice: Readonly<Record<Name, string>> = {
  radosgw: 'The strictest that is free: it refuses every bad signature that was tried, keeps any key, and lists as Amazon does.',
  seaweedfs: 'Another lineage with other quirks, and seconds to install; the demo’s bucket.',
  versitygw: 'S3 in front of a folder: the same tree as files and as a bucket.',
};

const started: Readonly<Record<Name, string>> = {
  radosgw:
    'One monitor and one disk in memory, without authentication between the daemons, and one gateway. Any user may start it. About 12 s, most of which the gateway needs to create its pools.',
  seaweedfs:
    '`weed mini`, bound to 127.0.0.1, every port given, telemetry and web pages off. Two identities are in a file: with none it would let everybody in, so being ready means refusing a stranger. Less than a second.',
  versitygw:
    '`versitygw posix` with `--versioning-dir`; metadata in extended attributes, or in files beside (`--sidecar`) where the temporary folder has none. Less than a second.',
};

/** What a person who connects such a store should know, beyond the table. */
const meaning: Readonly<Record<Name, readonly string[]>> = {
  radosgw: [
    'Checksums that a client sends with an object are not told again: packageR vouches only for the MD5 of objects that came in one part.',
    'A create-only upload in parts is not refused when the object is there: packageR looks before it completes one, which is no guard against a race.',
    'The date may lie ahead and the region may be any: the test of the source compares the clocks itself.',
    'A wrong version answers 404, a delete marker too.',
  ],
  seaweedfs: [
    'Listings go folder by folder, a folder where its name without the slash belongs. packageR puts them into byte order, folder by folder: walking a tree of many small folders takes a request for each.',
    'Listings of object versions lose some where they need more than one page.',
    'In a bucket with versions an object `a` is listed after `a-1` (after all names that go on with a character before the full stop). Where that falls on two pages, packageR stops with `store_response` rather than list in a wrong order: name such files otherwise, or keep no versions there.',
    'Empty and dot segments cannot be kept (`a//b` becomes `a/b`, `a/../b` is refused), a backslash is taken for a slash, and a segment has at most 255 bytes.',
    'A key that ends in a slash holds no bytes.',
    'An `Authorization` header beside a signed URL is ignored, where Amazon and Ceph answer 400: a page that works here may not work there.',
  ],
  versitygw: [
    'Keys are paths of files: a segment has at most 255 bytes, `a` and `a/b` cannot both be there, and `a//b` is `a/b`. **Dot segments lead elsewhere:** a write to `a/../b` lands in `b`; packageR refuses such keys.',
    'Names in listings are not percent-encoded, though asked for, and the answer says so; most control characters are spoilt by it.',
    'Listings of object versions repeat the last one of a page on the next.',
    'Without `--versioning-dir` it keeps no object versions.',
  ],
};

const cell = (text: string): string => text.replaceAll('|', '\\|');

function writeTable(): string[] {
  const record = readRecord();
  const rows = checks.map((check) => {
    const seen = names.map((name) => {
      const text = cell(record[name][check.name] ?? '–');
      return isAsAmazon(check, record[name][check.name]) ? text : `**${text.replaceAll('; ', ';<br>')}**`;
    });
    return `| ${[cell(check.name), cell([check.want].flat()[0] ?? ''), ...seen].join(' | ')} |`;
  });
  return [`| what is tried | Amazon S3 | ${names.map(heading).join(' | ')} |`, `|---|---|${names.map(() => '---|').join('')}`, ...rows];
}

function writeStores(): string {
  return [
    '# Stores',
    '',
    'Generated from `docs/reference/stores.json` by `node scripts/write-stores.ts`. Three real object stores are started by `npm test`; on each the',
    'driver’s conformance suite, the journeys of a steward and a collaborator, and the table below are run. A store that behaves otherwise than it is',
    'written here fails the tests, for better or worse. `UPDATE_STORES=1 npm test -- test/stores` writes what is seen.',
    '',
    '## Which, and why',
    '',
    '| store | why | how it is started |',
    '|---|---|---|',
    ...names.map((name) => `| ${heading(name)} | ${choice[name]} | ${started[name]} |`),
    '',
    'Each in a fresh folder and on free ports of the loopback interface. A store that takes wrong signatures (a mock) is of no use for anything that',
    'signs, and none is used. Other stores are known by name (`provider` of an [s3 source](config.md)), by what their makers publish; the test of',
    'a source finds out by itself what a bucket can do.',
    '',
    '## What was seen',
    '',
    'Status codes stand for answers. What Amazon S3 does is taken from its documentation, not from a run; **bold** is what differs from it. URLs are',
    'signed by packageR and sent untouched.',
    '',
    ...writeTable(),
    '',
    '## What it means',
    '',
    ...names.flatMap((name) => [`### ${storePrograms[name].title}`, '', ...meaning[name].map((line) => `- ${line}`), '']),
    '**On every store**: a key with a segment `.` or `..` cannot travel in a URL, since browsers and most clients fold it away before they send.',
    'packageR says so instead of giving out a URL that fails.',
    '',
  ].join('\n');
}

const text = writeStores();
if (!process.argv.includes('--check')) {
  writeFileSync(page, text);
} else if (readFileSync(page, 'utf8') !== text) {
  console.error('Stale: docs/reference/stores.md. Run: node scripts/write-stores.ts');
  process.exitCode = 1;
}
