import { describe, expect, it } from 'vitest';
import { parseKey } from '#model/key.ts';
import { parsePath, root } from '#model/path.ts';
import type { Tree } from '#model/tree.ts';
import { awkwardPaths, memoryTree, pointerFile } from '#testing/memory-tree.ts';
import { exportRequest, readBody } from '#testing/test-export.ts';
import { indexExport } from './index-html.ts';
import { type IndexPageRequest, writeIndexPage } from './index-page.ts';

async function write(request: Partial<IndexPageRequest> & Pick<IndexPageRequest, 'tree'>): Promise<string> {
  let page = '';
  for await (const part of writeIndexPage({ folder: root, title: 'alice/forest', ...request })) page += part;
  return page;
}

const hrefs = (page: string) => [...page.matchAll(/href="([^"]*)"/g)].map(([, href]) => href ?? '');

describe('the index page', () => {
  it('links direct children only, relative, folders with a slash', async () => {
    const tree = memoryTree(['a.txt', 'b/c.txt', 'b/d/e.txt', '😀'].map((path) => pointerFile(path, 'x')));
    expect(hrefs(await write({ tree }))).toEqual(['a.txt', 'b/', '%F0%9F%98%80']);
    expect(hrefs(await write({ tree, folder: parsePath('b') }))).toEqual(['c.txt', 'd/']);
    expect(hrefs(await write({ tree, folder: parsePath('b'), prefix: 'o/b/' }))).toEqual(['o/b/c.txt', 'o/b/d/']);
  });

  it('resolves every awkward name to its own child', async () => {
    for (const path of awkwardPaths) {
      const tree = memoryTree([pointerFile(path, 'x')]);
      const [href = ''] = hrefs(await write({ tree }));
      const url = new URL(href, 'http://h/s/I/o/');
      expect(decodeURIComponent(url.pathname)).toBe(`/s/I/o/${path.includes('/') ? `${path.split('/')[0]}/` : path}`);
      expect(url.search + url.hash).toBe('');
    }
  });

  it('holds names and titles as text: no markup, script or style', async () => {
    const hostile = [
      '<script>alert(1)<',
      '"><svg onload=alert(1)>',
      "Sun'><img src=x onerror=alert(1)>.jpg",
      '&lt;',
      'javascript:alert(1)',
    ];
    const page = await write({ tree: memoryTree(hostile.map((path) => pointerFile(path, 'x'))), title: '</title><script>x' });
    expect(page.match(/<(script|svg|img|style|iframe|link|base)\b/gi)).toBeNull();
    expect(page).not.toMatch(/ style=|javascript:alert\(1\)"/);
    expect(page).toContain('&lt;/title&gt;&lt;script&gt;x');
    expect(page).toContain('&amp;lt;');
  });

  it('holds a whole folder, or pages with a link to the next', async () => {
    const names = Array.from({ length: 2500 }, (_, i) => String(i).padStart(5, '0'));
    const tree = memoryTree(names.map((path) => pointerFile(path, 'x')));
    expect(hrefs(await write({ tree }))).toEqual(names);
    const first = await write({ tree, limit: 1000 });
    expect(hrefs(first)).toEqual([...names.slice(0, 1000), '?limit=1000&amp;cursor=1000']);
    expect(first).toContain('rel="next"');
    expect(hrefs(await write({ tree, limit: 1000, cursor: '2000' }))).toEqual(names.slice(2000));
  });

  it('shows an object that no path can name, without a link', async () => {
    const tree: Pick<Tree, 'list'> = { list: async () => ({ entries: [{ kind: 'unnamable', key: parseKey('a//<b>'), size: 7 }] }) };
    const page = await write({ tree });
    expect(page).toContain('&quot;a//&lt;b&gt;&quot;');
    expect(hrefs(page)).toEqual([]);
  });
});

describe('index.html', () => {
  const files = ['a', 'b/c', 'b/d', 'e/f'].map((path) => pointerFile(path, 'x'));
  const open = async (more = {}) => hrefs((await readBody(await indexExport.open(exportRequest(files, more)))).toString());

  it('links below o/, of a folder or selection', async () => {
    expect(await open()).toEqual(['o/a', 'o/b/', 'o/e/']);
    expect(await open({ folder: parsePath('b') })).toEqual(['o/b/c', 'o/b/d']);
    expect(await open({ only: [parsePath('b/c'), parsePath('a')] })).toEqual(['o/a', 'o/b/']);
    expect(await open({ query: { limit: '1' } })).toEqual(['o/a', '?limit=1&amp;cursor=1']);
  });

  it('refuses a file, a limit and a cursor that are none', async () => {
    await expect(open({ folder: parsePath('a') })).rejects.toMatchObject({ code: 'not_found' });
    await expect(open({ query: { cursor: 'x' } })).rejects.toMatchObject({ code: 'cursor_invalid' });
    for (const limit of ['0', '1001', '-1', 'x', '1e2'])
      await expect(open({ query: { limit } })).rejects.toMatchObject({ code: 'request_invalid' });
  });
});
