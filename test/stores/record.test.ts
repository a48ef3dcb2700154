/** What is written about the stores: complete, fresh, and of the versions that are tested. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { storePrograms } from '../support/stores/store-server.ts';
import { checks, readRecord } from './checks.ts';

const project = new URL('../../', import.meta.url);
const run = promisify(execFile);

describe('the record of the stores', () => {
  it('has every check of every store', () => {
    const names = checks.map((check) => check.name);
    expect(new Set(names).size).toBe(names.length);
    expect(Object.keys(readRecord())).toEqual(Object.keys(storePrograms));
    for (const seen of Object.values(readRecord())) expect(Object.keys(seen)).toEqual(names);
  });

  it('says of each that a wrong signature is refused', () => {
    const must = [
      'signature tampered with; in capital letters',
      'expired; no signature; unknown access key',
      'another key; a parameter added; a longer life',
    ];
    for (const seen of Object.values(readRecord())) {
      for (const name of must) expect(seen[name]).toMatch(/^403(, 403)+$/);
    }
  });

  it('is the page', async () => {
    await run(process.execPath, ['scripts/write-stores.ts', '--check'], { cwd: project });
  });

  it('is of the versions that .ci/stores fetches', () => {
    const script = readFileSync(new URL('.ci/stores', project), 'utf8');
    expect(script).toContain(`\nseaweedfs=${storePrograms.seaweedfs.version}\n`);
    expect(script).toContain(`\nversitygw=v${storePrograms.versitygw.version}\n`);
  });
});
