/** The one list of settings. `Config` is typed by it, and everything that tells of settings is written from it. */
import { limits } from '#config/limits.ts';
import type { Setting } from '#config/setting.ts';
import type { Secret } from '#model/secret.ts';

const general = {
  dataDir: {
    type: 'text',
    default: null,
    otherwise: '$XDG_DATA_HOME/package-r, else ~/.local/share/package-r',
    description: 'Folder of the state, its key and what else is kept. Also DATA_DIR.',
  },
  host: { type: 'text', default: '127.0.0.1', description: 'Address to listen on; 0.0.0.0 or :: for all.' },
  port: {
    type: 'number',
    unit: 'count',
    default: 8080,
    min: 0,
    max: 65535,
    description: 'Port to listen on; 0 for any free one. Also PORT.',
  },
  publicUrl: {
    type: 'text',
    default: null,
    otherwise: 'http://127.0.0.1:PORT',
    description: 'How people reach packageR from where they are: links begin with it.',
  },
  'content.host': { type: 'text', default: '127.0.0.1', description: 'Address of the listener of its own for bytes of folder sources.' },
  'content.port': {
    type: 'number',
    unit: 'count',
    default: 0,
    min: 1,
    max: 65535,
    optional: true,
    description: 'Its port. Not set: bytes are served by the main listener, under /o/.',
  },
  'content.url': {
    type: 'text',
    default: null,
    otherwise: 'http://HOST:PORT of this listener',
    description: 'How people reach it. It must be another origin than publicUrl.',
  },
  secretsFolder: {
    type: 'text',
    default: null,
    otherwise: 'none',
    description: 'Folder with the secrets of sources, one value a file: <folder>/<source>/<FILE>, mode 0600.',
  },
  key: {
    type: 'secret',
    default: null,
    description: 'Key that seals secrets: 32 bytes in base64 or hex. Not set: the file “key” in dataDir. From the environment only.',
  },
  state: {
    type: 'secret',
    default: null,
    description:
      'URL of a PostgreSQL database that keeps the state: postgres://user@host/database. Not set: SQLite, in dataDir. From the environment only.',
  },
  'endpoints.allow': {
    type: 'list',
    default: [],
    description:
      'Hosts, addresses and networks that sources may connect to besides public ones: host, *.example.com, 10.0.0.0/8, each with :port if wanted.',
  },
  'endpoints.exclusive': { type: 'flag', default: false, description: 'Connect to nothing but what endpoints.allow names.' },
  'metrics.allow': {
    type: 'list',
    default: [],
    description: 'Addresses and networks that read /metrics without a token; everyone else needs that of an administrator.',
  },
  trustedProxies: { type: 'list', default: [], description: 'Addresses and networks of proxies whose X-Forwarded-For is believed.' },
  'log.level': {
    type: 'text',
    default: 'info',
    values: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    description: 'What is logged.',
  },
  'log.format': {
    type: 'text',
    default: 'auto',
    values: ['auto', 'json', 'text'],
    description: 'json: one object a line; text: for people; auto: text on a terminal.',
  },
  'exchange.defaultSeconds': {
    type: 'number',
    unit: 'seconds',
    default: 900,
    min: 1,
    max: 604800,
    description: 'Life of a temporary URL where the request does not say.',
  },
  'exchange.maxSeconds': {
    type: 'number',
    unit: 'seconds',
    default: 3600,
    min: 15,
    max: 604800,
    description: 'Longest life of a temporary URL; never over seven days.',
  },
  'exchange.floorSeconds': {
    type: 'number',
    unit: 'seconds',
    default: 15,
    min: 1,
    max: 900,
    description: 'With less left of a share or credential, it counts as ended.',
  },
  'share.defaultDays': {
    type: 'number',
    unit: 'days',
    default: 30,
    min: 1,
    max: 3650,
    description: 'Life of a share where its maker does not say.',
  },
  'share.maxDays': { type: 'number', unit: 'days', default: 365, min: 1, max: 3650, description: 'Longest life of a share.' },
  'share.allowEndless': { type: 'flag', default: false, description: 'Shares may be made that never expire.' },
  'share.perOwner': { type: 'number', unit: 'count', default: 1000, min: 1, max: 100000, description: 'Live shares of one person.' },
  'share.createdPerHour': {
    type: 'number',
    unit: 'count',
    default: 60,
    min: 1,
    max: 10000,
    description: 'Shares that one person makes in an hour.',
  },
  'share.passwordMinBytes': { type: 'number', unit: 'bytes', default: 8, min: 8, max: 1024, description: 'Shortest password of a share.' },
  'drift.perSecond': {
    type: 'number',
    unit: 'count',
    default: 100,
    min: 1,
    max: 10000,
    description: 'Questions a second that a sweep for drift asks of stores, at most and where it was not told.',
  },
  'inline.extensions': {
    type: 'list',
    default: [
      '.txt',
      '.text',
      '.md',
      '.markdown',
      '.rst',
      '.adoc',
      '.tex',
      '.bib',
      '.csv',
      '.tsv',
      '.psv',
      '.json',
      '.jsonl',
      '.ndjson',
      '.geojson',
      '.topojson',
      '.stac',
      '.yaml',
      '.yml',
      '.toml',
      '.ini',
      '.cfg',
      '.conf',
      '.properties',
      '.xml',
      '.xsd',
      '.xsl',
      '.kml',
      '.gml',
      '.gpx',
      '.html',
      '.htm',
      '.css',
      '.scss',
      '.js',
      '.mjs',
      '.cjs',
      '.jsx',
      '.ts',
      '.tsx',
      '.vue',
      '.cs',
      '.go',
      '.py',
      '.java',
      '.kt',
      '.scala',
      '.c',
      '.h',
      '.cpp',
      '.hpp',
      '.rs',
      '.rb',
      '.php',
      '.pl',
      '.lua',
      '.swift',
      '.jl',
      '.r',
      '.rmd',
      '.m',
      '.f90',
      '.sql',
      '.sh',
      '.bash',
      '.zsh',
      '.ps1',
      '.bat',
      '.ipynb',
      '.qmd',
      '.log',
      '.diff',
      '.patch',
      '.srt',
      '.vtt',
      '.wkt',
      '.prj',
      '.cpg',
      '.vrt',
      '.qml',
      '.sld',
      '.proto',
      '.graphql',
      '.cff',
    ],
    description: 'Objects with these extensions may be shown and edited in place.',
  },
  'inline.maxBytes': { type: 'number', unit: 'bytes', default: 1048576, min: 0, max: 16777216, description: 'Up to this size.' },
  'sessions.idle': {
    type: 'number',
    unit: 'milliseconds',
    default: 7200000,
    min: 60000,
    max: 86400000,
    description: 'A sign-in ends when it is not used for so long.',
  },
  'sessions.life': {
    type: 'number',
    unit: 'milliseconds',
    default: 43200000,
    min: 60000,
    max: 2592000000,
    description: 'A sign-in ends after so long in any case.',
  },
  'sessions.adminIdle': {
    type: 'number',
    unit: 'milliseconds',
    default: 1800000,
    min: 60000,
    max: 86400000,
    description: 'The same for administrators.',
  },
  'sessions.adminLife': {
    type: 'number',
    unit: 'milliseconds',
    default: 28800000,
    min: 60000,
    max: 2592000000,
    description: 'The same for administrators.',
  },
  'tokens.defaultDays': {
    type: 'number',
    unit: 'days',
    default: 90,
    min: 1,
    max: 365,
    description: 'Life of an API token where its maker does not say.',
  },
  'tokens.maxDays': { type: 'number', unit: 'days', default: 365, min: 1, max: 365, description: 'Longest life of an API token.' },
  'passwords.minBytes': { type: 'number', unit: 'bytes', default: 12, min: 12, max: 1024, description: 'Shortest password of a user.' },
  'jobs.concurrency': { type: 'number', unit: 'count', default: 2, min: 1, max: 64, description: 'Jobs that run at once.' },
} as const satisfies Record<string, Setting>;

export type Settings = typeof general & typeof limits;
export type SettingKey = keyof Settings;

export const settings: Settings = { ...general, ...limits };

export const settingKeys: readonly SettingKey[] = Object.keys(settings) as SettingKey[];

type ValueOf<S extends Setting> = S extends { readonly type: 'text'; readonly default: infer D }
  ? D extends null
    ? string | undefined
    : S extends { readonly values: readonly (infer V)[] }
      ? V
      : string
  : S extends { readonly type: 'flag' }
    ? boolean
    : S extends { readonly type: 'list' }
      ? readonly string[]
      : S extends { readonly type: 'secret' }
        ? Secret | undefined
        : S extends { readonly optional: true }
          ? number | undefined
          : number;

type Head<K extends string> = K extends `${infer H}.${string}` ? H : K;
type Tail<K extends string, H extends string> = K extends `${H}.${infer T}` ? T : never;

type Nested<P extends string, K extends string> = {
  readonly [H in Head<K>]: [Tail<K, H>] extends [never]
    ? `${P}${H}` extends SettingKey
      ? ValueOf<Settings[`${P}${H}`]>
      : never
    : Nested<`${P}${H}.`, Tail<K, H>>;
};

/** These are never unset in a Config: load fills them in. */
interface Filled {
  readonly dataDir: string;
  readonly publicUrl: string;
}

export type Config = Omit<Nested<'', SettingKey>, keyof Filled> & Filled;

/** `exchange.maxSeconds` → `PACKAGE_R_EXCHANGE_MAX_SECONDS`. */
export function environmentNameOf(key: string): string {
  return `PACKAGE_R_${key
    .replace(/[A-Z]/g, (letter) => `_${letter}`)
    .replace(/\./g, '_')
    .toUpperCase()}`;
}

/** `exchange.maxSeconds` → `--exchange-max-seconds`. */
export function flagNameOf(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).replace(/\./g, '-')}`;
}
