/** Ways in which a store goes wrong, for the canned S3 server. */
import { type Fault, refuse, type S3Answer, type S3Request } from '#testing/s3-server.ts';

/** Only what lists is at fault; the rest answers as it should. */
function onList(change: (answer: S3Answer, request: S3Request) => S3Answer): Fault {
  return (request, answer) => (request.query.has('list-type') || request.query.has('versions') ? change(answer(), request) : undefined);
}

function rewritten(change: (xml: string) => string): Fault {
  return onList((answer) => ({ ...answer, body: Buffer.from(change(answer.body?.toString('latin1') ?? ''), 'latin1') }));
}

export const faults = {
  /** The connection breaks in the middle of the body. */
  reset: onList((answer) => ({ ...answer, breakAfter: Math.floor((answer.body?.length ?? 0) / 2) })),
  /** The document ends early, though all that was announced came. */
  truncated: rewritten((xml) => xml.slice(0, Math.floor(xml.length * 0.7))),
  /** The first page again and again. */
  samePage: (request, answer) => {
    const query = new Map([...request.query].filter(([name]) => !['start-after', 'key-marker', 'continuation-token'].includes(name)));
    return request.query.has('list-type') ? answer({ ...request, query }) : undefined;
  },
  otherRoot: rewritten((xml) => xml.replaceAll('ListBucketResult', 'Surprise')),
  documentType: rewritten((xml) => xml.replace('<ListBucketResult', '<!DOCTYPE x [<!ENTITY a "b">]><ListBucketResult')),
  ownEntity: rewritten((xml) => xml.replace('<Key>', '<Key>&a;')),
  withoutEtags: rewritten((xml) => xml.replaceAll(/<ETag>[^<]*<\/ETag>/g, '')),
  /** Elements in another order, with spaces, owners and things unheard of between them. */
  oddOrder: rewritten((xml) =>
    xml.replaceAll(
      /<Contents>(<Key>.*?<\/Key>)(.*?)<\/Contents>/g,
      '<Contents>\n <Owner><ID>1</ID><DisplayName>Key</DisplayName></Owner><Empty/>$2\n\t$1<Type>Normal</Type></Contents>\n',
    ),
  ),
  slowDown: () => ({ ...refuse(503, 'SlowDown'), headers: { 'retry-after': '7' } }),
  /** Answers of megabytes. */
  endless: () => ({ status: 200, body: Buffer.alloc(9 * 1024 * 1024, '<a>') }),
} as const satisfies Record<string, Fault>;

/** Every refusal with this status and code. */
export const refusing =
  (status: number, code: string, more?: string): Fault =>
  () =>
    refuse(status, code, more);
