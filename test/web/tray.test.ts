/** From listings of several sources through the tray into a package: by mouse, keyboard and drag, with the way back, on a phone too. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Packager, startPackager } from '../support/packager.ts';
import { findBarriers, hasBrowser, TestBrowser, type Watched } from './browser.ts';

let server: Packager;
let browser: TestBrowser;
let opened: Watched | undefined;

const row = (page: Page, name: string) => page.getByRole('row').filter({ hasText: name });
const tray = (page: Page) => page.getByRole('region', { name: 'Tray' });
const dialog = (page: Page) => page.getByRole('dialog');
const toast = (page: Page, text: string) => page.locator('.toast').filter({ hasText: text });

async function signIn({ page }: Watched, path: string, [name, password] = ['admin', server.adminPassword]): Promise<void> {
  await page.goto(`${server.url}/login?to=${encodeURIComponent(path)}`);
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL((url) => url.pathname === path.split('?')[0]);
}

async function open(path: string, options: Parameters<TestBrowser['open']>[0] = {}): Promise<Watched> {
  opened = await browser.open(options);
  await signIn(opened, path);
  return opened;
}

/** Selects rows by their boxes and adds them. */
async function addRows(page: Page, ...names: string[]): Promise<void> {
  for (const name of names) await row(page, name).getByRole('checkbox').click();
  await page.getByRole('button', { name: 'Add to tray' }).click();
}

/** Its files, whatever folder they lie in, as the server has them. */
async function entriesOf(reference: string, folder = ''): Promise<string[]> {
  const lines = await server.json<{ path: string; kind: string }>('packages', 'ls', reference, folder);
  const found = lines.map(async ({ path, kind }) => (kind === 'folder' ? entriesOf(reference, path) : [`${kind} ${path}`]));
  return (await Promise.all(found)).flat().sort();
}

describe.skipIf(!hasBrowser)('the tray', () => {
  beforeAll(async () => {
    server = await startPackager();
    for (const [source, files] of [
      ['field', ['notes.md', 'raw/a.tif', 'raw/b.tif', 'raw/deep/c.tif', 'same.txt']],
      ['lab', ['same.txt', 'results/r1.json', 'results/r2.json']],
    ] as const) {
      for (const file of files) {
        const path = join(server.folder, source, file);
        await mkdir(join(path, '..'), { recursive: true });
        await writeFile(path, `${source} ${file}`);
      }
      await server.json('sources', 'add', source, 'folder', '--set', `root=${join(server.folder, source)}`);
    }
    const many = join(server.folder, 'field', 'many');
    await mkdir(many);
    for (let at = 0; at < 1200; at++) await writeFile(join(many, `object-${String(at).padStart(5, '0')}.bin`), '');
    browser = await TestBrowser.start(server.url);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });
  beforeEach(async () => {
    await opened?.context.close();
    opened = undefined;
  });

  it('takes what is picked in two sources by button, key and drag, and becomes a package', async () => {
    const { page, faults } = await open('/sources/field');
    await addRows(page, 'notes.md');
    await toast(page, 'Added one to the tray').waitFor();
    await row(page, 'raw').focus();
    await page.keyboard.press('Escape');
    await page.keyboard.press('a');
    await tray(page).getByText('2 items').waitFor();
    // What lies in a folder that is there goes with it.
    await page.goto(`${server.url}/sources/field/raw`);
    await row(page, 'a.tif').focus();
    await page.keyboard.press('a');
    await toast(page, 'in the tray already').waitFor();
    await page.goto(`${server.url}/sources/lab/results`);
    await row(page, 'r1.json').dragTo(tray(page));
    await tray(page).getByText('3 items').waitFor();
    await tray(page).getByText('2 sources').waitFor();
    await row(page, 'r2.json').getByRole('link').dragTo(tray(page));
    await tray(page).getByText('4 items').waitFor();
    await tray(page).getByRole('button', { name: /^Tray/ }).click();
    await page.getByRole('list', { name: 'In the tray' }).getByText('lab/results').first().waitFor();

    await tray(page).getByRole('button', { name: 'Put into a package' }).click();
    await dialog(page).getByLabel('Name', { exact: true }).fill('snow');
    await dialog(page).getByLabel('Folder in it').fill('inputs');
    await dialog(page).getByLabel('Copy small texts').check();
    await dialog(page).getByRole('button', { name: 'Put', exact: true }).click();
    await dialog(page).getByRole('heading', { name: 'Put into admin/snow' }).waitFor();
    await dialog(page).getByText('4 added', { exact: false }).waitFor();
    await dialog(page).getByText('2 added', { exact: false }).waitFor();
    expect(await entriesOf('admin/snow')).toEqual([
      'pointer inputs/raw/a.tif',
      'pointer inputs/raw/b.tif',
      'pointer inputs/raw/deep/c.tif',
      'text inputs/notes.md',
      'text inputs/r1.json',
      'text inputs/r2.json',
    ]);
    await toast(page, 'Put 4 items into admin/snow').getByRole('button', { name: 'Undo' }).click();
    await dialog(page).getByRole('link', { name: 'Show the draft' }).click();
    await tray(page).getByText('4 items').waitFor();
    await page.waitForURL('**/packages/admin/snow?version=draft');
    await row(page, 'inputs').waitFor();
    expect(faults).toEqual([]);
  });

  it('is all of a folder where all is selected, and all but some where some are not', async () => {
    const { page, faults } = await open('/sources/field/many');
    await row(page, 'object-00000').focus();
    await page.keyboard.press('Control+a');
    await page.keyboard.press('a');
    await toast(page, 'Added one to the tray').getByRole('button', { name: 'Undo' }).click();
    await tray(page).getByText('empty').waitFor();
    await row(page, 'object-00000').getByRole('checkbox').click();
    await page.getByRole('button', { name: 'Add to tray' }).click();
    await tray(page).getByText('1,199 items').waitFor();
    await tray(page).getByRole('button', { name: /^Tray/ }).click();
    await page.getByRole('button', { name: /Show more of 999/ }).click();
    expect(await page.getByRole('list', { name: 'In the tray' }).getByRole('listitem').count()).toBe(400);
    expect(faults).toEqual([]);
  });

  it('outlives a reload, gives each thing back, and is not seen by the next person', async () => {
    const watched = await open('/sources/field');
    const { page, faults } = watched;
    await addRows(page, 'notes.md', 'same.txt');
    await page.reload();
    await tray(page).getByText('2 items').waitFor();
    await tray(page).getByRole('button', { name: /^Tray/ }).click();
    await page.getByRole('button', { name: 'Remove notes.md' }).click();
    await tray(page).getByText('one item').waitFor();
    expect(await page.evaluate<string>("document.activeElement?.getAttribute('aria-label') ?? ''")).toBe('Remove same.txt');
    await toast(page, 'Removed notes.md').getByRole('button', { name: 'Undo' }).click();
    await tray(page).getByText('2 items').waitFor();
    await tray(page).getByRole('button', { name: 'Clear' }).click();
    await toast(page, 'Cleared the tray').getByRole('button', { name: 'Undo' }).click();
    await tray(page).getByText('2 items').waitFor();
    await page.getByRole('button', { name: /Account of admin/ }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await page.waitForURL('**/login');
    expect(await page.evaluate<string>('JSON.stringify(localStorage)')).not.toContain('notes.md');
    await signIn(watched, '/sources/field');
    await tray(page).getByText('empty').waitFor();
    expect(faults).toEqual([]);
  });

  it('goes into a package that is there, keeps both of one name, and says what was there already', async () => {
    await server.json('packages', 'create', 'admin/there');
    await server.json('packages', 'add', 'admin/there', 'field', '--glob', 'same.txt');
    const { page, faults } = await open('/sources/lab');
    await addRows(page, 'same.txt');
    await tray(page).getByRole('button', { name: 'Put into a package' }).click();
    await dialog(page).getByLabel('One that is there').check();
    await dialog(page).getByLabel('Package', { exact: true }).selectOption('admin/there');
    await page.keyboard.press('Escape');
    await dialog(page).waitFor({ state: 'detached' });
    expect(await page.evaluate<string>("document.activeElement?.textContent?.trim() ?? ''")).toBe('Put into a package');
    await page.keyboard.press('Enter');
    await dialog(page).getByLabel('One that is there').check();
    await dialog(page).getByLabel('Package', { exact: true }).selectOption('admin/there');
    await dialog(page).getByRole('button', { name: 'Put', exact: true }).click();
    await dialog(page).getByRole('heading', { name: 'Put into admin/there' }).waitFor();
    expect(await entriesOf('admin/there')).toEqual(['pointer same (1).txt', 'pointer same.txt']);
    // Once more: it is there.
    await toast(page, 'Put one item').getByRole('button', { name: 'Undo' }).click();
    await dialog(page).getByRole('button', { name: 'Close' }).last().click();
    await tray(page).getByRole('button', { name: 'Put into a package' }).click();
    await dialog(page).getByLabel('One that is there').check();
    await dialog(page).getByLabel('Package', { exact: true }).selectOption('admin/there');
    await dialog(page).getByLabel('Where a file of that name is there').selectOption('skip');
    await dialog(page).getByRole('button', { name: 'Put', exact: true }).click();
    await dialog(page).getByText('One skipped').or(dialog(page).getByText('One there already')).waitFor();
    expect(faults).toEqual([]);
  });

  it('says what is wrong, source by source, and keeps what did not go in', async () => {
    await writeFile(join(server.folder, 'field', 'short-lived.txt'), 'x');
    const { page, faults } = await open('/sources/field');
    await addRows(page, 'short-lived.txt');
    await page.goto(`${server.url}/sources/lab`);
    await addRows(page, 'same.txt');
    await rm(join(server.folder, 'field', 'short-lived.txt'));
    await tray(page).getByRole('button', { name: 'Put into a package' }).click();
    await dialog(page).getByRole('button', { name: 'Put', exact: true }).click();
    await dialog(page).getByText('Give it a name.').waitFor();
    await server.json('packages', 'create', 'admin/taken');
    await dialog(page).getByLabel('Name', { exact: true }).fill('taken');
    await page.keyboard.press('Enter');
    await dialog(page).getByText('admin/taken is there already.').waitFor();
    await dialog(page).getByLabel('Name', { exact: true }).fill('partly');
    await page.keyboard.press('Enter');
    await dialog(page).getByRole('heading', { name: 'Not all went into admin/partly' }).waitFor();
    await dialog(page).getByText('There is nothing at "short-lived.txt" in the source.').waitFor();
    expect(await findBarriers(page)).toEqual([]);
    expect(await entriesOf('admin/partly')).toEqual(['pointer same.txt']);
    await dialog(page).getByRole('button', { name: 'Close' }).last().click();
    await tray(page).getByText('one item').waitFor();
    await page.goto(`${server.url}/jobs`);
    const failed = page.getByRole('listitem').filter({ hasText: 'failed' }).first();
    await failed.getByText('There is nothing at').waitFor();
    await failed.getByText('Check the spelling', { exact: false }).waitFor();
    await failed.getByRole('link', { name: 'admin/partly' }).waitFor();
    expect(faults).toEqual([]);
  });

  it('is stopped while it runs, and nothing of that source is kept', async () => {
    const { page, faults } = await open('/sources/field');
    await addRows(page, 'notes.md');
    // The server is quick: its answers say that it runs until it was asked to end.
    let isAsked = false;
    const job = {
      id: 'j1',
      kind: 'package.annex',
      subject: 'package:1',
      progress: { done: 3, total: 9 },
      createdAt: new Date().toISOString(),
    };
    const answer = (): string => JSON.stringify({ ...job, state: isAsked ? 'cancelled' : 'running' });
    await page.route('**/api/v1/packages/admin/stopped/annex', (route) =>
      route.fulfill({ status: 202, json: { ...job, state: 'queued' } }),
    );
    await page.route('**/api/v1/jobs/j1/events', (route) =>
      route.fulfill({ contentType: 'text/event-stream', body: `event: job\ndata: ${answer()}\n\n` }),
    );
    await page.route('**/api/v1/jobs/j1', (route) => route.fulfill({ contentType: 'application/json', body: answer() }));
    await page.route('**/api/v1/jobs/j1/cancel', (route) => {
      isAsked = true;
      return route.fulfill({ contentType: 'application/json', body: answer() });
    });
    await tray(page).getByRole('button', { name: 'Put into a package' }).click();
    await dialog(page).getByLabel('Name', { exact: true }).fill('stopped');
    await page.keyboard.press('Enter');
    await dialog(page).getByText('3 of 9').waitFor();
    expect(await findBarriers(page)).toEqual([]);
    // It goes on in the background, and is found again.
    await dialog(page).getByRole('button', { name: 'Go on in the background' }).click();
    await tray(page).getByRole('button', { name: 'Putting …' }).click();
    await dialog(page).getByRole('button', { name: 'Stop' }).click();
    await dialog(page).getByText('Stopped; nothing of it was kept.').waitFor();
    await dialog(page).getByText('What did not go in is still in the tray.').waitFor();
    await dialog(page).getByRole('button', { name: 'Close' }).last().click();
    await tray(page).getByText('one item').waitFor();
    expect(faults).toEqual([]);
  });

  it.each([
    ['light', 1280],
    ['dark', 1280],
    ['light', 390],
    ['dark', 390],
  ] as const)('puts no barrier in anybody’s way: %s, %d pixels wide', async (colorScheme, width) => {
    const { page, faults } = await open('/sources/field', { colorScheme, viewport: { width, height: 800 }, hasTouch: width < 500 });
    await addRows(page, 'notes.md', 'raw');
    expect(await findBarriers(page)).toEqual([]);
    await tray(page).getByRole('button', { name: /^Tray/ }).click();
    await page.getByRole('list', { name: 'In the tray' }).waitFor();
    expect(await findBarriers(page)).toEqual([]);
    if (width < 500) {
      await page.getByRole('button', { name: 'Remove notes.md' }).click();
      await toast(page, 'Removed notes.md').getByRole('button', { name: 'Undo' }).click();
      await dialog(page).getByRole('link', { name: 'notes.md' }).waitFor();
      await dialog(page).getByRole('button', { name: 'Put into a package' }).click();
    } else await tray(page).getByRole('button', { name: 'Put into a package' }).click();
    await dialog(page).getByLabel('Name', { exact: true }).fill(`at-${colorScheme}-${width}`);
    expect(await findBarriers(page)).toEqual([]);
    expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    await dialog(page).getByRole('button', { name: 'Put', exact: true }).click();
    await dialog(page)
      .getByRole('heading', { name: `Put into admin/at-${colorScheme}-${width}` })
      .waitFor();
    expect(await findBarriers(page)).toEqual([]);
    await page.goto(`${server.url}/jobs`);
    await page.getByRole('list', { name: 'Jobs' }).waitFor();
    expect(await findBarriers(page)).toEqual([]);
    expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    expect(faults).toEqual([]);
  });
});
