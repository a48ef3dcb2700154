/**
 * The fixture of the attacks: a real server with five people, a folder source, a package and six shares, canaries where nobody may look,
 * and a check that runs after every case. Requests are sent as they are written, by any carrier, from any peer.
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { type IncomingHttpHeaders, request as sendRequest } from 'node:http';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect } from 'vitest';
import { hashFiles, writeFiles } from '../support/files.ts';
import { type Packager, startPackager } from '../support/packager.ts';
import { roomy } from '../support/roomy.ts';

export const people = ['adm', 'alice', 'bob', 'nodl', 'ro'] as const;
export type Person = (typeof people)[number];

/** All that is accepted as evidence. */
export const carriers = ['session', 'token', 'cookie'] as const;
export type Carrier = (typeof carriers)[number];

const canaries = { DENY: 'CANARY-DENY-5d1', SIB: 'CANARY-SIB-7f2', BOB: 'CANARY-BOB-9a3', OUT: 'CANARY-OUT-c04' } as const;
export const sharePassword = 'correct horse battery';
export const hostileNames = [
  "Sun'><img src=x onerror=alert(1)>.jpg",
  '"><svg onload=alert(1)>.txt',
  '-oProxyCommand=id',
  '$(id);`id`|id&&id',
];

export interface Asked {
  readonly as?: Person | undefined;
  readonly via?: Carrier;
  readonly method?: string;
  /** As it goes over the wire. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** An object is sent as JSON. */
  readonly body?: unknown;
  /** The address that the proxy in front reports. */
  readonly peer?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  json<T = Record<string, unknown>>(): T;
}

export interface Share {
  readonly number: number;
  readonly id: string;
}

export interface World {
  readonly packager: Packager;
  /** Root of the source `local1`. */
  readonly root: string;
  /** Beyond every source. */
  readonly outside: string;
  readonly shares: { readonly S: Share; readonly P: Share; readonly F: Share; readonly X: Share; readonly V: Share };
  ask(asked: Asked): Promise<Answer>;
  passwordOf(person: Person): string;
  /** A session or API token of this person. */
  evidenceOf(person: Person, via?: Carrier): string;
  signIn(person: Person): Promise<string>;
  /** New evidence of each kind, where the old was ended. */
  equip(person: Person): Promise<void>;
  share(as: Person, body: Readonly<Record<string, unknown>>): Promise<Answer>;
  grant(person: Person, path: string, actions: readonly string[]): Promise<void>;
  revokeGrant(person: Person, path: string): Promise<void>;
  /** Waits for the job of an answer; its end. */
  finish(answer: Answer, as: Person): Promise<Record<string, unknown>>;
  /** Texts that no answer and no log line may hold from now on. */
  keepSecret(...texts: string[]): void;
  /** Nothing told that must not be, nothing changed outside, the server alive. */
  check(): Promise<void>;
  close(): Promise<void>;
}

export const all = ['list', 'stat', 'download', 'create', 'modify', 'delete', 'share', 'manage'] as const;
const curating = ['list', 'stat', 'download', 'create', 'modify', 'delete', 'share'];

export async function openWorld(settings: Readonly<Record<string, string>> = {}): Promise<World> {
  const packager = await startPackager({ ...roomy, ...settings });
  const root = join(packager.folder, 'local1');
  const outside = join(packager.folder, 'outside');
  await fillFolders(root, outside, join(packager.folder, 'local2'));
  const world = new RunningWorld(packager, root, outside);
  await world.people();
  await world.sourcesAndGrants();
  await world.packageA();
  await world.makeShares();
  await world.settle();
  return world;
}

async function fillFolders(root: string, outside: string, second: string): Promise<void> {
  const odd = Object.fromEntries(
    [...hostileNames, 'line\nbreak.txt', 'esc\u001b[2J.txt', 'tab\t.txt'].map((name) => [`alice/odd/${name}`, 'odd']),
  );
  const active = {
    'x.html': '<script>alert(1)</script>',
    'x.svg': '<svg onload="alert(1)"/>',
    'x.js': 'alert(1)',
    'x.xml': '<a/>',
    x: '<html>',
  };
  await writeFiles(root, {
    'alice/pub/a.txt': 'CANARY-PUB',
    'alice/pub/deep/b.bin': 'bytes',
    'alice/deny/s.txt': canaries.DENY,
    'alice/pub2/z.txt': canaries.SIB,
    'alice/pub.bak/z.txt': canaries.SIB,
    'alice/links/inside.txt': 'inside',
    'alice/pub/.package-r/upload': canaries.DENY,
    'bob/secret.txt': canaries.BOB,
    ...Object.fromEntries(Object.entries(active).map(([name, text]) => [`alice/active/${name}`, text])),
    ...odd,
  });
  await writeFiles(outside, { 'outside.txt': canaries.OUT });
  await writeFiles(second, { 'x.bin': canaries.BOB });
  const links = join(root, 'alice/links');
  await symlink(join(outside, 'outside.txt'), join(links, 'l'));
  await symlink(outside, join(links, 'd'));
  await symlink('l', join(links, 'chain'));
  await symlink('loop', join(links, 'loop'));
  await symlink(join(outside, 'new'), join(links, 'dangling'));
  await mkdir(join(root, 'bob/a'));
  await writeFile(join(root, 'bob/a/b.txt'), canaries.BOB);
}

class RunningWorld implements World {
  readonly packager: Packager;
  readonly root: string;
  readonly outside: string;
  shares = {} as World['shares'];
  readonly #secrets = new Set<string>(Object.values(canaries));
  /** These may be in the one answer that gives them, and never in the log. */
  readonly #neverLogged = new Set<string>([sharePassword]);
  readonly #passwords = new Map<string, string>();
  readonly #evidence = new Map<string, string>();
  #told: { readonly asked: Asked; readonly answer: Answer }[] = [];
  #files: Record<string, string> = {};
  #peers = 0;

  constructor(packager: Packager, root: string, outside: string) {
    this.packager = packager;
    this.root = root;
    this.outside = outside;
  }

  ask(asked: Asked): Promise<Answer> {
    const { as, via = 'session', method = 'GET', path, headers = {}, body } = asked;
    const evidence = as === undefined ? undefined : this.evidenceOf(as, via);
    const isJson = body !== undefined && typeof body !== 'string' && !Buffer.isBuffer(body);
    const sent = isJson ? JSON.stringify(body) : (body as string | Buffer | undefined);
    const { hostname, port } = new URL(this.packager.url);
    const given = {
      ...(evidence === undefined ? {} : via === 'cookie' ? { cookie: `pr_session=${evidence}` } : { authorization: `Bearer ${evidence}` }),
      ...(via === 'cookie' && as !== undefined ? { 'x-requested-with': 'packageR' } : {}),
      ...(isJson ? { 'content-type': 'application/json' } : {}),
      ...(sent === undefined ? {} : { 'content-length': String(Buffer.byteLength(sent)) }),
      'x-forwarded-for': asked.peer ?? '192.0.2.1',
      ...headers,
    };
    return new Promise((resolve, reject) => {
      const request = sendRequest({ hostname, port, method, path, headers: given, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const answer: Answer = { status: response.statusCode ?? 0, headers: response.headers, text, json: () => JSON.parse(text) };
          this.#told.push({ asked, answer });
          resolve(answer);
        });
      });
      request.on('error', reject);
      request.end(sent);
    });
  }

  passwordOf(person: Person): string {
    return this.#passwords.get(person) as string;
  }

  evidenceOf(person: Person, via: Carrier = 'session'): string {
    return this.#evidence.get(`${person} ${via}`) as string;
  }

  async signIn(person: Person): Promise<string> {
    const peer = `198.51.100.${++this.#peers % 250}`;
    const answer = await this.ask({
      method: 'POST',
      path: '/api/v1/login',
      body: { name: person, password: this.passwordOf(person) },
      peer,
    });
    expect(answer.status, answer.text).toBe(200);
    const { token } = answer.json<{ token: string }>();
    this.#neverLogged.add(token);
    return token;
  }

  share(as: Person, body: Readonly<Record<string, unknown>>): Promise<Answer> {
    return this.ask({ as, method: 'POST', path: '/api/v1/shares', body });
  }

  async grant(person: Person, path: string, actions: readonly string[]): Promise<void> {
    const body = { subject: { kind: 'user', name: person }, target: { kind: 'source', name: 'local1' }, path, actions };
    await this.#must(200, { as: 'adm', method: 'PUT', path: '/api/v1/grants', body });
  }

  async revokeGrant(person: Person, path: string): Promise<void> {
    const body = { subject: { kind: 'user', name: person }, target: { kind: 'source', name: 'local1' }, path };
    await this.#must(204, { as: 'adm', method: 'DELETE', path: '/api/v1/grants', body });
  }

  async finish(answer: Answer, as: Person): Promise<Record<string, unknown>> {
    const { id } = answer.json<{ id: string }>();
    for (let tries = 0; tries < 200; tries++) {
      const job = (await this.ask({ as, path: `/api/v1/jobs/${id}` })).json();
      if (job['state'] !== 'queued' && job['state'] !== 'running') return job;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    throw new Error('the job does not end');
  }

  keepSecret(...texts: string[]): void {
    for (const text of texts) this.#secrets.add(text);
  }

  async check(): Promise<void> {
    const told = this.#told;
    this.#told = [];
    for (const { asked, answer } of told) {
      const said = `${JSON.stringify(answer.headers)}\n${decodeSafely(JSON.stringify(answer.headers))}\n${answer.text}`;
      const where = `${asked.method ?? 'GET'} ${asked.path}`;
      for (const secret of this.#secrets) expect(said.includes(secret), `${where} told ${secret.slice(0, 10)}…`).toBe(false);
      for (const secret of [...this.#passwords.values(), sharePassword])
        expect(said.includes(secret), `${where} told a password`).toBe(false);
      expect(said, where).not.toMatch(/\n\s+at |node_modules|\.ts:\d|SqliteError|\$(?:argon2|scrypt)/);
      if (asked.as !== 'adm') expect(said.includes(this.packager.folder), `${where} told a path`).toBe(false);
    }
    const health = await this.ask({ path: '/health' });
    this.#told = [];
    expect(health.status).toBe(200);
    expect(await this.#hashAll()).toEqual(this.#files);
    this.checkLog();
  }

  /** The first lines tell the first administrator the password: they are for the terminal. */
  checkLog(): void {
    const log = this.packager.log().replace(this.packager.adminPassword, '');
    for (const secret of [...this.#secrets, ...this.#neverLogged, ...this.#passwords.values(), this.packager.adminPassword]) {
      expect(log.includes(secret), `the log told ${secret.slice(0, 10)}…`).toBe(false);
    }
    const told = [
      /\/s\/[^ "/~]+~(?!\[ticket\])/,
      /\/o\/[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]{12}/,
      /\$(?:argon2|scrypt)|Bearer |pr_session|authorization/i,
      // A fault that nobody foresaw.
      /.*"code":"internal".*/,
    ].flatMap((pattern) => pattern.exec(log)?.[0] ?? []);
    expect(told).toEqual([]);
  }

  async close(): Promise<void> {
    try {
      await this.#handlesAreClosed();
    } finally {
      await this.packager.stop();
    }
  }

  /** What was opened of the sources is closed again, once the requests are over. */
  async #handlesAreClosed(): Promise<void> {
    let open: string[] = [];
    for (let tries = 0; tries < 40; tries++) {
      open = openFiles(this.packager.pid).filter((path) => path.startsWith(`${this.root}/`) || path.startsWith(this.outside));
      if (open.length === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(open, 'files left open').toEqual([]);
  }

  async people(): Promise<void> {
    const admin = { name: 'admin', password: this.packager.adminPassword };
    const login = await this.#must(200, { method: 'POST', path: '/api/v1/login', body: admin, peer: '198.51.100.250' });
    this.#evidence.set('adm session', login.json<{ token: string }>().token);
    for (const name of people) {
      const password = `${name} has a long password`;
      this.#passwords.set(name, password);
      const body = { name, password, admin: name === 'adm' };
      const made = await this.ask({ as: 'adm', method: 'POST', path: '/api/v1/users', body });
      expect(made.status, made.text).toBe(201);
    }
    for (const name of people) await this.equip(name);
  }

  async equip(person: Person): Promise<void> {
    for (const via of ['session', 'cookie']) this.#evidence.set(`${person} ${via}`, await this.signIn(person));
    const made = await this.#must(201, { as: person, method: 'POST', path: '/api/v1/tokens', body: { name: 'own', actions: all } });
    const { token } = made.json<{ token: string }>();
    this.#evidence.set(`${person} token`, token);
    this.#neverLogged.add(token);
  }

  async sourcesAndGrants(): Promise<void> {
    for (const [name, folder] of Object.entries({ local1: this.root, local2: join(this.packager.folder, 'local2') })) {
      const options = { root: folder };
      await this.#must(201, { as: 'adm', method: 'POST', path: '/api/v1/sources', body: { name, driver: 'folder', options } });
    }
    for (const path of ['alice/pub', 'alice/links', 'alice/odd', 'alice/active']) await this.grant('alice', path, curating);
    await this.grant('bob', 'bob', curating);
    await this.grant('nodl', 'alice/pub', ['list', 'stat', 'create', 'share']);
    await this.grant('ro', 'alice/pub', ['list', 'stat', 'download']);
  }

  async packageA(): Promise<void> {
    const url = '/api/v1/packages/alice/pkga';
    await this.#must(201, { as: 'alice', method: 'POST', path: '/api/v1/packages', body: { reference: 'alice/pkga' } });
    const body = { source: 'local1', select: { paths: ['alice/pub/a.txt'] }, strip: 'alice/pub' };
    const job = await this.finish(await this.#must(202, { as: 'alice', method: 'POST', path: `${url}/annex`, body }), 'alice');
    expect(job['state'], JSON.stringify(job)).toBe('done');
    const headers = { 'content-type': 'application/octet-stream' };
    const text = '# pkgA\n<script>alert(1)</script>\n';
    await this.#must(200, { as: 'alice', method: 'PUT', path: `${url}/entries/README.md`, headers, body: text });
    await this.#must(201, { as: 'alice', method: 'POST', path: `${url}/versions`, body: { message: 'One' } });
  }

  async makeShares(): Promise<void> {
    const make = async (body: Record<string, unknown>): Promise<Share> => {
      const made = await this.share('alice', body);
      expect(made.status, made.text).toBe(201);
      const { number, id } = made.json<Share>();
      return { number, id };
    };
    const target = 'source:local1/alice/pub';
    const endsAt = Date.now() + 1000;
    const X = await make({ target, expiresAt: new Date(endsAt).toISOString() });
    this.shares = {
      X,
      S: await make({ target }),
      P: await make({ target, password: sharePassword }),
      F: await make({ target: 'source:local1/alice/pub/a.txt' }),
      V: await make({ target: 'alice/pkga@1' }),
    };
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, endsAt - Date.now()) + 20));
  }

  /** From here on nothing on disk may change, and what is in the state is secret. */
  async settle(): Promise<void> {
    const state = new DatabaseSync(join(this.packager.dataDir, 'state.sqlite'), { readOnly: true });
    const hashes = state.prepare('select password from user union all select password from share').all();
    state.close();
    for (const { password } of hashes) if (typeof password === 'string') this.#secrets.add(password);
    this.#secrets.add(readFileSync(join(this.packager.dataDir, 'key'), 'utf8').trim());
    this.#files = await this.#hashAll();
    this.#told = [];
  }

  async #hashAll(): Promise<Record<string, string>> {
    return { ...(await hashFiles(this.root)), ...(await hashFiles(this.outside)) };
  }

  async #must(status: number, asked: Asked): Promise<Answer> {
    const answer = await this.ask(asked);
    expect(answer.status, `${asked.method ?? 'GET'} ${asked.path}: ${answer.text}`).toBe(status);
    return answer;
  }
}

function openFiles(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return listOf(folder).flatMap((descriptor) => {
    try {
      const path = readlinkSync(join(folder, descriptor));
      return statSync(path).isFile() ? [path] : [];
    } catch {
      return [];
    }
  });
}

/** Nothing where the system does not tell. */
function listOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function decodeSafely(text: string): string {
  return text.replace(/%[0-9A-Fa-f]{2}/g, (one) => String.fromCharCode(Number.parseInt(one.slice(1), 16)));
}
