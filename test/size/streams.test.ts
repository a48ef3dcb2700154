/**
 * Streams at size, in small: nobody reads ahead of a reader that does not read, and nobody goes on for a reader that is gone. A tree
 * counts how far it was walked while a real socket is held. Timed by nothing but the end of all movement.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { bulkLineLimit, readLines } from '#exchange/bulk-lines.ts';
import { inOrder } from '#exchange/in-order.ts';
import type { TestServer } from '#http/isolated-server.fixture.ts';
import { id, type LinkSetup, linkServer } from '#http/link.fixture.ts';
import type { Leaf, Pointer } from '#model/entry.ts';
import { parseKey } from '#model/key.ts';
import { parsePath } from '#model/path.ts';
import type { Tree } from '#model/tree.ts';
import { generatedTree, pointerFile } from '#testing/memory-tree.ts';

const count = 60_000;
/** Long paths, so that what sockets hold is soon full: some 5,000 lines. */
const longName = 'x'.repeat(200);
const { leaf } = pointerFile('x', '', { checksums: [] });
const leafAt = (index: number): Pointer => {
  const path = parsePath(`a/${longName}/${longName}/${longName}/${longName}/${String(index).padStart(8, '0')}`);
  return { ...(leaf as Pointer), path, key: parseKey(path) };
};

/** A tree that tells how far it was walked since it was told to count anew, and whether somebody still walks it. */
function countedTree() {
  const walks = { given: 0, running: 0 };
  const inner = generatedTree(count, leafAt, () => {
    walks.given += 1;
  });
  const tree: Tree = {
    ...inner,
    async *walk(folder, options): AsyncGenerator<Leaf, void> {
      walks.running += 1;
      try {
        yield* inner.walk(folder, options);
      } finally {
        walks.running -= 1;
      }
    },
  };
  return { tree, walks };
}

let test: TestServer | undefined;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await test?.server.close();
  test = undefined;
});

/** Sends a request and reads nothing. */
async function ask(tree: Tree, method: 'GET' | 'POST', name: string, more: Partial<LinkSetup> = {}): Promise<Socket> {
  ({ test } = await linkServer({ files: [], tree, ...more }));
  await test.server.listen({ port: 0, host: '127.0.0.1' });
  const { port } = test.server.server.address() as AddressInfo;
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.pause();
  sockets.push(socket);
  await once(socket, 'connect');
  const body = method === 'POST' ? 'Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n' : '';
  socket.write(`${method} /s/${id}/${name} HTTP/1.1\r\nHost: data.example\r\n${body}\r\n`);
  return socket;
}

/** Resolves when the number has not changed for a while, with the number. */
async function settled(read: () => number): Promise<number> {
  for (let [before, same] = [-1, 0]; ; ) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    same = read() === before ? same + 1 : 0;
    before = read();
    if (same === 10 && before > 0) return before;
  }
}

/** Behind the plan of an archive, which walks all once before the first byte. */
const planned = { 'package.zip': count, 'urls.txt': 0, 'manifest.jsonl': 0 } as const;

describe.each(['urls.txt', 'manifest.jsonl', 'package.zip'] as const)('%s', (name) => {
  it('is made no further than a reader that does not read lets it', async () => {
    const { tree, walks } = countedTree();
    const socket = await ask(tree, 'GET', name);
    await vi.waitFor(() => expect(walks.given).toBeGreaterThan(planned[name]), { timeout: 60_000 });
    const stopped = (await settled(() => walks.given)) - planned[name];
    expect(stopped).toBeLessThan(count / 2);
    expect(walks.running).toBe(1);
    socket.resume();
    let bytes = 0;
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > 12_000_000) socket.pause();
    });
    await vi.waitFor(() => expect(walks.given - planned[name]).toBeGreaterThan(stopped), { timeout: 60_000 });
    expect((await settled(() => walks.given)) - planned[name]).toBeLessThan(count);
  });

  it('is made no further for a reader that is gone', async () => {
    const { tree, walks } = countedTree();
    const socket = await ask(tree, 'GET', name);
    await vi.waitFor(() => expect(walks.given).toBeGreaterThan(planned[name]), { timeout: 60_000 });
    socket.destroy();
    await vi.waitFor(() => expect(walks.running).toBe(0), { timeout: 60_000 });
    expect(walks.given - planned[name]).toBeLessThan(count);
  });
});

describe('an archive that is still being planned', () => {
  it('is given up with its reader', async () => {
    const { tree, walks } = countedTree();
    const slow: Tree = {
      ...tree,
      async *walk(folder, options) {
        for await (const one of tree.walk(folder, options)) {
          if (walks.given % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
          yield one;
        }
      },
    };
    const socket = await ask(slow, 'GET', 'package.zip');
    await vi.waitFor(() => expect(walks.given).toBeGreaterThan(1000), { timeout: 60_000 });
    socket.destroy();
    await vi.waitFor(() => expect(walks.running).toBe(0), { timeout: 60_000 });
    expect(walks.given).toBeLessThan(count);
  });
});

describe('a bulk exchange', () => {
  it('takes no more lines than its reader takes answers', async () => {
    const bulk = (body: AsyncIterable<Uint8Array>) => inOrder(readLines(body, bulkLineLimit), async (line) => ({ line }), 64);
    const socket = await ask(generatedTree(0, leafAt), 'POST', 'exchange', { bulk });
    const line = `${JSON.stringify(leafAt(1).path)}\n`;
    const chunk = line.repeat(50);
    let sent = 0;
    const most = 60_000_000;
    const send = (): void => {
      while (sent < most && socket.write(`${chunk.length.toString(16)}\r\n${chunk}\r\n`)) sent += chunk.length;
    };
    socket.on('drain', send);
    send();
    expect(await settled(() => sent)).toBeLessThan(most);
  });

  it('gives out the answers that are there while the next line has not come', async () => {
    const bulk = (body: AsyncIterable<Uint8Array>) => inOrder(readLines(body, bulkLineLimit), async (line) => ({ line }), 64);
    const socket = await ask(generatedTree(0, leafAt), 'POST', 'exchange', { bulk });
    socket.resume();
    let received = '';
    socket.on('data', (data: Buffer) => {
      received += data.toString();
    });
    for (const line of ['"one"\n', '"two"\n']) {
      socket.write(`${line.length.toString(16)}\r\n${line}\r\n`);
      await vi.waitFor(() => expect(received).toContain(JSON.stringify({ line: line.trim() })), { timeout: 30_000 });
    }
    expect(received).not.toContain('\r\n0\r\n');
  });

  it('has at most as many under way as it may, and reads no further ahead', async () => {
    const state = { read: 0, under: 0, most: 0, closed: false };
    async function* items(): AsyncGenerator<number> {
      try {
        for (let index = 0; index < 10_000; index++) {
          state.read += 1;
          yield index;
        }
      } finally {
        state.closed = true;
      }
    }
    const work = async (item: number): Promise<number> => {
      state.most = Math.max(state.most, ++state.under);
      await new Promise((resolve) => setImmediate(resolve));
      state.under -= 1;
      return item;
    };
    const answers = inOrder(items(), work, 64);
    for (let index = 0; index < 100; index++) expect((await answers.next()).value).toBe(index);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(state.read).toBeLessThanOrEqual(100 + 64 + 1);
    expect(state.most).toBeLessThanOrEqual(64);
    await answers.return(undefined);
    await vi.waitFor(() => expect(state.closed).toBe(true));
  });
});
