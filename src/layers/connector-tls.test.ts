import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OutboundRequest } from '#drivers/connector.ts';
import { createConnector } from '#layers/connector.ts';
import { readAll } from '#model/tree.ts';
import { requireComponent } from '#testing/component.ts';
import { expectError } from '#testing/driver-subject.ts';

const maker = { command: 'openssl', install: 'apt-get install openssl' };
const isThere = requireComponent('TLS of the connector', maker);

describe.skipIf(!isThere)('the connector over TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'package-r-tls-'));
  const servers: Server[] = [];
  let authority = '';
  let selfSigned = 0;
  let trusted = 0;
  let expired = 0;

  beforeAll(async () => {
    const openssl = (...args: string[]): void => void execFileSync(maker.command, args, { cwd: folder, stdio: 'pipe' });
    const request = (name: string, ...more: string[]): void =>
      openssl(
        'req',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-keyout',
        `${name}.key`,
        '-subj',
        `/CN=${name}`,
        ...more,
      );
    const names = ['-addext', 'subjectAltName=IP:127.0.0.1,DNS:store.example', '-addext', 'basicConstraints=critical,CA:FALSE'];
    const sign = (name: string, days: string): void => {
      request(name, ...names, '-out', `${name}.csr`);
      const by = ['-CA', 'authority.pem', '-CAkey', 'authority.key', '-CAcreateserial', '-copy_extensions', 'copy'];
      openssl('x509', '-req', '-in', `${name}.csr`, ...by, '-days', days, '-out', `${name}.pem`);
    };
    request('authority', '-x509', '-out', 'authority.pem');
    request('self', '-x509', '-out', 'self.pem', ...names);
    sign('server', '2');
    sign('old', '-1');
    authority = readFileSync(join(folder, 'authority.pem'), 'utf8');
    [selfSigned, trusted, expired] = (await Promise.all(['self', 'server', 'old'].map(open))) as [number, number, number];
  });
  afterAll(() => {
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
    rmSync(folder, { recursive: true });
  });

  async function open(name: string): Promise<number> {
    const read = (file: string) => readFileSync(join(folder, file));
    const server = createServer({ key: read(`${name}.key`), cert: read(`${name}.pem`) }, (request, response) => {
      response.end(String(request.socket.remotePort));
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  }

  function connect() {
    const connector = createConnector({ allow: ['127.0.0.1'], resolve: async () => ['127.0.0.1'] });
    return {
      close: () => connector.close(),
      async ask(port: number, more: Partial<OutboundRequest> = {}, host = '127.0.0.1'): Promise<string> {
        const { body } = await connector.request({ method: 'GET', url: new URL(`https://${host}:${port}/`), ...more });
        return (await readAll(body, 100)).toString();
      },
    };
  }

  it('refuses what no authority vouches for, for good', async () => {
    const { ask, close } = connect();
    const refusal = { code: 'source_unavailable', retry: 'permanent', message: expect.stringContaining('certificate') };
    await expect(ask(selfSigned)).rejects.toMatchObject(refusal);
    await expect(ask(trusted)).rejects.toMatchObject(refusal);
    await expect(ask(selfSigned, { ca: authority })).rejects.toMatchObject(refusal);
    await close();
  });

  it('takes a private authority besides those of the system, for its names and times only', async () => {
    const { ask, close } = connect();
    await ask(trusted, { ca: authority });
    await ask(trusted, { ca: authority }, 'store.example');
    await expect(ask(trusted, { ca: authority }, 'other.example')).rejects.toMatchObject({ retry: 'permanent' });
    await expect(ask(expired, { ca: authority })).rejects.toMatchObject({ retry: 'permanent' });
    await expectError(ask(trusted, { ca: 'no certificate' }), 'request_invalid');
    await close();
  });

  it('accepts anything only where that is said', async () => {
    const { ask, close } = connect();
    await ask(selfSigned, { insecure: true });
    await ask(expired, { insecure: true }, 'other.example');
    await close();
  });

  it('keeps connections of one trust, and lends them to no other', async () => {
    const { ask, close } = connect();
    const first = await ask(trusted, { insecure: true });
    expect(await ask(trusted, { insecure: true })).toBe(first);
    await expectError(ask(trusted), 'source_unavailable');
    const vouched = await ask(trusted, { ca: authority });
    expect(vouched).not.toBe(first);
    expect(await ask(trusted, { ca: authority })).toBe(vouched);
    await expectError(ask(trusted), 'source_unavailable');
    await close();
  });

  it('does not lift verification because the environment says so', async () => {
    const script = join(folder, 'ask.ts');
    writeFileSync(
      script,
      `import { createConnector } from ${JSON.stringify(new URL('./connector.ts', import.meta.url).href)};
      const url = new URL('https://127.0.0.1:${selfSigned}/');
      await createConnector({ allow: ['127.0.0.1'] }).request({ method: 'GET', url }).then(
        () => process.stdout.write('accepted'),
        (error) => process.stdout.write(error.message),
      );
      process.exit();`,
    );
    const env = { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: '0', NODE_NO_WARNINGS: '1' };
    expect((await promisify(execFile)(process.execPath, [script], { env })).stdout).toContain('certificate');
  });
});
