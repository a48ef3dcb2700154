/** People and their rights: sign-in, users, groups, API tokens, sessions, grants, namespaces. Never a password, a hash, or a kept token. */
import { type Static, Type } from 'typebox';
import { ActionSchema, Instant, NameSchema, PathSchema } from './values.ts';

const closed = { additionalProperties: false } as const;
const Password = Type.String({ maxLength: 1024 });

export const LoginSchema = Type.Object(
  {
    name: Type.String({ maxLength: 63 }),
    password: Password,
    cookie: Type.Optional(Type.Boolean({ description: 'Keep the token in a cookie, for browsers.' })),
  },
  closed,
);
export type Login = Static<typeof LoginSchema>;

export const MeSchema = Type.Object(
  {
    kind: Type.Enum(['user', 'system']),
    id: Type.Optional(Type.String()),
    name: Type.String(),
    admin: Type.Boolean(),
    only: Type.Optional(Type.Array(ActionSchema, { description: 'What the presented token is narrowed to.' })),
  },
  { title: 'Me', ...closed },
);
export type Me = Static<typeof MeSchema>;

export const SignedInSchema = Type.Object(
  { token: Type.Optional(Type.String()), expiresAt: Instant, me: MeSchema },
  { title: 'SignedIn', ...closed },
);
export type SignedIn = Static<typeof SignedInSchema>;

export const UserSchema = Type.Object(
  {
    id: Type.String(),
    name: NameSchema,
    admin: Type.Boolean(),
    disabled: Type.Boolean(),
    hasPassword: Type.Boolean(),
    createdAt: Instant,
  },
  { title: 'User', ...closed },
);
export type User = Static<typeof UserSchema>;

export const NewUserSchema = Type.Object(
  { name: NameSchema, password: Type.Optional(Password), admin: Type.Optional(Type.Boolean()) },
  closed,
);
export type NewUser = Static<typeof NewUserSchema>;

export const UserChangeSchema = Type.Object(
  { admin: Type.Optional(Type.Boolean()), disabled: Type.Optional(Type.Boolean()) },
  { minProperties: 1, ...closed },
);
export type UserChange = Static<typeof UserChangeSchema>;

export const PasswordSchema = Type.Object({ password: Password }, closed);
export const OwnPasswordSchema = Type.Object({ current: Password, password: Password }, closed);

export const GroupSchema = Type.Object(
  { id: Type.String(), name: NameSchema, members: Type.Array(Type.String()), createdAt: Instant },
  { title: 'Group', ...closed },
);
export type Group = Static<typeof GroupSchema>;
export const NamedSchema = Type.Object({ name: NameSchema }, closed);

export const TokenSchema = Type.Object(
  {
    id: Type.String(),
    user: Type.String(),
    name: Type.String(),
    actions: Type.Array(ActionSchema),
    createdAt: Instant,
    expiresAt: Instant,
    usedAt: Type.Optional(Instant),
  },
  { title: 'Token', ...closed },
);
export type Token = Static<typeof TokenSchema>;

export const NewTokenSchema = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 200 }),
    actions: Type.Array(ActionSchema, { minItems: 1, maxItems: 8 }),
    expiresIn: Type.Optional(Type.Integer({ minimum: 1, maximum: 365 * 86_400, description: 'Seconds; 90 days where left out.' })),
  },
  closed,
);
export type NewToken = Static<typeof NewTokenSchema>;
export const CreatedTokenSchema = Type.Object({ token: Type.String({ description: 'Shown once.' }), details: TokenSchema }, closed);
export type CreatedToken = Static<typeof CreatedTokenSchema>;

export const SessionSchema = Type.Object(
  {
    id: Type.String(),
    user: Type.String(),
    createdAt: Instant,
    seenAt: Instant,
    expiresAt: Instant,
    address: Type.String(),
    agent: Type.String(),
    current: Type.Boolean(),
  },
  { title: 'Session', ...closed },
);
export type Session = Static<typeof SessionSchema>;

export const SubjectSchema = Type.Union([
  Type.Object({ kind: Type.Enum(['user', 'group']), name: NameSchema }, closed),
  Type.Object({ kind: Type.Literal('everyone') }, closed),
]);
export type Subject = Static<typeof SubjectSchema>;

export const TargetSchema = Type.Object({ kind: Type.Enum(['source', 'namespace']), name: NameSchema }, closed);
export type Target = Static<typeof TargetSchema>;

export const RoleSchema = Type.Enum(['viewer', 'editor', 'owner']);

export const GrantSchema = Type.Object(
  {
    id: Type.String(),
    subject: SubjectSchema,
    target: TargetSchema,
    path: Type.String(),
    actions: Type.Array(ActionSchema),
    role: Type.Optional(RoleSchema),
    createdAt: Instant,
  },
  { title: 'Grant', ...closed },
);
export type Grant = Static<typeof GrantSchema>;

export const NewGrantSchema = Type.Object(
  {
    subject: SubjectSchema,
    target: TargetSchema,
    path: Type.Optional(PathSchema),
    actions: Type.Optional(Type.Array(ActionSchema, { minItems: 1, maxItems: 8 })),
    role: Type.Optional(RoleSchema),
  },
  closed,
);
export type NewGrant = Static<typeof NewGrantSchema>;

export const GoneGrantSchema = Type.Object(
  {
    subject: SubjectSchema,
    target: TargetSchema,
    path: Type.Optional(Type.String({ maxLength: 4096, description: 'Only at this path; at all where left out.' })),
  },
  closed,
);
export type GoneGrant = Static<typeof GoneGrantSchema>;

export const NamespaceSchema = Type.Object(
  {
    id: Type.String(),
    name: NameSchema,
    personal: Type.Boolean({ description: 'A user’s own.' }),
    uploadSource: Type.Optional(Type.String({ description: 'Name of the source that takes large files.' })),
    uploadPrefix: Type.String(),
    createdAt: Instant,
  },
  { title: 'Namespace', ...closed },
);
export type Namespace = Static<typeof NamespaceSchema>;

export const NewNamespaceSchema = Type.Object({ name: NameSchema, owner: Type.Optional(NameSchema) }, closed);
export type NewNamespace = Static<typeof NewNamespaceSchema>;

export const NamespaceChangeSchema = Type.Object(
  { uploadSource: Type.Optional(Type.Union([NameSchema, Type.Null()])), uploadPrefix: Type.Optional(PathSchema) },
  { minProperties: 1, ...closed },
);
export type NamespaceChange = Static<typeof NamespaceChangeSchema>;

export const MemberSchema = Type.Object({ subject: SubjectSchema, role: RoleSchema }, closed);
export type Member = Static<typeof MemberSchema>;
export const MemberSubjectSchema = Type.Object({ subject: SubjectSchema }, closed);
