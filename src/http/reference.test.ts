import { describe, expect, it } from 'vitest';
import { isolatedServer } from './isolated-server.fixture.ts';
import { writeHttpReference } from './reference.ts';

describe('writeHttpReference', () => {
  it('holds every route that is not hidden, and every error', async () => {
    const { server } = await isolatedServer({});
    const { openapi, markdown } = await writeHttpReference(server);
    const paths = Object.keys((JSON.parse(openapi) as { paths: object }).paths);
    expect(paths).toContain('/api/v1/packages/{namespace}/{package}/annex');
    expect(paths).not.toContain('/metrics');
    const { schemas } = (JSON.parse(openapi) as { components: { schemas: Record<string, object> } }).components;
    const named = [...openapi.matchAll(/"\$ref": "#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name as string);
    expect(named).toContain('Problem');
    for (const name of named) expect(Object.keys(schemas)).toContain(name);
    expect((await writeHttpReference(server)).openapi).toBe(openapi);
    expect(markdown).toContain('`POST /s/{share}/exchange`');
    expect(markdown).toContain('| `share_not_found` | 404 |');
    await server.close();
  });
});
