/** Sources as answered. Options, secrets (told as set, never shown) and problems are for those who manage sources. */
import { type Static, Type } from 'typebox';
import { Instant, NameSchema } from './values.ts';

const closed = { additionalProperties: false } as const;
const Option = Type.Union([Type.String(), Type.Number(), Type.Boolean()]);

export const SourceSchema = Type.Object(
  {
    id: Type.String(),
    name: NameSchema,
    driver: Type.String(),
    title: Type.String(),
    options: Type.Optional(Type.Record(Type.String(), Option)),
    secrets: Type.Optional(
      Type.Record(Type.String(), Type.Object({ set: Type.Literal(true), from: Type.Enum(['state', 'folder']) }, closed)),
    ),
    capabilities: Type.Optional(
      Type.Object(
        {
          presign: Type.Enum(['local', 'remote', 'no']),
          presignMaxSeconds: Type.Integer(),
          write: Type.Boolean(),
          copy: Type.Boolean(),
          delete: Type.Boolean(),
          multipart: Type.Boolean(),
          versions: Type.Boolean(),
          checksums: Type.Array(Type.String()),
          keyCase: Type.Enum(['exact', 'folded']),
          publicUrls: Type.Boolean(),
        },
        closed,
      ),
    ),
    state: Type.Enum(['ok', 'unknown', 'down', 'broken']),
    problem: Type.Optional(Type.Object({ code: Type.String(), message: Type.String() }, closed)),
    createdAt: Instant,
    updatedAt: Instant,
  },
  { title: 'Source', ...closed },
);
export type Source = Static<typeof SourceSchema>;

const Secrets = Type.Record(Type.String({ maxLength: 64 }), Type.String({ maxLength: 65_536 }));
const Options = Type.Record(Type.String({ maxLength: 64 }), Option);

export const NewSourceSchema = Type.Object(
  {
    name: NameSchema,
    driver: Type.String({ maxLength: 32 }),
    title: Type.Optional(Type.String({ maxLength: 200 })),
    options: Type.Optional(Options),
    secrets: Type.Optional(Secrets),
  },
  closed,
);
export type NewSource = Static<typeof NewSourceSchema>;

export const SourceChangeSchema = Type.Object(
  {
    name: Type.Optional(NameSchema),
    title: Type.Optional(Type.String({ maxLength: 200 })),
    options: Type.Optional(
      Type.Record(Type.String({ maxLength: 64 }), Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()])),
    ),
    secrets: Type.Optional(Type.Record(Type.String({ maxLength: 64 }), Type.Union([Type.String({ maxLength: 65_536 }), Type.Null()]))),
  },
  { minProperties: 1, ...closed },
);
export type SourceChange = Static<typeof SourceChangeSchema>;

export const SourceTestSchema = Type.Object(
  {
    works: Type.Boolean(),
    checks: Type.Array(
      Type.Object(
        {
          name: Type.String(),
          outcome: Type.Enum(['ok', 'warning', 'failed', 'skipped']),
          says: Type.String(),
          remedy: Type.Optional(Type.String()),
          paste: Type.Optional(Type.String({ description: 'What the remedy says to put somewhere, as it stands.' })),
        },
        closed,
      ),
    ),
  },
  { title: 'SourceTest', ...closed },
);
export type SourceTest = Static<typeof SourceTestSchema>;

export const SourceTestQuerySchema = Type.Object(
  { setCors: Type.Optional(Type.Literal('true', { description: 'Put the CORS rule that is missing on the store.' })) },
  closed,
);

export const DriverSchema = Type.Object(
  {
    kind: Type.String(),
    title: Type.String(),
    optionsSchema: Type.Record(Type.String(), Type.Unknown(), { description: 'JSON Schema.' }),
    secrets: Type.Array(
      Type.Object({ name: Type.String(), description: Type.String(), required: Type.Boolean(), file: Type.String() }, closed),
    ),
  },
  { title: 'Driver', ...closed },
);
export type Driver = Static<typeof DriverSchema>;

export const PresignQuerySchema = Type.Object(
  { method: Type.Optional(Type.Enum(['GET', 'HEAD'])), expires: Type.Optional(Type.String({ maxLength: 12, description: 'Seconds.' })) },
  closed,
);
export const PresignedSchema = Type.Object(
  {
    method: Type.String(),
    url: Type.String(),
    headers: Type.Record(Type.String(), Type.String()),
    expiresAt: Type.Optional(Instant),
  },
  closed,
);
export type Presigned = Static<typeof PresignedSchema>;
