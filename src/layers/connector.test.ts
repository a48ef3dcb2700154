import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Connector, OutboundRequest } from '#drivers/connector.ts';
import { isError } from '#errors/error.ts';
import { type ConnectorOptions, createConnector } from '#layers/connector.ts';
import { EndpointList } from '#layers/endpoints.ts';
import { readAll } from '#model/tree.ts';
import { bodyOf, expectError } from '#testing/driver-subject.ts';

let server: Server;
let port = 0;
const hits: string[] = [];
beforeAll(async () => {
  server = createServer((request, response) => {
    hits.push(`${request.headers.host}${request.url}`);
    if (request.url === '/redirect') response.writeHead(302, { location: 'http://169.254.169.254/' }).end();
    else if (request.url === '/silent') return;
    else if (request.url === '/endless') response.writeHead(200).write('begin');
    else if (request.url === '/reset') {
      response.writeHead(200, { 'content-length': '10' });
      response.write('half');
      setImmediate(() => response.destroy());
    } else request.pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

async function call(options: ConnectorOptions, url: string, more = {}): Promise<{ status: number; text: string }> {
  const connector: Connector = createConnector(options);
  try {
    const { status, body } = await connector.request({ method: 'POST', url: new URL(url), body: Buffer.from('hello'), ...more });
    return { status, text: (await readAll(body, 1000)).toString() };
  } finally {
    await connector.close();
  }
}

describe('the connector', () => {
  it('reaches what is listed, by address, network, name, and port', async () => {
    const resolve = async (): Promise<string[]> => ['127.0.0.1'];
    for (const allow of ['127.0.0.1', '127.0.0.0/8', `127.0.0.1:${port}`]) {
      expect(await call({ allow: [allow] }, `http://127.0.0.1:${port}/`)).toEqual({ status: 200, text: 'hello' });
    }
    for (const allow of ['s3.example.com', '*.example.com', `s3.example.com:${port}`, 'S3.Example.COM.', '127.0.0.1']) {
      expect(await call({ allow: [allow], resolve }, `http://s3.example.com:${port}/`)).toEqual({ status: 200, text: 'hello' });
    }
  });

  it('refuses every spelling of loopback, private, link-local and metadata addresses', async () => {
    const before = hits.length;
    const hosts = [
      '127.0.0.1',
      '2130706433',
      '0x7f000001',
      '0177.0.0.1',
      '127.1',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '[::127.0.0.1]',
      '0',
      '0.0.0.0',
    ];
    const others = ['10.0.0.1', '192.168.1.1', '172.16.0.1', '169.254.169.254', '100.64.0.1', '168.63.129.16', '[fd00::1]', '[fe80::1]'];
    for (const host of [...hosts, ...others, '[64:ff9b::7f00:1]', '[2002:7f00:1::]', '224.0.0.1', '255.255.255.255']) {
      await expectError(call({}, `http://${host}:${port}/`), 'endpoint_refused');
    }
    expect(hits).toHaveLength(before);
  });

  it('names the setting, and exactly what to add to it', async () => {
    const cases = [
      ['127.0.0.1', 9000, '127.0.0.1', '127.0.0.1:9000'],
      ['127.0.0.1', 443, '127.0.0.1', '127.0.0.1'],
      ['::1', 9000, '::1', '[::1]:9000'],
      ['store.lan', 9000, '10.1.2.3', 'store.lan:9000'],
      ['store.lan', 80, 'fd00::7', 'store.lan'],
      ['store.lan', 80, '169.254.169.254', '169.254.169.254'],
      ['store.lan', 9000, '::ffff:169.254.169.254', '169.254.169.254:9000'],
    ] as const;
    for (const [host, port, address, add] of cases) {
      expect(new EndpointList([]).allows(host, address, port)).toBe(false);
      const { message } = new EndpointList([]).refusal(host, address, port);
      expect(message).toMatch(/endpoints\.allow/);
      expect(message).toContain(` ${add} `);
      expect(new EndpointList([add]).allows(host, address, port)).toBe(true);
    }
    const error = await call({ resolve: async () => ['10.9.8.7'] }, `http://store.lan:${port}/`).catch((thrown: unknown) => thrown);
    expect(isError(error, 'endpoint_refused') && error.message).toContain(`add store.lan:${port} to`);
  });

  it('decides on what a name resolves to, and dials nothing else', async () => {
    const before = hits.length;
    for (const address of ['127.0.0.1', '::ffff:127.0.0.1', '::1']) {
      await expectError(call({ resolve: async () => [address] }, `http://public.example.org:${port}/`), 'endpoint_refused');
    }
    await expectError(
      call({ allow: ['*.example.org'], resolve: async () => ['169.254.169.254'] }, 'http://x.example.org/'),
      'endpoint_refused',
    );
    expect(hits).toHaveLength(before);
  });

  it('asks once for each connection, so that a second answer changes nothing', async () => {
    let asked = 0;
    const resolve = async (): Promise<string[]> => (asked++ === 0 ? ['127.0.0.1'] : ['127.0.0.2']);
    expect((await call({ allow: ['127.0.0.1'], resolve }, `http://rebind.example.org:${port}/`)).status).toBe(200);
    expect(asked).toBe(1);
    await expectError(call({ allow: ['127.0.0.1'], resolve }, `http://rebind.example.org:${port}/`), 'endpoint_refused');
  });

  it('matches whole labels, and the port where one is listed', async () => {
    const resolve = async (): Promise<string[]> => ['127.0.0.1'];
    const allow = ['s3.example.com', '*.example.net', 'only.example.org:1'];
    const hosts = ['s3.example.com.evil', 'evils3.example.com', 'xexample.net', 'example.net', 'only.example.org', 'a.s3.example.com'];
    for (const host of hosts) await expectError(call({ allow, resolve }, `http://${host}:${port}/`), 'endpoint_refused');
  });

  it('refuses public addresses too where the list is exclusive', () => {
    expect(new EndpointList([]).allows('x', '8.8.8.8', 443)).toBe(true);
    expect(new EndpointList([], true).allows('x', '8.8.8.8', 443)).toBe(false);
    expect(new EndpointList(['x'], true).allows('x', '8.8.8.8', 443)).toBe(true);
    expect(new EndpointList(['fd00::/8']).allows('x', 'fd12::1', 443)).toBe(true);
    expect(new EndpointList(['[fd00::1]:9000']).allows('x', 'fd00::1', 443)).toBe(false);
    expect(new EndpointList(['::1']).allows('x', '::1', 443)).toBe(true);
  });

  it('follows no redirect', async () => {
    expect((await call({ allow: ['127.0.0.1'] }, `http://127.0.0.1:${port}/redirect`)).status).toBe(302);
  });

  it('goes through no proxy, whatever the environment says', async () => {
    const script = `import { createConnector } from ${JSON.stringify(new URL('./connector.ts', import.meta.url).href)};
      const connector = createConnector({ allow: ['127.0.0.1'] });
      const { status } = await connector.request({ method: 'GET', url: new URL('http://127.0.0.1:${port}/direct') });
      process.stdout.write(String(status));
      await connector.close();`;
    const proxy = `http://127.0.0.1:${port}`;
    const env = { ...process.env, NODE_USE_ENV_PROXY: '1', HTTP_PROXY: proxy, http_proxy: proxy, NO_PROXY: '', no_proxy: '' };
    const ran = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], { env });
    expect(ran.stdout).toBe('200');
    expect(hits.at(-1)).toBe(`127.0.0.1:${port}/direct`);
  });

  it('sends a target as it is, and refuses one that could be read as more', async () => {
    const options = { allow: ['127.0.0.1'] };
    for (const target of ['/b/a/../b/./x?versionId=1', '/b/%2e%2E/x', '/b//x', '//other.example/x', '/b/a%20b?q=%', '/\\x']) {
      await call(options, `http://127.0.0.1:${port}/folded`, { target });
      expect(hits.at(-1)).toBe(`127.0.0.1:${port}${target}`);
    }
    const before = hits.length;
    const bad = ['', 'x', 'http://other.example/', '/a b', '/a\r\nHost: x', '/a\tb', '/\0', '/\x7f', '/é', '/a#b', '*'];
    for (const target of bad) await expectError(call(options, `http://127.0.0.1:${port}/`, { target }), 'request_invalid');
    expect(hits).toHaveLength(before);
  });

  it('refuses other schemes, passwords in addresses, and rules that are none', async () => {
    await expectError(call({}, 'ftp://example.org/'), 'endpoint_refused');
    await expectError(call({ allow: ['127.0.0.1'] }, `http://a:b@127.0.0.1:${port}/`), 'endpoint_refused');
    for (const allow of ['*', 'http://x', 'a b', '*.*.x', '10.0.0.0/99', '', '127.1', 'x:99999']) {
      expect(() => new EndpointList([allow])).toThrow(/endpoints\.allow/);
    }
  });

  it('maps silence, resets, refusals and cancelling to our errors', async () => {
    const options = { allow: ['127.0.0.1'] };
    await expectError(call(options, `http://127.0.0.1:${port}/silent`, { timeout: 20 }), 'timeout');
    await expectError(call(options, `http://127.0.0.1:${port}/reset`), 'source_unavailable');
    await expectError(call(options, 'http://127.0.0.1:1/'), 'source_unavailable');
    await expectError(call(options, `https://127.0.0.1:${port}/`), 'source_unavailable');
    await expectError(call({ resolve: async () => [] }, 'http://nowhere.example/'), 'source_unavailable');
    await expectError(call(options, `http://127.0.0.1:${port}/silent`, { signal: AbortSignal.abort() }), 'cancelled');
    const caller = new AbortController();
    setImmediate(() => caller.abort());
    await expectError(call(options, `http://127.0.0.1:${port}/silent`, { signal: caller.signal }), 'cancelled');
  });

  it('waits for a connection only so long, apart from the answer', async () => {
    const never = () => new Promise<never>(() => undefined);
    const slowName = call({ resolve: never, connectTimeout: 20 }, 'http://nowhere.example/');
    await expect(slowName).rejects.toMatchObject({ code: 'timeout', message: expect.stringContaining('No connection within 0.02 s') });
    const mute = createTcpServer(() => undefined).listen(0, '127.0.0.1');
    await once(mute, 'listening');
    const { port: mutePort } = mute.address() as AddressInfo;
    const options = { allow: ['127.0.0.1'], connectTimeout: 20 };
    await expect(call(options, `https://127.0.0.1:${mutePort}/`)).rejects.toMatchObject({ code: 'timeout', retry: 'temporary' });
    const slowAnswer = call(options, `http://127.0.0.1:${port}/silent`, { timeout: 40 });
    await expect(slowAnswer).rejects.toMatchObject({ code: 'timeout', message: expect.stringContaining('No answer within 0.04 s') });
    const connector = createConnector({ allow: ['127.0.0.1'], connections: 1 });
    const url = new URL(`http://127.0.0.1:${port}/silent`);
    const caller = new AbortController();
    const first = expectError(connector.request({ method: 'GET', url, signal: caller.signal }), 'cancelled');
    await expect(connector.request({ method: 'GET', url, timeout: 20 })).rejects.toMatchObject({
      message: expect.stringContaining('No connection became free'),
    });
    caller.abort();
    await first;
    await connector.close();
    mute.close();
  });

  it('gives a body whose errors are ours, and which closes the connection when it is destroyed', async () => {
    const connector = createConnector({ allow: ['127.0.0.1'] });
    const url = new URL(`http://127.0.0.1:${port}/endless`);
    const caller = new AbortController();
    const cut = await connector.request({ method: 'GET', url, signal: caller.signal });
    const reading = (async () => {
      for await (const _ of cut.body) caller.abort();
    })();
    await expectError(reading, 'cancelled');
    const { body } = await connector.request({ method: 'GET', url });
    const open = () => new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)));
    const closed = new Promise((resolve) => server.once('connection', (socket) => socket.once('close', resolve)));
    expect(await open()).toBeGreaterThan(0);
    const other = await connector.request({ method: 'GET', url });
    for await (const _ of other.body) break;
    await closed;
    body.destroy();
    await connector.close();
  });

  it('says it once more where a kept connection had been closed meanwhile, unless that could do more', async () => {
    let connections = 0;
    const impatient = createTcpServer((socket) => {
      const id = String(++connections);
      socket.once('data', () => {
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${id.length}\r\n\r\n${id}`);
        socket.once('data', () => socket.resetAndDestroy());
      });
    }).listen(0, '127.0.0.1');
    await once(impatient, 'listening');
    const connector = createConnector({ allow: ['127.0.0.1'] });
    const url = new URL(`http://127.0.0.1:${(impatient.address() as AddressInfo).port}/`);
    const ask = async (more: Partial<OutboundRequest> = {}): Promise<string> => {
      const { body } = await connector.request({ method: 'GET', url, ...more });
      return (await readAll(body, 1000)).toString();
    };
    expect([await ask(), await ask(), await ask({ method: 'HEAD' })]).toEqual(['1', '2', '']);
    const unrepeated = [
      { method: 'POST' },
      { method: 'PUT', body: Buffer.from('x'), headers: { 'If-None-Match': '*' } },
      { body: bodyOf('x') },
    ];
    for (const more of unrepeated) {
      const before = await ask();
      await expect(ask(more)).rejects.toMatchObject({ code: 'source_unavailable', retry: 'temporary' });
      expect(String(connections)).toBe(before);
    }
    await ask();
    expect(await ask({ method: 'PUT', body: Buffer.from('x') })).toBe(String(connections));
    await connector.close();
    impatient.close();
  });

  it('serves many callers of one signal without a warning', async () => {
    const warned: string[] = [];
    const listen = (warning: Error): void => void warned.push(warning.message);
    process.on('warning', listen);
    const { signal } = new AbortController();
    const connector = createConnector({ allow: ['127.0.0.1'] });
    const url = new URL(`http://127.0.0.1:${port}/`);
    await Promise.all(Array.from({ length: 40 }, async () => readAll((await connector.request({ method: 'GET', url, signal })).body, 10)));
    await new Promise(setImmediate);
    process.off('warning', listen);
    await connector.close();
    expect(warned).toEqual([]);
  });
});
