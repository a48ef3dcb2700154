/** The peer: `node:http` and nothing else, the same 307 to everyone. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const location = 'https://objects.example.org/archive/some/object?signature=none';

const server = createServer((_request, response) => {
  response.writeHead(307, { location, 'content-length': '0' });
  response.end();
});
server.listen(0, '127.0.0.1', () => console.log(`port ${(server.address() as AddressInfo).port}`));
