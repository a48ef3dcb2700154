/** Sharing, start to end: links of every kind are made in the browser, and used by somebody who has nothing but the link. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Share, SharePage } from '#api/shares.ts';
import { writeQrPath } from '../../web/src/components/share/qr-path.ts';
import { type Packager, startPackager } from '../support/packager.ts';
import { findBarriers, hasBrowser, TestBrowser, type Watched } from './browser.ts';

let server: Packager;
let browser: TestBrowser;

async function signIn({ page }: Watched, path: string): Promise<void> {
  await page.goto(`${server.url}${path}`);
  await page.waitForURL('**/login**');
  await page.getByLabel('Name').fill('admin');
  await page.getByLabel('Password').fill(server.adminPassword);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL((url) => url.pathname !== '/login');
}

async function open(path: string, options: Parameters<TestBrowser['open']>[0] = {}): Promise<Watched> {
  const watched = await browser.open({ permissions: ['clipboard-read', 'clipboard-write'], ...options });
  await signIn(watched, path);
  return watched;
}

/** The dialog on the page of a package, or of a folder of a source. */
async function openDialog(page: Page): Promise<Locator> {
  await page.getByRole('main').getByRole('button', { name: 'Share', exact: true }).click();
  return page.getByRole('dialog');
}

/** The link that was made. */
async function make(dialog: Locator): Promise<string> {
  await dialog.getByRole('button', { name: 'Make link' }).click();
  return dialog.getByLabel('Link', { exact: true }).inputValue();
}

/** Somebody who has nothing but the link. */
function visit(url: string, init: RequestInit = {}): Promise<Response> {
  return fetch(url, { headers: { accept: 'text/html' }, redirect: 'manual', ...init });
}

const row = (page: Page, text: string | RegExp): Locator => page.getByRole('main').getByRole('listitem').filter({ hasText: text });

async function listed(): Promise<readonly Share[]> {
  return server.json<Share>('shares', 'ls');
}

/** Makes one as the command line does; gives its number and link. */
async function add(...args: string[]): Promise<Share> {
  const [share] = await server.json<Share>('shares', 'add', ...args);
  if (share === undefined) throw new Error('no share was made');
  return share;
}

describe.skipIf(!hasBrowser)('sharing in the web application', () => {
  beforeAll(async () => {
    server = await startPackager();
    const folder = join(server.folder, 'data');
    await mkdir(join(folder, 'deep', 'er'), { recursive: true });
    await writeFile(join(folder, 'deep', 'README.md'), '# Snow of the Alps\n');
    await writeFile(join(folder, 'deep', 'er', 'last.txt'), 'here');
    await server.json('sources', 'add', 'field', 'folder', '--set', `root=${folder}`);
    await server.json('packages', 'add', 'admin/snow', 'field/deep', '--create');
    await server.json('packages', 'freeze', 'admin/snow', '--message', 'first');
    await server.json('packages', 'add', 'admin/draft', 'field/deep', '--create');
    browser = await TestBrowser.start(server.url);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  it('makes a link to a version, copies it, and draws it', async () => {
    const { page, context, faults } = await open('/packages/admin/snow');
    const dialog = await openDialog(page);
    await dialog.getByRole('radio', { name: 'Version 1, fixed' }).waitFor();
    const url = await make(dialog);
    expect(url).toMatch(new RegExp(`^${server.url}/s/[A-Za-z0-9_-]+$`));
    await page.getByText('Made the link').waitFor();
    await dialog.getByText('Anyone with the link can see and download.').waitFor();
    await dialog.getByText('The public URL is not set').waitFor();
    await page.keyboard.press('Enter');
    await dialog.getByRole('button', { name: 'Copied Link' }).waitFor();
    expect(await page.evaluate<string>('navigator.clipboard.readText()')).toBe(url);

    const { path, size } = writeQrPath(url);
    expect(await dialog.locator('svg path[fill="#000"]').getAttribute('d')).toBe(path);
    expect(await dialog.locator('svg:has(title)').getAttribute('viewBox')).toBe(`0 0 ${size} ${size}`);
    const [download] = await Promise.all([page.waitForEvent('download'), dialog.getByRole('button', { name: 'Download QR code' }).click()]);
    expect(download.suggestedFilename()).toBe('admin-snow.svg');
    const svg = await readFile(await download.path(), 'utf8');
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg"/);
    expect([svg.includes(path), svg.includes('style=')]).toEqual([true, false]);

    const [shown] = await Promise.all([context.waitForEvent('page'), dialog.getByRole('link', { name: 'See what they will see' }).click()]);
    await shown.getByRole('heading', { name: 'Snow of the Alps' }).waitFor();
    expect(shown.url()).toBe(url);
    const answer = await visit(url);
    expect([answer.status, (await answer.text()).includes('version 1')]).toEqual([200, true]);
    expect(faults).toEqual([]);
  });

  it('follows the latest version, of one folder, with a limit, a note and terms', async () => {
    const { page, faults } = await open('/packages/admin/snow/er');
    const dialog = await openDialog(page);
    await dialog.getByRole('radio', { name: 'The latest version' }).check();
    expect(await dialog.getByRole('checkbox', { name: 'Only er' }).isChecked()).toBe(true);
    await dialog.getByRole('radio', { name: '1 week' }).check();
    await dialog.getByText('More', { exact: true }).click();
    await dialog.getByLabel('Most files a day').fill('none');
    await dialog.getByRole('button', { name: 'Make link' }).click();
    await dialog.getByText('A whole number from 1').waitFor();
    await dialog.getByLabel('Most files a day').fill('5');
    await dialog.getByLabel('Most bytes a day').fill('2 GB');
    await dialog.getByLabel('Title').fill('Snow, the last of it');
    await dialog.getByLabel('Note').fill('For the workshop.');
    await dialog.getByLabel('Terms').fill('Be kind.');
    const url = await make(dialog);
    await dialog.getByText('at most 5 files and 2.0').waitFor();
    const body = await (await visit(url)).text();
    for (const text of ['Snow, the last of it', 'For the workshop.', 'Be kind.']) expect(body).toContain(text);
    expect((await listed())[0]).toMatchObject({
      target: 'admin/snow@latest',
      path: 'er',
      kind: 'latest',
      maxObjects: 5,
      maxBytes: 2e9,
      rights: ['view', 'exchange'],
    });
    expect(faults).toEqual([]);
  });

  it('opens a live folder of a source to whoever may only look', async () => {
    const { page, faults } = await open('/sources/field/deep');
    const dialog = await openDialog(page);
    await dialog.getByText('field/deep', { exact: true }).waitFor();
    await dialog.getByRole('checkbox', { name: 'Download' }).uncheck();
    await dialog.getByRole('checkbox', { name: 'See names and sizes' }).uncheck();
    await dialog.getByRole('button', { name: 'Make link' }).click();
    await dialog.getByText('Allow at least one of these.').waitFor();
    await dialog.getByRole('checkbox', { name: 'See names and sizes' }).check();
    const url = await make(dialog);
    await dialog.getByText('Anyone with the link can see names and sizes.').waitFor();
    expect(await (await visit(url)).text()).toContain('View only');
    expect((await visit(`${url}/o/README.md`)).status).toBeGreaterThanOrEqual(400);
    await writeFile(join(server.folder, 'data', 'deep', 'new.txt'), 'new');
    expect(await (await visit(url)).text()).toContain('new.txt');
    expect(faults).toEqual([]);
  });

  it('asks for a password, and keeps none when it was closed', async () => {
    const said: string[] = [];
    const { page, faults } = await open('/packages/admin/snow');
    page.on('console', (message) => said.push(message.text()));
    const addresses: string[] = [];
    page.on('request', (request) => addresses.push(request.url()));
    const dialog = await openDialog(page);
    await dialog.getByRole('radio', { name: 'With a password' }).check();
    await dialog.getByRole('button', { name: 'Make link' }).click();
    await dialog.getByText('Write a password, or generate one.').waitFor();
    await dialog.getByLabel('Password', { exact: true }).fill('short');
    await dialog.getByRole('button', { name: 'Make link' }).click();
    await dialog.getByText('Too short').waitFor();
    await dialog.getByRole('button', { name: 'Generate' }).click();
    const password = await dialog.getByLabel('Password', { exact: true }).inputValue();
    expect(password).toMatch(/^(\w{5}-){3}\w{5}$/);
    expect(await dialog.getByLabel('Password', { exact: true }).getAttribute('type')).toBe('text');
    const url = await make(dialog);
    expect(await dialog.getByLabel('Password', { exact: true }).inputValue()).toBe(password);
    await dialog.getByRole('button', { name: 'Done' }).click();
    await dialog.waitFor({ state: 'detached' });

    const locked = await visit(url);
    expect([locked.status, (await locked.text()).includes('type="password"')]).toEqual([401, true]);
    const wrong = await visit(`${url}/o/er/last.txt`, { headers: { 'x-share-password': 'not this one' } });
    expect(wrong.status).toBe(401);
    const right = await visit(`${url}/api`, { headers: { 'x-share-password': password, accept: 'application/json' } });
    expect(right.status).toBe(200);

    const values = "[...document.querySelectorAll('input,textarea')].map((field) => field.value).join()";
    const kept = 'JSON.stringify([localStorage, sessionStorage, document.cookie, document.documentElement.outerHTML])';
    const state = await page.evaluate<string>(`${kept} + ${values} + location.href + JSON.stringify(history.state)`);
    for (const text of [state, ...said, ...addresses]) expect(text).not.toContain(password);
    await openDialog(page);
    await dialog.getByRole('radio', { name: 'With a password' }).check();
    expect(await dialog.getByLabel('Password', { exact: true }).inputValue()).toBe('');
    expect(faults).toEqual([]);
  });

  it('is for people with an account, all or some of them', async () => {
    const { page, faults } = await open('/packages/admin/snow');
    const dialog = await openDialog(page);
    await dialog.getByRole('radio', { name: 'People with an account' }).check();
    await dialog.getByLabel('Only these people').fill('nobody-here');
    await dialog.getByRole('button', { name: 'Make link' }).click();
    await dialog.getByText('There is no user "nobody-here".').waitFor();
    await dialog.getByLabel('Only these people').fill('admin');
    const url = await make(dialog);
    await dialog.getByText('admin can see and download.').waitFor();
    expect((await visit(url, { headers: { accept: 'application/json' } })).status).toBe(401);
    await dialog.getByRole('button', { name: 'Make another' }).click();
    await dialog.getByRole('radio', { name: 'People with an account' }).check();
    await make(dialog);
    await dialog.getByText('Everybody with an account here can see and download.').waitFor();
    expect(faults).toEqual([]);
  });

  it('ends on the day that was written, and on none that is over; without an end where that is allowed', async () => {
    const { page, faults } = await open('/packages/admin/snow');
    const dialog = await openDialog(page);
    await dialog.getByRole('radio', { name: 'A date' }).check();
    await dialog.getByLabel('Last day').fill('2001-01-01');
    await dialog.getByRole('button', { name: 'Make link' }).click();
    await dialog.getByText('Choose a day that is not over.').waitFor();
    const day = new Date(Date.now() + 40 * 86_400_000);
    const two = (number: number): string => String(number).padStart(2, '0');
    await dialog.getByLabel('Last day').fill(`${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`);
    await make(dialog);
    const end = new Date((await listed())[0]?.expiresAt ?? 0);
    expect([end.toDateString(), end.getHours(), end.getMinutes()]).toEqual([day.toDateString(), 23, 59]);
    await dialog.getByRole('button', { name: 'Make another' }).click();
    await dialog.getByRole('radio', { name: 'No end' }).check();
    await dialog.getByRole('button', { name: 'Make link' }).click();
    await dialog.getByText('a share must expire; an administrator can allow endless ones').waitFor();
    expect(faults).toEqual([]);
  });

  it('shares no draft, and says what to do', async () => {
    const { page, faults } = await open('/packages/admin/draft');
    const dialog = await openDialog(page);
    await dialog.getByText('There is no version to share yet.').waitFor();
    expect(await dialog.getByRole('button', { name: 'Make link' }).count()).toBe(0);
    expect(faults).toEqual([]);
  });

  it('is paused and resumed, gets a new link, and is revoked', async () => {
    const share = await add('admin/snow@1', '--note', 'to be managed');
    const { page, faults } = await open('/packages');
    await page.getByRole('navigation').getByRole('link', { name: 'Shares' }).click();
    const one = row(page, 'to be managed');
    await one.getByText('Open until').waitFor();
    await one.getByText('never opened').waitFor();
    expect((await visit(share.url)).status).toBe(200);
    await one.getByRole('button', { name: 'Pause' }).click();
    await one.getByText('Paused', { exact: true }).waitFor();
    expect((await visit(share.url)).status).toBe(404);
    await one.getByRole('button', { name: 'Resume' }).click();
    await one.getByText('Open until').waitFor();
    expect((await visit(share.url)).status).toBe(200);

    await one.getByRole('button', { name: 'New link' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('stops working at once').waitFor();
    await dialog.getByRole('button', { name: 'Make new link' }).click();
    await page.getByText('Made a new link').waitFor();
    const url = await dialog.getByLabel('Link', { exact: true }).inputValue();
    expect(url).not.toBe(share.url);
    expect([(await visit(share.url)).status, (await visit(url)).status]).toEqual([404, 200]);
    await dialog.getByRole('button', { name: 'Done' }).click();

    await one.getByRole('button', { name: 'Revoke' }).click();
    await dialog.getByText('No temporary URL is out').waitFor();
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    expect((await visit(url)).status).toBe(200);
    const horizonAt = new Date(Date.now() + 3_600_000).toISOString();
    await page.route(`**/api/v1/shares/${share.number}`, async (route) => {
      if (route.request().method() !== 'GET') return route.fallback();
      return route.fulfill({ json: { ...share, horizonAt } });
    });
    await one.getByRole('button', { name: 'Revoke' }).click();
    await dialog.getByText('Temporary URLs that were given out live until').waitFor();
    await dialog.getByRole('button', { name: 'Revoke' }).click();
    await page.getByText('Revoked the share').waitFor();
    await one.waitFor({ state: 'detached' });
    expect((await visit(url)).status).toBe(404);
    expect(await page.evaluate<string>('document.activeElement?.tagName')).toBe('H1');
    await page.getByRole('checkbox', { name: 'Also ended ones' }).check();
    await page.waitForURL('**/shares?ended=true');
    await one.getByText('Revoked', { exact: true }).waitFor();
    expect(await one.getByRole('button').count()).toBe(0);
    expect(faults).toEqual([]);
  });

  it('gets another end and note', async () => {
    const { number } = await add('admin/snow@1', '--note', 'before', '--expires', '1d');
    const { page, faults } = await open('/shares');
    const one = row(page, 'before');
    await one.getByRole('button', { name: 'Edit' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Note').fill('after');
    await dialog.getByRole('checkbox', { name: 'Set a new end' }).check();
    await dialog.getByRole('radio', { name: '1 month' }).check();
    await dialog.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved the share').waitFor();
    await row(page, 'after').waitFor();
    const found = (await listed()).find((share) => share.number === number);
    expect(found?.note).toBe('after');
    expect(Date.parse(found?.expiresAt ?? '') - Date.now()).toBeGreaterThan(25 * 86_400_000);
    expect(await page.evaluate<string>('document.activeElement?.textContent')).toContain('Edit');
    expect(faults).toEqual([]);
  });

  it('opens nothing once it has expired, and opens again with a new end', async () => {
    const { url } = await add('admin/snow@1', '--note', 'over soon', '--expires', '2s');
    const { page, faults } = await open('/shares?ended=true');
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect((await visit(url)).status).toBe(404);
    await page.reload();
    const one = row(page, 'over soon');
    await one.getByText('Expired').waitFor();
    await one.getByRole('button', { name: 'Edit' }).click();
    await page.getByRole('dialog').getByRole('radio', { name: '1 week' }).check();
    await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
    await one.getByText('Open until').waitFor();
    expect((await visit(url)).status).toBe(200);
    expect(faults).toEqual([]);
  });

  it('is narrowed to a package, and shows those of everybody to an administrator', async () => {
    await server.runWith({ input: 'correct horse battery\n' }, 'users', 'add', 'ada', '--password', '-');
    const login = { method: 'POST', headers: { 'content-type': 'application/json', 'x-requested-with': 'test' } };
    const signedIn = await fetch(`${server.url}/api/v1/login`, {
      ...login,
      body: JSON.stringify({ name: 'ada', password: 'correct horse battery' }),
    });
    const { token } = (await signedIn.json()) as { token: string };
    const headers = { ...login.headers, authorization: `Bearer ${token}` };
    const made = async (path: string, body: unknown): Promise<Response> =>
      fetch(`${server.url}/api/v1/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    expect((await made('packages', { reference: 'ada/own' })).status).toBe(201);
    expect((await made('packages/ada/own/versions', { message: 'empty' })).status).toBeLessThan(300);
    for (let waited = 0; waited < 50; waited++) {
      if ((await made('shares', { target: 'ada/own@1', note: 'from ada' })).status === 201) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const { page, faults } = await open('/shares');
    await row(page, 'admin/snow').first().waitFor();
    expect(await row(page, 'from ada').count()).toBe(0);
    await page.getByRole('checkbox', { name: 'Shares of everybody' }).check();
    await row(page, 'from ada').getByText('by ada').waitFor();
    await page.getByLabel('Show', { exact: true }).selectOption('source:field');
    await row(page, 'from ada').waitFor({ state: 'detached' });
    expect(await row(page, 'field/deep').count()).toBe(1);
    await page.waitForURL('**/shares?all=true&of=source:field');
    await page.reload();
    await row(page, 'field/deep').waitFor();
    expect(await row(page, 'admin/snow').count()).toBe(0);
    const all = await fetch(`${server.url}/api/v1/shares?all=true`, { headers });
    expect(all.status).toBe(403);
    const own = (await (await fetch(`${server.url}/api/v1/shares`, { headers })).json()) as SharePage;
    expect(own.shares.map(({ note }) => note)).toEqual(['from ada']);
    expect(faults).toEqual([]);
  });

  it('is made by the keyboard alone', async () => {
    const { page, faults } = await open('/packages/admin/snow');
    const focused = (): Promise<string> =>
      page.evaluate<string>("(document.activeElement?.closest('label') ?? document.activeElement)?.textContent?.trim() ?? ''");
    const tabTo = async (name: string): Promise<void> => {
      for (let tabs = 0; tabs < 60 && (await focused()) !== name; tabs++) await page.keyboard.press('Tab');
      expect(await focused()).toBe(name);
    };
    await page.getByRole('row').first().waitFor();
    await tabTo('Share');
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog');
    await dialog.waitFor();
    await tabTo('Anyone with the link');
    await page.keyboard.press('ArrowDown');
    await tabTo('Generate');
    await page.keyboard.press('Enter');
    await tabTo('1 month');
    await page.keyboard.press('ArrowLeft');
    await tabTo('Make link');
    await page.keyboard.press('Enter');
    const url = await dialog.getByLabel('Link', { exact: true }).inputValue();
    expect(await focused()).toMatch(/^Copy/);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    expect(await focused()).toBe('Share');
    const found = (await listed()).find((share) => share.url === url);
    expect(found).toMatchObject({ audience: 'password' });
    expect(Math.round((Date.parse(found?.expiresAt ?? '') - Date.now()) / 86_400_000)).toBe(7);
    expect(faults).toEqual([]);
  });

  it.each([
    ['light', 1280],
    ['dark', 1280],
    ['light', 390],
    ['dark', 390],
  ] as const)('puts no barrier in anybody’s way: %s, %d pixels wide', async (colorScheme, width) => {
    const { page, faults } = await open('/packages/admin/snow', { colorScheme, viewport: { width, height: 800 }, hasTouch: width < 500 });
    const look = async (what: string): Promise<void> => {
      expect(await findBarriers(page), what).toEqual([]);
      expect(await page.evaluate<number>('document.documentElement.scrollWidth'), what).toBeLessThanOrEqual(width);
      const over = "[...document.querySelectorAll('.ui-dialog-body')].filter((box) => box.scrollWidth > box.clientWidth).length";
      expect(await page.evaluate<number>(over), what).toBe(0);
    };
    const dialog = await openDialog(page);
    await dialog.getByRole('radio', { name: 'With a password' }).check();
    await dialog.getByRole('radio', { name: 'A date' }).check();
    await dialog.getByText('More', { exact: true }).click();
    await dialog.getByRole('button', { name: 'Make link' }).click();
    await dialog.getByText('Write a password').waitFor();
    await look('form');
    await dialog.getByRole('button', { name: 'Generate' }).click();
    await dialog.getByRole('radio', { name: '1 day' }).check();
    await make(dialog);
    await look('link');
    await page.keyboard.press('Escape');
    await page.goto(`${server.url}/shares?ended=true&all=true`);
    await row(page, 'admin/snow').first().waitFor();
    await look('page');
    for (const name of ['Edit', 'New link', 'Revoke']) {
      await row(page, 'admin/snow').getByRole('button', { name }).first().click();
      await dialog.getByRole('button', { name: 'Cancel' }).waitFor();
      await look(name);
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });
    }
    expect(faults).toEqual([]);
  });
});
