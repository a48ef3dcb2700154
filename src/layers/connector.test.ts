import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Connector } from '#drivers/connector.ts';
import { isError } from '#errors/error.ts';
import { type ConnectorOptions, createConnector } from '#layers/connector.ts';
import { EndpointList } from '#layers/endpoints.ts';
import { readAll } from '#model/tree.ts';
import { expectError } from '#testing/driver-subject.ts';

let server: Server;
let port = 0;
const hits: string[] = [];
beforeAll(async () => {
  server = createServer((request, response) => {
    hits.push(`${request.headers.host}${request.url}`);
    if (request.url === '/redirect') response.writeHead(302, { location: 'http://169.254.169.254/' }).end();
    else if (request.url === '/silent') return;
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

  it('names the setting to add', async () => {
    const error = await call({}, `http://127.0.0.1:${port}/`).catch((thrown: unknown) => thrown);
    expect(isError(error) && error.message).toContain('endpoints.allow');
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
});
