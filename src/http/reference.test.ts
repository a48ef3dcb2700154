import { describe, expect, it } from 'vitest';
import { isolatedServer } from './isolated-server.ts';
import { writeHttpReference } from './reference.ts';

describe('writeHttpReference', () => {
  it('holds every route that is not hidden, and every error', async () => {
    const { server } = await isolatedServer({});
    const { openapi, markdown } = await writeHttpReference(server);
    const paths = Object.keys((JSON.parse(openapi) as { paths: object }).paths);
    expect(paths).toContain('/api/v1/packages/{namespace}/{package}/annex');
    expect(paths).not.toContain('/metrics');
    expect(markdown).toContain('`POST /s/{share}/exchange`');
    expect(markdown).toContain('| `share_not_found` | 404 |');
    await server.close();
  });
});
