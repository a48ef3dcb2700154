/**
 * A real browser for tests: Chromium as it is installed, headless. Every page is watched: a request to any other origin, a violation of the
 * policy, or an error that nobody caught fails the test.
 */
import { AxeBuilder } from '@axe-core/playwright';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { commandPath, requireComponent } from '#testing/component.ts';

const commands = ['chromium', 'chromium-browser', 'google-chrome'] as const;
const program = process.env['CHROMIUM'] ?? commands.find((command) => commandPath(command) !== undefined);

/** False, with a line that says so, where there is no browser and this is no CI. */
export const hasBrowser: boolean = requireComponent('Chromium', {
  command: program ?? 'chromium',
  install: 'apt-get install --no-install-recommends chromium, or CHROMIUM=/path/to/one',
});

export interface Watched {
  readonly page: Page;
  readonly context: BrowserContext;
  /** What should not have happened, so far. */
  readonly faults: readonly string[];
}

export class TestBrowser {
  readonly #browser: Browser;
  readonly #origin: string;

  private constructor(browser: Browser, origin: string) {
    this.#browser = browser;
    this.#origin = origin;
  }

  /** `origin`: the only one that pages may ask. */
  static async start(origin: string): Promise<TestBrowser> {
    const flags = ['--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
    const args = process.getuid?.() === 0 ? [...flags, '--no-sandbox'] : flags;
    return new TestBrowser(await chromium.launch({ executablePath: commandPath(program ?? '') ?? program ?? '', args }), origin);
  }

  async open(options: BrowserContextOptions = {}): Promise<Watched> {
    const context = await this.#browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce', ...options });
    const faults: string[] = [];
    const tell = "(event) => console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI)";
    const content = `addEventListener('securitypolicyviolation', ${tell})`;
    await context.addInitScript({ content });
    context.on('request', (request) => {
      const { origin, protocol } = new URL(request.url());
      if (origin !== this.#origin && protocol !== 'data:' && protocol !== 'blob:') faults.push(`asked ${request.url()}`);
    });
    context.on('weberror', (error) => faults.push(`threw ${error.error().message}`));
    context.on('console', (message) => {
      const isRefusal = /^Failed to load resource: the server responded with a status of 4/.test(message.text());
      if (message.type() === 'error' && !isRefusal) faults.push(`said ${message.text()}`);
    });
    return { page: await context.newPage(), context, faults };
  }

  async close(): Promise<void> {
    await this.#browser.close();
  }
}

/** What of a page breaks WCAG 2.2 AA, as far as a machine can tell: a line each. */
export async function findBarriers(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']).analyze();
  return violations.flatMap(({ id, help, nodes }) => nodes.map(({ html }) => `${id}: ${help}: ${html.slice(0, 200)}`));
}
