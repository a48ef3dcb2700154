import { describe, expect, it } from 'vitest';
import type { Export } from '#exports/export.ts';
import { pointerFile, textFile } from '#testing/memory-tree.ts';
import { exportRequest, readBody } from '#testing/test-export.ts';
import { aria2Export } from './aria2.ts';
import { curlExport } from './curl.ts';
import { omissionsExport } from './omissions.ts';
import { md5SumsExport, sha256SumsExport } from './sums.ts';
import { urlsExport } from './urls.ts';

const [md5, sha256] = ['1'.repeat(32), '2'.repeat(64)];
const base = 'https://packages.example/s/ShareId/o';
const files = [
  pointerFile(' lead"\\q', 'x', { checksums: [{ algorithm: 'sha256', value: sha256, evidence: 'verified' }] }),
  pointerFile('a b&c', 'x', { checksums: [{ algorithm: 'md5', value: md5, evidence: 'stored' }] }),
  pointerFile('only stated', 'x', { checksums: [{ algorithm: 'sha256', value: sha256, evidence: 'stated' }] }),
  pointerFile('trails ', 'x', { checksums: [] }),
  textFile('z', 'z'),
];
const z = '594e519ae499312b29433b7dd8a97ff068defcba9755b6d5d00e84c524d67b06';

const write = async (subject: Export, query = {}) => (await readBody(await subject.open(exportRequest(files, { query })))).toString();

describe('lists', () => {
  it('urls.txt', async () => {
    expect(await write(urlsExport)).toBe(
      `${base}/%20lead%22%5Cq\n${base}/a%20b%26c\n${base}/only%20stated\n${base}/trails%20\n${base}/z\n`,
    );
  });

  it('aria2.txt, with checksums that are known and notes where not', async () => {
    const unknown = '# no checksum is known of the next file\n';
    expect(await write(aria2Export)).toBe(
      `${base}/%20lead%22%5Cq\n  out=./ lead"\\q\n  checksum=sha-256=${sha256}\n` +
        `${base}/a%20b%26c\n  out=./a b&c\n  checksum=md5=${md5}\n` +
        `${unknown}${base}/only%20stated\n  out=./only stated\n` +
        `# left out, as aria2 drops white space at the end of a name: ${base}/trails%20\n` +
        `${base}/z\n  out=./z\n  checksum=sha-256=${z}\n`,
    );
  });

  it('curl.cfg, quoted', async () => {
    const text = await write(curlExport);
    expect(text).toContain(`url = "${base}/%20lead%22%5Cq"\noutput = "./ lead\\"\\\\q"\n`);
    expect(text.match(/^url = /gm)?.length).toBe(files.length);
  });

  it('SHA256SUMS and MD5SUMS, of what is verified or stored, escaped as coreutils does', async () => {
    expect(await write(sha256SumsExport)).toBe(`\\${sha256}   lead"\\\\q\n${z}  z\n`);
    expect(await write(sha256SumsExport, { evidence: 'stated' })).toContain(`${sha256}  only stated\n`);
    expect(await write(sha256SumsExport, { evidence: 'verified' })).toBe(`\\${sha256}   lead"\\\\q\n${z}  z\n`);
    expect(await write(md5SumsExport)).toBe(`${md5}  a b&c\n`);
    expect(await write(md5SumsExport, { evidence: 'verified' })).toBe('');
  });

  it('omissions.txt says what is left out, and why', async () => {
    const lines = (await write(omissionsExport)).split('\n');
    expect(lines).toContain('SHA256SUMS\tonly stated\tits sha256 is only stated');
    expect(lines).toContain('SHA256SUMS\ttrails \tno sha256 is known');
    expect(lines).toContain('MD5SUMS\tz\tno md5 is known');
    expect(lines).toContain('aria2.txt\ttrails \taria2 drops white space at the end of a name');
    expect(lines).not.toContain('SHA256SUMS\tz\tno sha256 is known');
  });
});
