import { describe, expect, it } from 'vitest';
import { cutDirsOf, pastedLines, pastedUnpackedLines, quote } from './lines.ts';

describe('pasted lines', () => {
  it('cut as many folders as the link is deep', () => {
    expect(cutDirsOf('https://h.example/s/ID/')).toBe(3);
    expect(cutDirsOf('https://h.example/s/ID~ticket/')).toBe(3);
    expect(cutDirsOf('https://h.example/pre/fix/s/ID/')).toBe(5);
    expect(cutDirsOf('https://h.example/p/alice/forest@3/')).toBe(4);
    expect(() => cutDirsOf('https://h.example/s/ID')).toThrow();
    expect(pastedLines({ base: 'https://h.example/x/s/ID/' })[1]?.line).toContain('--cut-dirs=4');
  });

  it('name curl first, and never options that take names from the store', () => {
    const lines = pastedLines({ base: 'https://h.example/s/ID/', verify: ['sha256', 'md5'] });
    expect(lines.map(({ client }) => client)).toEqual(['curl', 'wget', 'aria2', 'rclone']);
    for (const { line } of lines) expect(line).not.toMatch(/trust-server-names|content-disposition|-OJ|-J /);
    expect(lines[0]?.line).toContain(
      ' ; curl -sSf https://h.example/s/ID/SHA256SUMS | sha256sum -c --quiet - && curl -sSf https://h.example/s/ID/MD5SUMS | md5sum -c --quiet -',
    );
    expect(pastedLines({ base: 'https://h.example/s/ID/', verify: [] })[1]?.line).toMatch(/; done$/);
  });

  it('of curl and wget try again a bounded number of times, each on one line', () => {
    for (const { line } of pastedLines({ base: 'https://h.example/s/ID/' }).slice(0, 2)) {
      expect(line).toMatch(/for round in 1 2 3 4 5 6 7 8 9; do .* break; sleep 2; done ; /);
      expect(line).not.toContain('\n');
    }
  });

  it('quote a base, query or folder that a shell would read', () => {
    const [curl, , , rclone] = pastedLines({ base: 'https://h.example/s/ID/', query: "folder=a&x='$(id)'", destination: 'my data' });
    expect(curl?.line).toContain(`'https://h.example/s/ID/curl.cfg?folder=a&x='\\''$(id)'\\'''`);
    expect(rclone?.line).toBe("rclone copy --http-url https://h.example/s/ID/o/ :http: 'my data'");
    expect(quote('~x')).toBe("'~x'");
    expect(quote('')).toBe("''");
  });

  it('for an unpacked archive, with the link that has the ticket where there is one', () => {
    expect(pastedUnpackedLines({}).map(({ line }) => line)).toEqual(['sh fetch-packageR.sh curl', 'sh fetch-packageR.sh wget']);
    expect(pastedUnpackedLines({ base: 'https://h/s/I~t/' })[1]?.line).toBe('sh fetch-packageR.sh wget https://h/s/I~t/');
  });
});
