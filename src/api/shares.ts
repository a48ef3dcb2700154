/** Shares as their owner and administrators see them. Never a password, a hash, or a ticket. */
import { type Static, Type } from 'typebox';
import { Instant, NameSchema, PathSchema } from './values.ts';

const closed = { additionalProperties: false } as const;
const Audience = Type.Enum(['link', 'password', 'users', 'named']);
const Right = Type.Enum(['view', 'exchange']);
const OnDrift = Type.Enum(['refuse', 'warn', 'follow']);

export const ShareSchema = Type.Object(
  {
    number: Type.Integer(),
    id: Type.String(),
    url: Type.String({ description: 'The link to give away.' }),
    warning: Type.Optional(Type.String()),
    owner: Type.String(),
    state: Type.Enum(['open', 'pending', 'paused', 'expired', 'revoked', 'closed']),
    target: Type.Optional(Type.String()),
    kind: Type.Enum(['version', 'latest', 'live']),
    path: Type.String(),
    audience: Audience,
    hasPassword: Type.Boolean(),
    users: Type.Array(Type.String()),
    groups: Type.Array(Type.String()),
    rights: Type.Array(Right),
    title: Type.String(),
    note: Type.String(),
    terms: Type.String(),
    onDrift: OnDrift,
    maxObjects: Type.Optional(Type.Integer()),
    maxBytes: Type.Optional(Type.Integer()),
    notBefore: Type.Optional(Instant),
    expiresAt: Type.Optional(Instant),
    horizonAt: Type.Optional(Type.String({ description: 'When the last temporary URL that was given out ends.' })),
    opened: Type.Integer(),
    exchanged: Type.Integer(),
    usedAt: Type.Optional(Instant),
    createdAt: Instant,
  },
  { title: 'Share', ...closed },
);
export type Share = Static<typeof ShareSchema>;

const orNull = <T extends Parameters<typeof Type.Union>[0][number]>(type: T) => Type.Optional(Type.Union([type, Type.Null()]));

const settings = {
  audience: Type.Optional(Audience),
  password: Type.Optional(Type.String({ maxLength: 1024 })),
  users: Type.Optional(Type.Array(NameSchema, { maxItems: 1000 })),
  groups: Type.Optional(Type.Array(NameSchema, { maxItems: 1000 })),
  rights: Type.Optional(Type.Array(Right, { minItems: 1, maxItems: 2 })),
  expiresAt: orNull(Type.String({ maxLength: 40, description: 'RFC 3339 instant; null: never, where that is allowed.' })),
  notBefore: orNull(Type.String({ maxLength: 40 })),
  maxObjects: orNull(Type.Integer({ minimum: 1 })),
  maxBytes: orNull(Type.Integer({ minimum: 1 })),
  terms: Type.Optional(Type.String({ maxLength: 10_240 })),
  note: Type.Optional(Type.String({ maxLength: 10_240 })),
  title: Type.Optional(Type.String({ maxLength: 200 })),
  onDrift: Type.Optional(OnDrift),
} as const;

export const NewShareSchema = Type.Object(
  {
    target: Type.String({ maxLength: 4400, description: 'namespace/name@3, namespace/name@latest, source:name or source:name/folder.' }),
    path: Type.Optional(PathSchema),
    ...settings,
  },
  closed,
);
export type NewShare = Static<typeof NewShareSchema>;

export const ShareChangeSchema = Type.Object(settings, { minProperties: 1, ...closed });
export type ShareChange = Static<typeof ShareChangeSchema>;

export const SharePageSchema = Type.Object({ shares: Type.Array(ShareSchema), cursor: Type.Optional(Type.String()) }, closed);
export type SharePage = Static<typeof SharePageSchema>;
