/** The reference of the HTTP API, written from the routes themselves: `docs/reference/openapi.json` and `docs/reference/http.md`. */

import { type ErrorCode, errorTable } from '#errors/table.ts';
import { statusOf } from './problem.ts';
import type { Server } from './route.ts';

export interface HttpReference {
  /** OpenAPI 3.1, pretty-printed. */
  readonly openapi: string;
  readonly markdown: string;
}

interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly security?: readonly unknown[];
}

/** The server need not listen. */
export async function writeHttpReference(server: Server): Promise<HttpReference> {
  await server.ready();
  const document = server.swagger();
  const groups = new Map<string, string[]>();
  for (const [path, item] of Object.entries(document.paths ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))) {
    for (const [method, value] of Object.entries(item ?? {})) {
      const { summary = '', description, tags = ['other'], security = [] } = value as Operation;
      if (method === 'head') continue;
      const row = `| \`${method.toUpperCase()} ${path}\` | ${[summary, description].filter(Boolean).join('. ')} | ${security.length === 0 ? 'anyone' : 'token'} |`;
      const group = tags[0] ?? 'other';
      groups.set(group, [...(groups.get(group) ?? []), row.replaceAll('\n', ' ')]);
    }
  }
  return { openapi: `${JSON.stringify(hoistSchemas(document), null, 2)}\n`, markdown: writeMarkdown(groups) };
}

/** Schemas with a title stand once, below `components`, and are referred to. Two that differ under one title stay where they are. */
function hoistSchemas(document: object): object {
  const components: Record<string, unknown> = {};
  const texts = new Map<string, string>();
  const hoist = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(hoist);
    if (typeof value !== 'object' || value === null) return value;
    const copy = Object.fromEntries(Object.entries(value).map(([key, one]) => [key, hoist(one)]));
    const { title, type } = copy as { readonly title?: unknown; readonly type?: unknown };
    if (typeof title !== 'string' || type !== 'object' || !/^[A-Za-z]+$/.test(title)) return copy;
    const text = JSON.stringify(copy);
    if ((texts.get(title) ?? text) !== text) return copy;
    texts.set(title, text);
    components[title] = copy;
    return { $ref: `#/components/schemas/${title}` };
  };
  const { components: known = {}, ...rest } = hoist(document) as { readonly components?: { readonly schemas?: object } };
  const sorted = Object.fromEntries(Object.entries(components).sort(([a], [b]) => (a < b ? -1 : 1)));
  return { ...rest, components: { ...known, schemas: { ...known.schemas, ...sorted } } };
}

function writeMarkdown(groups: ReadonlyMap<string, readonly string[]>): string {
  const sections = [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, rows]) => `## ${name}\n\n| route | what | who |\n|---|---|---|\n${rows.join('\n')}\n`);
  const codes = (Object.keys(errorTable) as ErrorCode[]).map((code) => `| \`${code}\` | ${statusOf(code)} | ${errorTable[code].title} |`);
  return `# HTTP API

Generated from the routes; do not edit. The full schemas are in [openapi.json](openapi.json).

- Identity: \`Authorization: Bearer <token>\` (session or API token), or the session cookie of a browser. Nothing is read from the query.
- Errors: \`application/problem+json\` with a stable \`code\`; the table is below and in [errors.md](errors.md).
- Listings: \`?limit=\` (1 to 1000) and \`?cursor=\` of the page before. Instants are RFC 3339 in UTC, sizes bytes.
- \`Idempotency-Key\` on a POST that makes something: sent again with the same key within a day, it is answered again, not done again.

${sections.join('\n')}
## Errors

| code | status | meaning |
|---|---|---|
${codes.join('\n')}
`;
}
