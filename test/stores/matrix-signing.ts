/** Checks of signatures: whether a server refuses what it must refuse. */
import type { Key } from '#model/key.ts';
import { presignTarget, sendRaw } from '../support/stores/signed-request.ts';
import { freshKeys } from '../support/stores/store-server.ts';
import { type Check, codes } from './check.ts';

const minutes = 60_000;

export const signingChecks: readonly Check[] = [
  {
    name: 'signed GET, HEAD, PUT',
    want: '200, 200, 200',
    see: async ({ sign, use }) =>
      codes(
        await use(await sign()),
        await use(await sign({ method: 'HEAD' }), { method: 'HEAD' }),
        await use(await sign({ method: 'PUT', key: 'written' as Key }), { method: 'PUT', body: 'x' }),
      ),
  },
  {
    name: 'signature tampered with; in capital letters',
    want: '403, 403',
    async see({ sign, use }) {
      const url = await sign();
      const [, signature = ''] = /X-Amz-Signature=([0-9a-f]{64})/.exec(url) ?? [];
      const tampered = (signature[0] === '0' ? '1' : '0') + signature.slice(1);
      // A signature of digits alone has no capital letters: such a one is as good as never made.
      return codes(await use(url.replace(signature, tampered)), await use(url.replace(signature, signature.toUpperCase())));
    },
  },
  {
    name: 'expired; no signature; unknown access key',
    want: '403, 403, 403',
    async see({ sign, use }) {
      const before = Date.now() - 10 * minutes;
      const url = await sign({}, { clock: () => before });
      return codes(await use(url), await use(url.slice(0, url.indexOf('?'))), await use(await sign({}, { keys: freshKeys() })));
    },
  },
  {
    name: 'URL for GET used for HEAD, PUT, DELETE; for HEAD used for GET',
    want: '403, 403, 403, 403',
    async see({ sign, use }) {
      const url = await sign();
      return codes(
        await use(url, { method: 'HEAD' }),
        await use(url, { method: 'PUT', body: 'x' }),
        await use(url, { method: 'DELETE' }),
        await use(await sign({ method: 'HEAD' })),
      );
    },
  },
  {
    name: 'another key; a parameter added; a longer life',
    want: '403, 403, 403',
    async see({ sign, use, server, bucket }) {
      await server.put(bucket, 'digitz', 'x');
      const url = await sign();
      return codes(
        await use(url.replace('/digits?', '/digitz?')),
        await use(`${url}&response-content-type=text%2Fhtml`),
        await use(url.replace('X-Amz-Expires=60', 'X-Amz-Expires=600')),
      );
    },
  },
  {
    name: 'life of 604,800 s; of 604,801 s',
    want: ['200, 400', '200, 403'],
    async see({ sign, use, server, bucket }) {
      const target = presignTarget(server, { method: 'GET', bucket, key: 'digits', expiresIn: 604_801 });
      return codes(await use(await sign({ expiresIn: 604_800 })), await sendRaw(server.endpoint, 'GET', target));
    },
  },
  {
    name: '`Authorization` header beside a signed URL',
    want: '400',
    see: async ({ sign, use }) => codes(await use(await sign(), { headers: { authorization: 'Basic dTpw' } })),
  },
  {
    name: 'dated 30 min ahead',
    want: '403',
    async see({ sign, use }) {
      const ahead = Date.now() + 30 * minutes;
      return codes(await use(await sign({}, { clock: () => ahead })));
    },
  },
  {
    name: 'signed for another region',
    want: ['400', '403'],
    see: async ({ sign, use }) => codes(await use(await sign({}, { options: { region: 'eu-west-3' } }))),
  },
  {
    name: 'unknown session token with lasting keys',
    want: ['403', '400'],
    see: async ({ sign, use }) => codes(await use(await sign({}, { sessionToken: 'bm90IGEgdG9rZW4=' }))),
  },
];
