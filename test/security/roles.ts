/**
 * The one table that maps what the attacks speak of to the routes of packageR, and what packageR does not build. Every route of the server
 * has its place here: a new one fails `sign-in.test.ts` until somebody says what it is.
 */

export interface Role {
  /** As in the published descriptions of the attacks, which use the names of File Browser where it has the thing. */
  readonly known: string;
  /** `METHOD /path`, with parameters in braces as in the OpenAPI document. */
  readonly routes: readonly string[];
}

const packageUrl = '/api/v1/packages/{namespace}/{package}';
const exportNames = [
  'manifest.jsonl',
  'manifest.jsonl.sha256',
  'urls.txt',
  'aria2.txt',
  'curl.cfg',
  'SHA256SUMS',
  'MD5SUMS',
  'omissions.txt',
  'index.html',
  'package.zip',
];

/** What lies below both bases of links. */
function linkRoutes(base: string): string[] {
  const exported = exportNames.flatMap((name) => [`GET ${base}/${name}`, `POST ${base}/${name}`]);
  const objects = [`GET ${base}/o`, `GET ${base}/o/{*}`, `GET ${base}/entries/{*}`];
  return [`GET ${base}`, `GET ${base}/`, ...objects, ...exported, `POST ${base}/exchange`];
}

export const publicRoles: readonly Role[] = [
  { known: '/health', routes: ['GET /health', 'GET /ready'] },
  { known: '/api/login', routes: ['POST /api/v1/login'] },
  { known: '/api/public/share', routes: ['GET /s/{share}/api', 'POST /s/{share}/unlock', 'POST /s/{share}/accept'] },
  { known: '/api/public/dl, /api/public/exchange', routes: linkRoutes('/s/{share}') },
];

export const closedRoles: readonly Role[] = [
  { known: 'sign-out', routes: ['POST /api/v1/logout'] },
  {
    known: '/api/users',
    routes: [
      'GET /api/v1/users',
      'POST /api/v1/users',
      'GET /api/v1/users/{name}',
      'PATCH /api/v1/users/{name}',
      'DELETE /api/v1/users/{name}',
      'PUT /api/v1/users/{name}/password',
    ],
  },
  {
    known: '/api/users/self',
    routes: ['GET /api/v1/me', 'PUT /api/v1/me/password', 'GET /api/v1/sessions', 'DELETE /api/v1/sessions/{id}'],
  },
  {
    known: 'groups',
    routes: [
      'GET /api/v1/groups',
      'POST /api/v1/groups',
      'GET /api/v1/groups/{name}',
      'DELETE /api/v1/groups/{name}',
      'PUT /api/v1/groups/{name}/members/{user}',
      'DELETE /api/v1/groups/{name}/members/{user}',
    ],
  },
  { known: 'API keys', routes: ['GET /api/v1/tokens', 'POST /api/v1/tokens', 'DELETE /api/v1/tokens/{id}'] },
  {
    known: 'rules and scopes',
    routes: ['GET /api/v1/grants', 'PUT /api/v1/grants', 'DELETE /api/v1/grants', 'DELETE /api/v1/grants/{id}'],
  },
  {
    known: 'homes',
    routes: [
      'GET /api/v1/namespaces',
      'POST /api/v1/namespaces',
      'GET /api/v1/namespaces/{name}',
      'PATCH /api/v1/namespaces/{name}',
      'DELETE /api/v1/namespaces/{name}',
      'GET /api/v1/namespaces/{name}/members',
      'PUT /api/v1/namespaces/{name}/members',
      'POST /api/v1/namespaces/{name}/members/remove',
    ],
  },
  { known: '/api/settings', routes: ['GET /api/v1/config', 'POST /api/v1/backup', 'POST /api/v1/verify', 'POST /api/v1/keys/rotate'] },
  {
    known: '/api/sources',
    routes: [
      'GET /api/v1/drivers',
      'GET /api/v1/sources',
      'POST /api/v1/sources',
      'GET /api/v1/sources/{name}',
      'PATCH /api/v1/sources/{name}',
      'DELETE /api/v1/sources/{name}',
      'POST /api/v1/sources/{name}/test',
    ],
  },
  { known: '/api/resources', routes: ['GET /api/v1/sources/{name}/entries/{*}'] },
  { known: '/api/raw, /api/exchange', routes: ['POST /api/v1/sources/{name}/presign/{*}'] },
  { known: '/api/search', routes: ['GET /api/v1/sources/{name}/search/{*}', `GET ${packageUrl}/search/{*}`] },
  {
    known: '/api/packages',
    routes: [
      'GET /api/v1/packages',
      'POST /api/v1/packages',
      `GET ${packageUrl}`,
      `DELETE ${packageUrl}`,
      `POST ${packageUrl}/fork`,
      `GET ${packageUrl}/entries/{*}`,
      `PUT ${packageUrl}/entries/{*}`,
      `DELETE ${packageUrl}/entries/{*}`,
      `GET ${packageUrl}/steps`,
      `POST ${packageUrl}/steps`,
      `POST ${packageUrl}/annex`,
      `GET ${packageUrl}/versions`,
      `POST ${packageUrl}/versions`,
      `POST ${packageUrl}/withdraw`,
      `POST ${packageUrl}/verify`,
      `POST ${packageUrl}/drift`,
      `GET ${packageUrl}/drift`,
      `GET ${packageUrl}/diff`,
    ],
  },
  { known: '/api/packages (stable URLs)', routes: linkRoutes('/p/{namespace}/{package}') },
  {
    known: '/api/share, /api/shares',
    routes: [
      'GET /api/v1/shares',
      'POST /api/v1/shares',
      'GET /api/v1/shares/{number}',
      'PATCH /api/v1/shares/{number}',
      'DELETE /api/v1/shares/{number}',
      'POST /api/v1/shares/{number}/pause',
      'POST /api/v1/shares/{number}/resume',
      'POST /api/v1/shares/{number}/rotate',
    ],
  },
  {
    known: 'jobs, event streams, audit',
    routes: [
      'GET /api/v1/jobs',
      'GET /api/v1/jobs/{id}',
      'POST /api/v1/jobs/{id}/cancel',
      'GET /api/v1/jobs/{id}/events',
      'GET /api/v1/events',
    ],
  },
];

/** What is not built, by the attack that would need it: nothing may answer there. */
export const absent: readonly { readonly attack: string; readonly method: string; readonly path: string }[] = [
  { attack: 'A08 second factor', method: 'POST', path: '/api/v1/me/otp' },
  { attack: 'A08 recovery', method: 'POST', path: '/api/v1/recover' },
  { attack: 'A10 renewal', method: 'POST', path: '/api/renew' },
  { attack: 'A10 renewal', method: 'POST', path: '/api/v1/renew' },
  { attack: 'A12 whole settings', method: 'PUT', path: '/api/settings' },
  { attack: 'A12 whole settings', method: 'PUT', path: '/api/v1/config' },
  { attack: 'A12 whole user', method: 'PUT', path: '/api/v1/users/bob' },
  { attack: 'A13 sign-up', method: 'POST', path: '/api/signup' },
  { attack: 'A13 sign-up', method: 'POST', path: '/api/v1/signup' },
  { attack: 'A13 OIDC', method: 'GET', path: '/api/v1/oidc/callback?code=1&state=1' },
  { attack: 'A22 writing through a share', method: 'PUT', path: '/s/$S/o/victim.txt' },
  { attack: 'A22 writing through a share', method: 'DELETE', path: '/s/$S/o/a.txt' },
  { attack: 'A22 writing through a share', method: 'PATCH', path: '/s/$S/o/a.txt?action=rename&destination=/victim' },
  { attack: 'A22 writing through a share', method: 'POST', path: '/s/$S/o/a.txt?path=../victim&fromPath=/a&toPath=/b' },
  { attack: 'A22 writing through a share', method: 'PUT', path: '/s/$S/entries/victim.txt' },
  {
    attack: 'A24 copy in a source',
    method: 'PATCH',
    path: '/api/v1/sources/local1/entries/alice/pub/a.txt?action=copy&destination=/bob/n',
  },
  { attack: 'A27 writing to a source', method: 'PUT', path: '/api/v1/sources/local1/entries/alice/pub/a.txt' },
  { attack: 'A21 deleting in a source', method: 'DELETE', path: '/api/v1/sources/local1/entries/alice/pub/a.txt' },
  { attack: 'A26 preview', method: 'GET', path: '/api/preview/big/alice/pub/a.txt' },
  { attack: 'A36 viewers', method: 'GET', path: '/api/v1/sources/local1/preview/alice/pub/a.txt' },
  { attack: 'A39 import', method: 'POST', path: '/api/v1/packages/alice/pkga/import' },
  { attack: 'A44 tus', method: 'POST', path: '/api/tus/alice/pub/a.txt' },
  { attack: 'A44 tus', method: 'PATCH', path: '/api/tus/alice/pub/a.txt' },
  { attack: 'A45 tus', method: 'DELETE', path: '/api/tus/alice/pub/a.txt?override=true' },
  { attack: 'A46 editor callback', method: 'POST', path: '/api/onlyoffice/callback' },
  { attack: 'A46 back-channel sign-out', method: 'POST', path: '/api/v1/oidc/logout' },
  { attack: 'A46 storage event', method: 'POST', path: '/api/v1/sources/local1/notify' },
  { attack: 'A48 command runner', method: 'GET', path: '/api/command/alice?command=id' },
  { attack: 'A48 command runner', method: 'POST', path: '/api/v1/commands' },
  { attack: 'A51 gateway', method: 'GET', path: '/local1/alice/pub/a.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a' },
  { attack: 'A55 debugging', method: 'GET', path: '/debug/pprof/' },
  { attack: 'A55 documentation page', method: 'GET', path: '/swagger' },
  { attack: 'A55 documentation page', method: 'GET', path: '/documentation' },
  { attack: 'A55 repository', method: 'GET', path: '/.git/config' },
  { attack: 'A55 environment', method: 'GET', path: '/.env' },
  { attack: 'A55 source maps', method: 'GET', path: '/assets/index.js.map' },
  { attack: 'A55 settings', method: 'GET', path: '/api/settings' },
  { attack: 'A60 WebDAV', method: 'PROPFIND', path: '/s/$S/o/' },
  { attack: 'A60 WebDAV', method: 'COPY', path: '/s/$S/o/a.txt' },
  { attack: 'A60 WebDAV', method: 'MOVE', path: '/dav/local1/alice/pub/a.txt' },
  { attack: 'A60 WebDAV', method: 'LOCK', path: '/dav/local1/alice/pub/a.txt' },
  { attack: 'A60 git', method: 'GET', path: '/s/$S/git/info/refs?service=git-upload-pack' },
  { attack: 'A60 DVC', method: 'GET', path: '/s/$S/dvc/files/md5/00/00' },
  { attack: 'A60 Metalink', method: 'GET', path: '/s/$S/package.meta4' },
];
