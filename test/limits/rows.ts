/**
 * Every limit with the file that holds to it and the test that asks below it, at it and above it. The page docs/reference/limits.md is
 * written from here, and limits.test.ts fails for a setting that has no row, and for a row whose file or test is not there.
 */
import type { SettingKey } from '#config/settings.ts';

export interface LimitRow {
  readonly what: string;
  /** Settings that say how much; else `number` does. */
  readonly settings?: readonly SettingKey[];
  readonly number?: string;
  /** Status and code, or what happens. */
  readonly answer: string;
  readonly enforcedIn: string;
  /** File and title of a test. */
  readonly test: readonly [file: string, title: string];
}

export interface LimitSection {
  readonly title: string;
  readonly rows: readonly LimitRow[];
  /** What is not built yet, and so needs no limit. */
  readonly absent?: readonly string[];
}

const requests = 'test/limits/requests.test.ts';
const time = 'test/limits/time.test.ts';
const edge = 'test/limits/edge.test.ts';
const fields = 'test/limits/fields.test.ts';
const uploads = 'test/limits/uploads.test.ts';
const layers = 'src/layers/layers.test.ts';

export const limitSections: readonly LimitSection[] = [
  {
    title: 'Requests',
    rows: [
      {
        what: 'request line and headers',
        settings: ['limits.http.headerBytes', 'limits.http.headers'],
        answer: '431 `headers_too_large`',
        enforcedIn: 'src/http/hooks.ts',
        test: [requests, 'has at most 64 headers and 16 KiB of them'],
      },
      {
        what: 'URL',
        settings: ['limits.http.urlBytes'],
        answer: '414 `url_too_long`',
        enforcedIn: 'src/http/hooks.ts',
        test: [requests, 'has a URL of at most 8 KiB'],
      },
      {
        what: 'decoded path; in a package its name counts too',
        number: '4,096 bytes',
        answer: '400 `path_invalid`',
        enforcedIn: 'src/model/path.ts',
        test: [requests, 'has at most 4,096 bytes, counted as bytes and after decoding, the name of a package among them'],
      },
      {
        what: 'segments of a path',
        number: '64',
        answer: '400 `path_invalid`',
        enforcedIn: 'src/model/path.ts',
        test: [requests, 'has at most 64 segments'],
      },
      {
        what: 'segment of a path, in a folder',
        number: '255 bytes',
        answer: '404, or 400 `key_invalid` for a new one',
        enforcedIn: 'src/drivers/folder/names.ts',
        test: [requests, 'has segments of at most 255 bytes in a folder, and none that climb or are empty'],
      },
      {
        what: 'key of an object',
        number: '1,024 bytes',
        answer: '400 `key_invalid`',
        enforcedIn: 'src/model/key.ts',
        test: ['src/model/key.test.ts', 'have up to 1024 bytes'],
      },
      {
        what: 'JSON body: sign-in and unlock · others · lists',
        settings: ['limits.http.secretBytes', 'limits.http.jsonBytes', 'limits.http.listBytes'],
        answer: '413 `too_large`',
        enforcedIn: 'src/http/parsers.ts',
        test: [requests, 'of a sign-in, of other requests, and of a list is as long as its kind may be'],
      },
      {
        what: 'depth, keys and strings of JSON',
        settings: ['limits.http.jsonDepth', 'limits.http.jsonKeys', 'limits.http.jsonString'],
        answer: '400 `request_invalid`',
        enforcedIn: 'src/http/body.ts',
        test: [requests, 'keeps to its shape: %s'],
      },
      {
        what: 'items of a JSON list',
        settings: ['limits.http.jsonItems'],
        answer: '400 `request_invalid`; more as NDJSON, CSV, a folder or a glob',
        enforcedIn: 'src/http/body.ts',
        test: [requests, 'lists at most 10,000 items'],
      },
      {
        what: 'line of NDJSON or CSV',
        settings: ['limits.http.lineBytes'],
        answer: '413 `too_large`; in a bulk exchange an error for that line',
        enforcedIn: 'src/packages/annex-list.ts',
        test: [requests, 'have lines of at most so many bytes'],
      },
      {
        what: 'compressed body',
        number: 'refused',
        answer: '415 `media_type_unsupported`',
        enforcedIn: 'src/http/parsers.ts',
        test: [requests, 'has no compressed body, nor one in another transfer encoding than chunked'],
      },
      {
        what: 'length of a body',
        number: 'stated once',
        answer: '400, 413',
        enforcedIn: 'src/http/body.ts',
        test: [requests, 'says its length once, as a number, and is heard to it'],
      },
      {
        what: 'headers complete',
        settings: ['limits.http.headersTimeout'],
        answer: '408 `body_timeout`',
        enforcedIn: 'src/http/server.ts',
        test: [time, 'is refused while its head comes'],
      },
      {
        what: 'JSON body complete',
        settings: ['limits.http.bodyTimeout'],
        answer: '408 `body_timeout`',
        enforcedIn: 'src/http/body.ts',
        test: [time, 'is refused while its JSON comes, however steadily'],
      },
      {
        what: 'streamed body idle',
        settings: ['limits.http.idleTimeout'],
        answer: '408 `body_timeout`',
        enforcedIn: 'src/http/body.ts',
        test: [time, 'is heard as a stream while it goes on, and refused when it stops'],
      },
      {
        what: 'answer begins, streams aside',
        settings: ['limits.http.handlerTimeout'],
        answer: '503 `overloaded`',
        enforcedIn: 'src/http/hooks.ts',
        test: [edge, 'answers within its time, or is answered for and told to stop'],
      },
      {
        what: 'requests at once',
        settings: ['limits.http.inFlight'],
        answer: '503 `overloaded`',
        enforcedIn: 'src/http/hooks.ts',
        test: [edge, 'the process has so many requests under way, of whomever'],
      },
      {
        what: 'requests of one peer at once',
        settings: ['limits.http.inFlightPerPeer'],
        answer: '429 `rate_limited`',
        enforcedIn: 'src/http/hooks.ts',
        test: [time, 'one peer has so many requests under way, and the next is told to wait'],
      },
      {
        what: 'event streams of one actor, and the life of one',
        settings: ['limits.http.eventStreams', 'limits.http.eventStreamTimeout'],
        answer: '429 `rate_limited`; the stream ends',
        enforcedIn: 'src/http/jobs.ts',
        test: [edge, 'one actor follows so many jobs, each for so long'],
      },
    ],
  },
  {
    title: 'Names, passwords, stored texts',
    rows: [
      {
        what: 'name of a user, source, package',
        number: '1–63 of `[a-z0-9._-]`',
        answer: '400',
        enforcedIn: 'src/model/name.ts',
        test: [fields, 'name of a user'],
      },
      {
        what: 'password of a user',
        settings: ['passwords.minBytes'],
        number: 'at most 1,024 bytes',
        answer: '400 `password_weak`',
        enforcedIn: 'src/access/password.ts',
        test: [fields, 'least bytes of a password'],
      },
      {
        what: 'password of a share',
        settings: ['share.passwordMinBytes'],
        answer: '400 `password_weak`',
        enforcedIn: 'src/access/password.ts',
        test: [fields, 'least bytes of the password of a share'],
      },
      {
        what: 'title of a share, source or package',
        number: '200 characters',
        answer: '400',
        enforcedIn: 'src/shares/share-settings.ts',
        test: [fields, 'title of a share'],
      },
      {
        what: 'note and terms of a share',
        number: '10 KiB',
        answer: '400',
        enforcedIn: 'src/shares/share-settings.ts',
        test: [fields, 'note of a share'],
      },
      {
        what: 'description in `package.yaml`',
        number: '10 KiB',
        answer: '400 `metadata_invalid`',
        enforcedIn: 'src/packages/package-yaml.ts',
        test: [fields, 'description in package.yaml, counted as bytes'],
      },
      {
        what: 'keywords in `package.yaml`',
        number: '50 of 64 characters',
        answer: '400 `metadata_invalid`',
        enforcedIn: 'src/packages/package-yaml.ts',
        test: [fields, 'keywords'],
      },
      {
        what: 'metadata of an entry',
        number: '4 KiB',
        answer: '400 `meta_invalid`',
        enforcedIn: 'src/packages/meta.ts',
        test: [fields, 'metadata of an entry'],
      },
      {
        what: 'pointer file, which may hold a URL and a path of 4 KiB each',
        number: '24 KiB',
        answer: '400 `pointer_invalid`',
        enforcedIn: 'src/model/pointer-file.ts',
        test: ['src/model/pointer-file.test.ts', 'are refused when they are no UTF-8, have a byte order mark, or are too long'],
      },
      {
        what: 'text of a package',
        settings: ['limits.packages.textBytes'],
        answer: 'goes to the upload source, else 413 `too_large`',
        enforcedIn: 'src/packages/package-edits.ts',
        test: [requests, 'of a package are kept up to their limit'],
      },
      {
        what: 'paths of one edit',
        number: '1,000',
        answer: '413 `too_many`',
        enforcedIn: 'src/packages/package-doors.ts',
        test: [requests, 'lists at most 10,000 items'],
      },
      {
        what: 'shares of one person, and made in an hour',
        settings: ['share.perOwner', 'share.createdPerHour'],
        answer: '413 `too_many`, 429 `rate_limited`',
        enforcedIn: 'src/shares/shares.ts',
        test: [fields, 'shares of one person are so many at once, and so many an hour'],
      },
    ],
    absent: ['aliases of shares'],
  },
  {
    title: 'Listing and search',
    rows: [
      {
        what: 'page of a listing',
        number: '200, at most 1,000',
        answer: '400 `request_invalid`',
        enforcedIn: 'src/http/link-objects.ts',
        test: [fields, 'page of a listing'],
      },
      {
        what: 'cursor: sealed, of one place and actor',
        number: '2 KiB',
        answer: '400 `cursor_invalid`',
        enforcedIn: 'src/sources/source-tree.ts',
        test: [fields, 'are those that were given out, for their place and actor, and short'],
      },
      {
        what: 'pattern of a search',
        number: '256 characters',
        answer: '400 `request_invalid`',
        enforcedIn: 'src/http/search.ts',
        test: [fields, 'text of a search'],
      },
      {
        what: 'hits of a search',
        settings: ['limits.http.searchHits'],
        answer: 'it ends, and says so',
        enforcedIn: 'src/http/search.ts',
        test: [time, 'hits of a search are so many, and it says that there are more'],
      },
      {
        what: 'time of a search',
        settings: ['limits.http.searchTimeout'],
        answer: 'it ends, and says so',
        enforcedIn: 'src/sources/search.ts',
        test: ['src/sources/search.test.ts', 'ends at its deadline, also where nothing is found'],
      },
      {
        what: 'searches of one actor at once',
        settings: ['limits.http.searchesPerActor'],
        answer: '429 `rate_limited`',
        enforcedIn: 'src/http/search.ts',
        test: [edge, 'one actor searches so often'],
      },
      {
        what: 'expressions of users',
        number: 'RE2: linear time',
        answer: '400 `pattern_invalid`',
        enforcedIn: 'src/model/pattern.ts',
        test: ['src/model/pattern.test.ts', 'is linear where backtracking would not end'],
      },
      {
        what: 'sweep for drift',
        settings: ['drift.perSecond'],
        answer: '400 `request_invalid`',
        enforcedIn: 'src/packages/packages.ts',
        test: [fields, 'questions of a sweep for drift'],
      },
    ],
    absent: ['sorting and filtering by the server', 'sizes and counts of a live folder'],
  },
  {
    title: 'Content',
    rows: [
      {
        what: 'README on a share page',
        number: '512 KiB, nested 100 deep',
        answer: 'shown as a link, as text',
        enforcedIn: 'src/http/link-page.ts',
        test: ['src/http/readme.test.ts', 'costs no more than its length, also where it is made to cost'],
      },
      {
        what: 'ranges of a request',
        number: '1',
        answer: 'all bytes, 200',
        enforcedIn: 'src/http/content.ts',
        test: [requests, 'are given out in one range, or whole'],
      },
      {
        what: 'archives of one share or actor at once',
        settings: ['limits.http.archivesPerShare'],
        answer: '429 `rate_limited`',
        enforcedIn: 'src/http/link-exports.ts',
        test: ['src/http/link.test.ts', 'free the place of an archive whose client leaves midway'],
      },
      {
        what: 'time of an archive',
        settings: ['limits.http.archiveTimeout'],
        answer: 'it breaks off',
        enforcedIn: 'src/http/link-exports.ts',
        test: [edge, 'ends at its time, broken off'],
      },
      {
        what: 'file that is uploaded',
        settings: ['limits.uploads.bytes'],
        answer: '413 `too_large`',
        enforcedIn: 'src/packages/uploads.ts',
        test: [uploads, 'goes to the upload source where it is longer than a text, up to its own limit'],
      },
      {
        what: 'uploads of one user at once',
        settings: ['limits.uploads.perUser'],
        answer: '429 `rate_limited`',
        enforcedIn: 'src/packages/uploads.ts',
        test: [uploads, 'waits for no place beyond those of one user, and leaves it however it ends'],
      },
    ],
    absent: [
      'previews of images, tables and texts',
      'sniffing of types',
      'checksums of objects that packageR reads for it',
      'import of archives',
    ],
  },
  {
    title: 'Rates',
    rows: [
      {
        what: 'failed sign-ins of one account, of one peer, in 15 minutes',
        settings: ['limits.rates.loginAccount', 'limits.rates.loginPeer'],
        answer: '429 `rate_limited`, then longer and longer',
        enforcedIn: 'src/access/attempts.ts',
        test: [time, 'a sign-in fails: of one account, and from one peer'],
      },
      {
        what: 'wrong passwords of a share, by one peer in 15 minutes',
        settings: ['limits.rates.sharePasswordPeer'],
        answer: '429 `rate_limited`',
        enforcedIn: 'src/access/attempts.ts',
        test: [time, 'a password of a share is wrong'],
      },
      {
        what: 'wrong passwords of a share, by all in an hour',
        settings: ['limits.rates.sharePassword'],
        answer: '429 `rate_limited`',
        enforcedIn: 'src/access/attempts.ts',
        test: [time, 'a password of a share is wrong from many peers'],
      },
      {
        what: 'unknown shares, by one peer in 10 minutes',
        settings: ['limits.rates.unknownShare'],
        answer: '429 `rate_limited`',
        enforcedIn: 'src/access/attempts.ts',
        test: [time, 'an id of a share is guessed'],
      },
      {
        what: 'requests, signed in',
        settings: ['limits.http.rates.user.perMinute', 'limits.http.rates.user.burst'],
        answer: '429 `rate_limited`',
        enforcedIn: 'src/http/hooks.ts',
        test: [edge, 'come in a burst, then as the minute allows: %s'],
      },
      {
        what: 'requests, of nobody or a share, by peer',
        settings: ['limits.http.rates.peer.perMinute', 'limits.http.rates.peer.burst'],
        answer: '429 `rate_limited`',
        enforcedIn: 'src/http/hooks.ts',
        test: [edge, 'come in a burst, then as the minute allows: %s'],
      },
      {
        what: 'exchanges of one share by one peer',
        settings: ['limits.http.rates.exchange.perMinute', 'limits.http.rates.exchange.burst'],
        answer: '429 `rate_limited`',
        enforcedIn: 'src/http/hooks.ts',
        test: [time, 'one peer exchanges files of one share'],
      },
      {
        what: 'lines of a bulk exchange in flight',
        number: '64',
        answer: 'the next line waits',
        enforcedIn: 'src/exchange/exchange.ts',
        test: ['src/exchange/exchange.test.ts', 'answers before the next line comes, keeps the order, and bounds what is under way'],
      },
      {
        what: 'a peer',
        number: 'an IPv4 address, 64 bits of an IPv6 one',
        answer: '',
        enforcedIn: 'src/http/peer.ts',
        test: [time, 'one peer is an IPv4 address, or 64 bits of an IPv6 one'],
      },
    ],
    absent: ['second factors', 'sign-up', 'signing by a store (GCS)'],
  },
  {
    title: 'Lifetimes',
    rows: [
      {
        what: 'sign-in',
        settings: ['sessions.idle', 'sessions.life', 'sessions.adminIdle', 'sessions.adminLife'],
        answer: '401 `unauthenticated`',
        enforcedIn: 'src/access/sessions.ts',
        test: ['src/access/login.test.ts', 'ends when idle for two hours, an administrator’s after 30 minutes'],
      },
      {
        what: 'API token',
        settings: ['tokens.defaultDays', 'tokens.maxDays'],
        answer: '400 `request_invalid`',
        enforcedIn: 'src/access/tokens.ts',
        test: [fields, 'life of an API token'],
      },
      {
        what: 'share',
        settings: ['share.defaultDays', 'share.maxDays'],
        answer: '400 `request_invalid`',
        enforcedIn: 'src/shares/share-settings.ts',
        test: [fields, 'lives of a share end within the longest, and never only where that is allowed'],
      },
      {
        what: 'temporary URL',
        settings: ['exchange.defaultSeconds', 'exchange.maxSeconds', 'exchange.floorSeconds'],
        answer: 'cut to the cap',
        enforcedIn: 'src/exchange/exchange.ts',
        test: [fields, 'of temporary URLs are cut to the cap, and no number is refused'],
      },
      {
        what: 'difference of clocks',
        number: 'told from 30 s, failed from 5 min',
        answer: 'in the test of the source',
        enforcedIn: 'src/sources/probe/signing.ts',
        test: ['src/sources/probe/probe.test.ts', 'finds clocks that differ'],
      },
    ],
    absent: ['Azure'],
  },
  {
    title: 'Stores',
    rows: [
      {
        what: 'answer of a store: call · first byte · idle · end of an upload',
        settings: [
          'limits.upstream.callTimeout',
          'limits.upstream.firstByteTimeout',
          'limits.upstream.idleTimeout',
          'limits.upstream.finishTimeout',
        ],
        answer: '504 `timeout`',
        enforcedIn: 'src/layers/timeout.ts',
        test: [layers, 'ends calls, first bytes and idle bodies of a store that is silent, and tells the store'],
      },
      {
        what: 'connection',
        number: '5 s',
        answer: '503 `source_unavailable`',
        enforcedIn: 'src/layers/connector.ts',
        test: ['src/layers/connector.test.ts', 'waits for a connection only so long, apart from the answer'],
      },
      {
        what: 'repetitions',
        settings: ['limits.upstream.retries', 'limits.upstream.retryDeadline'],
        answer: 'the last error',
        enforcedIn: 'src/layers/retry.ts',
        test: [layers, 'repeats what may pass, twice, with growing waits, and marks what it gives up'],
      },
      {
        what: 'calls to one source at once',
        settings: ['limits.upstream.concurrency'],
        answer: 'the others wait',
        enforcedIn: 'src/layers/limit.ts',
        test: [layers, 'lets so many run at once, in order, and a body keep its place'],
      },
      {
        what: 'failures in a row',
        settings: ['limits.upstream.failures', 'limits.upstream.probeIn'],
        answer: '503 `source_unavailable` at once',
        enforcedIn: 'src/layers/breaker.ts',
        test: [layers, 'marks a source down after five failures in a row, and probes it every 30 s'],
      },
      {
        what: 'answer to a control call, and of an error',
        number: '8 MiB, 64 KiB',
        answer: '503 `store_response`',
        enforcedIn: 'src/drivers/s3/client.ts',
        test: ['src/drivers/s3/client.test.ts', 'lets no code pass that is not a plain word, and reads no more than 64 KiB of it'],
      },
      {
        what: 'documents of stores',
        number: 'XML without DTD or entities',
        answer: '503 `store_response`',
        enforcedIn: 'src/drivers/s3/xml.ts',
        test: ['src/drivers/s3/xml.test.ts', 'finds the root behind what may stand before it, and none behind a document type'],
      },
      {
        what: 'lock of the state',
        number: '2 s',
        answer: '503 `state_failed`',
        enforcedIn: 'src/state/sqlite/database.ts',
        test: ['test/security/operation.test.ts', 'a state that is locked for a while'],
      },
      {
        what: 'path in a line of the log',
        number: '1 KiB',
        answer: 'cut',
        enforcedIn: 'src/http/log.ts',
        test: ['src/http/server.test.ts', 'logs one line a request, with no query, ticket, token or control character'],
      },
    ],
  },
];
