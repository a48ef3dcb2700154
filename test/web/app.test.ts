/** The web application against a real server, as people use it: signing in, browsing, by keyboard only, on a phone, without barriers. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Packager, startPackager } from '../support/packager.ts';
import { findBarriers, hasBrowser, TestBrowser, type Watched } from './browser.ts';

const awkward = ['50% off #1 & more?.csv', '<img src=x onerror=alert(1)>.txt', 'a+b c.txt', 'naïve 日本.txt', '\u202egpj.exe'];

let server: Packager;
let browser: TestBrowser;

/** Where the keyboard is: the text of what has the focus. */
const focused = (page: Page): Promise<string> => page.evaluate<string>("document.activeElement?.textContent?.trim() ?? ''");

async function signIn({ page }: Watched, path = '/'): Promise<void> {
  await page.goto(`${server.url}${path}`);
  await page.waitForURL('**/login**');
  await page.getByLabel('Name').fill('admin');
  await page.getByLabel('Password').fill(server.adminPassword);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL((url) => url.pathname !== '/login');
}

const row = (page: Page, name: string) => page.getByRole('row').filter({ hasText: name });

describe.skipIf(!hasBrowser)('the web application', () => {
  beforeAll(async () => {
    server = await startPackager();
    const folder = join(server.folder, 'data');
    await mkdir(join(folder, 'deep', 'er'), { recursive: true });
    await mkdir(join(folder, 'many'));
    for (const name of awkward) await writeFile(join(folder, name), 'x'.repeat(1500));
    await writeFile(join(folder, 'deep', 'er', 'last.txt'), 'here');
    for (let at = 0; at < 2500; at++) await writeFile(join(folder, 'many', `object-${String(at).padStart(5, '0')}.bin`), '');
    await server.json('sources', 'add', 'field', 'folder', '--set', `root=${folder}`);
    await server.json('packages', 'add', 'admin/snow', 'field/deep', '--create');
    await server.json('packages', 'freeze', 'admin/snow', '--message', 'first');
    browser = await TestBrowser.start(server.url);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  it('asks who one is, and leads back to where one wanted to go', async () => {
    const watched = await browser.open();
    const { page, faults } = watched;
    await page.goto(`${server.url}/sources/field/deep`);
    await page.waitForURL('**/login?to=**');
    await page.getByLabel('Name').fill('admin');
    await page.getByLabel('Password').fill('not this one');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('The name or the password is wrong.').waitFor();
    expect(await page.getByLabel('Password').inputValue()).toBe('');
    await page.getByLabel('Password').fill(server.adminPassword);
    await page.keyboard.press('Enter');
    await page.waitForURL('**/sources/field/deep');
    await row(page, 'er').waitFor();
    expect(faults).toEqual([]);
  });

  it.each(['https://evil.example/', '//evil.example/x', '/\\evil.example/x', '/%09/evil.example', 'javascript:alert(1)'])(
    'follows no address but its own after signing in: %s',
    async (to) => {
      const watched = await browser.open();
      await signIn(watched, `/login?to=${encodeURIComponent(to)}`);
      expect(new URL(watched.page.url()).origin).toBe(server.url);
      expect(watched.faults).toEqual([]);
    },
  );

  it('is forgotten when one signs out', async () => {
    const watched = await browser.open();
    const { page } = watched;
    await signIn(watched, '/packages');
    await page.getByRole('button', { name: /Account of admin/ }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await page.waitForURL('**/login');
    await page.goto(`${server.url}/packages`);
    await page.waitForURL('**/login**');
    expect(watched.faults).toEqual([]);
  });

  it('shows names for what they are, whatever they hold', async () => {
    const watched = await browser.open();
    const { page, faults } = watched;
    await signIn(watched, '/sources/field');
    for (const name of awkward) expect(await row(page, name).getByRole('link').textContent()).toBe(name);
    expect(await row(page, '50% off').textContent()).toContain('1.5\u00a0kB');
    expect(faults).toEqual([]);
  });

  it('is walked through by the keyboard alone', async () => {
    const watched = await browser.open();
    const { page, faults } = watched;
    await signIn(watched, '/sources/field');
    const rows = [...awkward, 'deep', 'many'];
    await row(page, 'deep').waitFor();
    for (let tabs = 0; tabs < 30 && !rows.includes((await focused(page)).replace(/\s*1\.5.*/s, '')); tabs++)
      await page.keyboard.press('Tab');
    await page.keyboard.press('End');
    for (const _ of ['many', 'naïve', 'RTL']) await page.keyboard.press('k');
    expect(await focused(page)).toContain('deep');
    await page.keyboard.press('Space');
    await page.getByText('1 selected').waitFor();
    await page.keyboard.press('Control+a');
    await page.getByText(`${rows.length} selected`).waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/sources/field/deep');
    await row(page, 'er').focus();
    await page.keyboard.press('Enter');
    await row(page, 'last.txt').waitFor();
    await page.goBack();
    await row(page, 'er').waitFor();
    expect(faults).toEqual([]);
  });

  it('reaches the last row of a long folder, and says how far it has seen', async () => {
    const watched = await browser.open();
    const { page, faults } = watched;
    await signIn(watched, '/sources/field/many');
    await row(page, 'object-00000.bin').waitFor();
    await page.getByText('1,000+ items').waitFor();
    await row(page, 'object-00000.bin').focus();
    // Each time to the end as far as it is known then.
    while (!(await row(page, 'object-02499.bin').isVisible())) await page.keyboard.press('End');
    await page.getByText('2,500 items').waitFor();
    await page.keyboard.press('End');
    expect(await focused(page)).toContain('object-02499.bin');
    expect(await page.getByRole('row').count()).toBeLessThan(60);
    expect(faults).toEqual([]);
  });

  it('shows a package at its newest version', async () => {
    const watched = await browser.open();
    const { page, faults } = watched;
    await signIn(watched, '/packages');
    await page.getByRole('main').getByRole('link', { name: 'admin/snow' }).click();
    await page.waitForURL('**/packages/admin/snow');
    await page.getByRole('main').locator('header').getByText('version 1').waitFor();
    await row(page, 'er').dblclick();
    await row(page, 'last.txt').waitFor();
    expect(faults).toEqual([]);
  });

  it('says what is wrong, and goes on when it is right again', async () => {
    const watched = await browser.open();
    const { page, faults } = watched;
    await signIn(watched, '/sources/nothing-here');
    await page.getByRole('button', { name: 'Try again' }).waitFor();
    await page.route('**/entries/**', (route) => route.abort());
    await page.goto(`${server.url}/sources/field`);
    await page.getByText('The server does not answer.').waitFor();
    await page.unroute('**/entries/**');
    await page.getByRole('button', { name: 'Try again' }).click();
    await row(page, 'deep').waitFor();
    expect(faults.filter((fault) => !fault.includes('ERR_FAILED'))).toEqual([]);
  });

  it.each([
    ['light', 1280],
    ['dark', 1280],
    ['light', 390],
    ['dark', 390],
  ] as const)('puts no barrier in anybody’s way: %s, %d pixels wide', async (colorScheme, width) => {
    const watched = await browser.open({ colorScheme, viewport: { width, height: 800 }, hasTouch: width < 500 });
    const { page, faults } = watched;
    await page.goto(`${server.url}/login`);
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    expect(await findBarriers(page)).toEqual([]);
    await signIn(watched, '/sources');
    for (const path of ['/sources', '/sources/field', '/packages', '/packages/admin/snow', '/sources/none', '/settings/nowhere']) {
      await page.goto(`${server.url}${path}`);
      await page.waitForLoadState('networkidle');
      expect(await findBarriers(page), path).toEqual([]);
      expect(await page.evaluate<number>('document.documentElement.scrollWidth'), path).toBeLessThanOrEqual(width);
    }
    await page.getByRole('button', { name: /Account of admin/ }).click();
    await page.getByRole('menu').waitFor();
    expect(await findBarriers(page)).toEqual([]);
    expect(faults).toEqual([]);
  });
});
