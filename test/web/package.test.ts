/** The page of a package in a real browser: README, files, pointers, versions, comparison, saving; and texts of strangers, which do nothing. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Packager, startPackager } from '../support/packager.ts';
import { findBarriers, hasBrowser, TestBrowser, type Watched } from './browser.ts';

const hostile = [
  '# Not what it seems',
  '<script>window.__xss = 1</script><img src=x onerror="window.__xss = 2"><svg onload="window.__xss = 3">',
  '[run](javascript:window.__xss=4) [data](data:text/html,<script>window.__xss=5</script>)',
  '![The map](https://evil.example/map.png) [![built](https://evil.example/b.svg)](https://evil.example/)',
  '[out](../../../../etc/passwd) [elsewhere](//evil.example/x)',
  '[the notes](notes/a.md) and [how](#how-it-was-made)',
  '| a | b |\n|---|--:|\n| 1 | <iframe srcdoc="<script>window.__xss=6</script>"> |',
  '<style>@import "https://evil.example/x.css"</style><form action="https://evil.example"><input name=q></form>',
  '```html\n<script>window.__xss = 7</script>\n```',
  'A line.\n\n'.repeat(40),
  '## How it was made',
].join('\n\n');

let server: Packager;
let browser: TestBrowser;

async function signIn({ page }: Watched, path: string): Promise<void> {
  await page.goto(`${server.url}/login?to=${encodeURIComponent(path)}`);
  await page.getByLabel('Name').fill('admin');
  await page.getByLabel('Password').fill(server.adminPassword);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL((url) => url.pathname !== '/login');
}

const api = (path: string): string => `${server.url}/api/v1/packages/admin/${path}`;
const row = (page: Page, name: string) => page.getByRole('row').filter({ hasText: name });
const asked = { 'x-requested-with': 'packageR' };

async function put({ context }: Watched, path: string, data: string): Promise<void> {
  const headers = { ...asked, 'content-type': 'application/octet-stream' };
  expect((await context.request.put(api(path), { data, headers })).status(), path).toBe(200);
}

describe.skipIf(!hasBrowser)('the page of a package', () => {
  beforeAll(async () => {
    server = await startPackager();
    const folder = join(server.folder, 'data');
    await mkdir(join(folder, 'deep'), { recursive: true });
    await writeFile(join(folder, 'deep', 'b.bin'), 'bytes of b');
    await writeFile(join(folder, 'a.bin'), 'x'.repeat(1500));
    await server.json('sources', 'add', 'field', 'folder', '--set', `root=${folder}`);
    for (const name of ['snow', 'strange', 'plain']) await server.json('packages', 'add', `admin/${name}`, 'field', '--create');
    await server.json('packages', 'freeze', 'admin/snow', '--message', 'the data');
    browser = await TestBrowser.start(server.url);
    const watched = await browser.open();
    await signIn(watched, '/packages');
    await put(watched, 'strange/entries/README.md', hostile);
    await put(watched, 'strange/entries/notes/a.md', '# Notes\n\n[back](../README.md)\n');
    await put(watched, 'snow/entries/README.md', '# Snow\n\nHow deep it lay.\n');
    await put(watched, 'snow/entries/big.txt', 'å line of text\n'.repeat(65_000));
    await put(watched, 'snow/entries/facts.json', '{"id":12345678901234567890,"of":["snow"]}');
    await watched.context.close();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  it('shows what a stranger wrote, and none of it acts', async () => {
    const watched = await browser.open();
    const { page, faults } = watched;
    await signIn(watched, '/packages/admin/strange');
    const readme = page.getByRole('region', { name: 'README' });
    await readme.getByRole('heading', { name: 'Not what it seems' }).waitFor();
    const typed = ['https://evil.example/x.css', 'https://evil.example'];
    expect(await readme.getByRole('link').allTextContents()).toEqual(['The map', 'built', 'the notes', 'how', ...typed]);
    const map = readme.getByRole('link', { name: 'The map' });
    expect([await map.getAttribute('rel'), await map.getAttribute('target')]).toEqual(['noopener noreferrer', '_blank']);
    expect(await readme.locator('script, style, form, input, iframe, svg, img, [style], [id], [name], [onload], [onerror]').count()).toBe(
      0,
    );
    await readme.getByText('<script>window.__xss = 1</script>').waitFor();
    await readme.getByText('[run](javascript:').click();
    await readme.getByRole('link', { name: 'how' }).click();
    await readme.getByRole('heading', { name: 'How it was made' }).waitFor();
    await readme.getByRole('link', { name: 'the notes' }).click();
    await page.waitForURL('**/packages/admin/strange/notes/a.md?version=draft');
    await page.getByRole('link', { name: 'back' }).click();
    await page.waitForURL('**/packages/admin/strange/README.md?version=draft');
    await page.getByRole('button', { name: 'As written' }).click();
    await page.locator('pre.plain').getByText('@import').waitFor();
    expect(await page.evaluate<unknown>('window.__xss')).toBeUndefined();
    expect(faults).toEqual([]);
  });

  it('says what it is before it lists its files', async () => {
    const watched = await browser.open();
    const { page, faults } = watched;
    await signIn(watched, '/packages/admin/snow?version=draft');
    const readme = await page.getByRole('region', { name: 'README' }).boundingBox();
    const files = await page.getByRole('grid').boundingBox();
    await row(page, 'facts.json').waitFor();
    expect((readme?.y ?? 0) + (readme?.height ?? 0)).toBeLessThanOrEqual(files?.y ?? 0);
    expect(faults).toEqual([]);
  });

  it('shows the beginning of a long text, and says so; numbers keep their digits', async () => {
    const watched = await browser.open();
    const { page, faults } = watched;
    await signIn(watched, '/packages/admin/snow/big.txt?version=draft');
    await page.getByText('This is the first 1 MB.').waitFor();
    expect((await page.locator('pre.plain').textContent())?.length).toBeGreaterThan(900_000);
    await page.goto(`${server.url}/packages/admin/snow?version=draft`);
    await row(page, 'facts.json').dblclick();
    await page.waitForURL('**/packages/admin/snow/facts.json?version=draft');
    expect(await page.locator('pre.plain').textContent()).toBe('{\n  "id": 12345678901234567890,\n  "of": [\n    "snow"\n  ]\n}');
    expect(faults).toEqual([]);
  });

  it('gives a pointer away for a while', async () => {
    const watched = await browser.open();
    const { page, faults } = watched;
    await signIn(watched, '/packages/admin/snow/deep/b.bin');
    await page.getByRole('region', { name: 'Details' }).getByText('deep/b.bin', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Make a temporary URL' }).click();
    await page.getByText(/^Works until/).waitFor();
    const url = await page.locator('.made code').textContent();
    const answer = await fetch(url ?? '');
    expect([answer.status, await answer.text()]).toEqual([200, 'bytes of b']);
    await page.getByRole('button', { name: 'Show the pointer file' }).click();
    await page.getByText(/^version package-r\/pointer\/1/).waitFor();
    const down = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Download the pointer file' }).click();
    expect((await down).suggestedFilename()).toBe('b.bin.pointer');
    expect(faults).toEqual([]);
  });

  it('tells as much of an object of a source', async () => {
    const watched = await browser.open();
    const { page, faults } = watched;
    await signIn(watched, '/sources/field/deep');
    await row(page, 'b.bin').dblclick();
    await page.waitForURL('**/sources/field/deep/b.bin');
    await page.getByRole('button', { name: 'Make a temporary URL' }).click();
    await page.getByText(/^Works until/).waitFor();
    expect(await findBarriers(page)).toEqual([]);
    const answer = await fetch((await page.locator('.made code').textContent()) ?? '');
    expect([answer.status, await answer.text()]).toEqual([200, 'bytes of b']);
    expect(faults).toEqual([]);
  });

  it('tells what changed as the server does, takes it back, and saves it', async () => {
    const watched = await browser.open();
    const { page, context, faults } = watched;
    await signIn(watched, '/packages/admin/snow');
    const steps = { headers: asked, data: { operation: 'move', from: ['deep/b.bin'], to: 'moved' } };
    expect((await context.request.post(api('snow/steps'), steps)).status()).toBe(200);
    const { changes } = await (await context.request.get(`${api('snow/diff')}?from=1&to=draft`)).json();
    const kinds = (changes as { kind: string }[]).map(({ kind }) => kind).toSorted();
    expect(kinds).toEqual(['added', 'added', 'added', 'moved']);

    await page.reload();
    await page.getByRole('link', { name: 'The draft has changes' }).click();
    await page.getByRole('button', { name: 'Undo the last step' }).click();
    await page.getByText('Undid the last step').waitFor();
    await row(page, 'deep').waitFor();
    await page.getByRole('button', { name: 'Redo the step' }).click();
    await page.getByText('Redid the step').waitFor();
    await row(page, 'moved').waitFor();

    await page.getByRole('button', { name: 'Save version' }).click();
    const dialog = page.getByRole('dialog', { name: 'Save version' });
    await dialog.getByText('3 added, 1 moved; +1.0\u00a0MB').waitFor();
    expect(await findBarriers(page)).toEqual([]);
    await dialog.getByLabel('Message').fill('with words');
    await page.keyboard.press('Enter');
    await page.getByText('Saved version 2').waitFor();
    await page.waitForURL('**/packages/admin/snow?version=2');
    const { versions } = await (await context.request.get(api('snow/versions'))).json();
    expect(versions[0]).toMatchObject({ number: 2, message: 'with words' });

    await page.getByRole('tab', { name: 'Versions' }).click();
    await page.getByText('with words').waitFor();
    await page.getByLabel('Compare version 1').check();
    await page.getByLabel('Compare version 2').check();
    await page.getByRole('button', { name: 'Compare' }).click();
    await page.waitForURL('**tab=versions&from=1&to=2');
    await page.getByText('3 added, 1 moved; +1.0\u00a0MB').waitFor();
    expect(await page.locator('.change .sign').allTextContents()).toEqual(
      (changes as { kind: string }[]).map(({ kind }) => (kind === 'added' ? '+' : '→')),
    );
    await page.getByLabel('From').selectOption('version 2');
    await page.getByText('Nothing changed').waitFor();
    await page.goBack();
    await page.goBack();
    await page.getByRole('link', { name: 'What changed in version 1' }).click();
    await page.getByText('2 added; +1.5\u00a0kB').waitFor();

    await page.getByRole('tab', { name: 'Files' }).click();
    await page.getByRole('button', { name: /^Shown/ }).click();
    await page.getByRole('menuitemcheckbox', { name: 'the data' }).click();
    await page.waitForURL('**/packages/admin/snow?version=1');
    await row(page, 'deep').waitFor();
    expect(faults).toEqual([]);
  });

  it('follows long work on the draft, and saves what comes of it', async () => {
    const watched = await browser.open();
    const { page, faults } = watched;
    await signIn(watched, '/packages/admin/plain');
    const job = { id: 'job-1', kind: 'package.freeze', subject: 'package:1', state: 'running', createdAt: new Date(0).toISOString() };
    await page.route('**/api/v1/packages/admin/plain/versions', async (route) =>
      route.request().method() === 'POST' ? route.fulfill({ status: 202, json: { ...job, progress: { done: 0 } } }) : route.continue(),
    );
    let ends = (): void => {};
    const ended = new Promise<void>((resolve) => {
      ends = resolve;
    });
    await page.route('**/api/v1/jobs/job-1/events', (route) => route.abort());
    let looks = 0;
    await page.route('**/api/v1/jobs/job-1', async (route) => {
      if (looks++ > 0) await ended;
      const state = looks > 1 ? { state: 'done', result: { version: 7 } } : {};
      await route.fulfill({ json: { ...job, progress: { done: 40, total: 100 }, ...state } });
    });
    await page.getByRole('button', { name: 'Save version' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Save version' }).click();
    await page.getByRole('main').getByRole('progressbar').waitFor();
    expect(await findBarriers(page)).toEqual([]);
    ends();
    await page.getByText('Saved version 7').waitFor();
    expect(faults.filter((fault) => !fault.includes('ERR_FAILED'))).toEqual([]);
  });

  it.each([
    ['light', 1280],
    ['dark', 1280],
    ['light', 390],
    ['dark', 390],
  ] as const)(
    'puts no barrier in anybody’s way: %s, %d pixels wide',
    async (colorScheme, width) => {
      const watched = await browser.open({ colorScheme, viewport: { width, height: 800 }, hasTouch: width < 500 });
      const { page, faults } = watched;
      await signIn(watched, '/packages/admin/strange');
      const places = ['strange', 'snow?version=draft', 'snow?version=1', 'snow?tab=versions', 'snow?tab=versions&from=0&to=1'];
      const files = ['strange/README.md', 'snow/facts.json?version=draft', 'snow/a.bin?version=1', 'snow/gone.txt'];
      for (const path of [...places, ...files]) {
        await page.goto(`${server.url}/packages/admin/${path}`);
        await page.waitForLoadState('networkidle');
        expect(await findBarriers(page), path).toEqual([]);
        expect(await page.evaluate<number>('document.documentElement.scrollWidth'), path).toBeLessThanOrEqual(width);
      }
      expect(faults).toEqual([]);
    },
    180_000,
  );
});
