/** Packages, their drafts, steps and versions. */
import { type Static, Type } from 'typebox';
import { EntrySchema } from './entries.ts';
import { Instant, PathSchema, pageQuery } from './values.ts';

const closed = { additionalProperties: false } as const;

export const OnConflictSchema = Type.Enum(['refuse', 'skip', 'replace', 'keep']);

export const VersionSchema = Type.Object(
  {
    number: Type.Integer(),
    digest: Type.String(),
    message: Type.String(),
    author: Type.String({ description: 'Name of the user who froze it.' }),
    frozenAt: Instant,
    entries: Type.Integer(),
    bytes: Type.Integer(),
    manifestBytes: Type.Integer(),
    withdrawn: Type.Optional(Type.Object({ at: Instant, reason: Type.String() }, closed)),
  },
  { title: 'Version', ...closed },
);
export type Version = Static<typeof VersionSchema>;

export const PackageSchema = Type.Object(
  {
    namespace: Type.String(),
    name: Type.String(),
    latest: Type.Optional(Type.Integer()),
    head: Type.Integer({ description: 'The newest step of the draft.' }),
    canUndo: Type.Boolean(),
    canRedo: Type.Boolean(),
    isChanged: Type.Boolean({ description: 'The draft holds steps that no version has.' }),
    openJob: Type.Optional(Type.String()),
    forkedFrom: Type.Optional(Type.String()),
    createdAt: Instant,
  },
  { title: 'Package', ...closed },
);
export type Package = Static<typeof PackageSchema>;

export const PackagePageSchema = Type.Object({ packages: Type.Array(PackageSchema), cursor: Type.Optional(Type.String()) }, closed);
export type PackagePage = Static<typeof PackagePageSchema>;

export const PackageQuerySchema = Type.Object({ ...pageQuery, namespace: Type.Optional(Type.String({ maxLength: 63 })) }, closed);

export const NewPackageSchema = Type.Object({ reference: Type.String({ maxLength: 140, description: 'namespace/name' }) }, closed);
export type NewPackage = Static<typeof NewPackageSchema>;

export const ForkSchema = Type.Object({ to: Type.String({ maxLength: 140, description: 'namespace/name of the new package' }) }, closed);
export type Fork = Static<typeof ForkSchema>;

export const EditSchema = Type.Object(
  {
    step: Type.Integer({ description: 'The new head; the one before where nothing changed.' }),
    added: Type.Integer(),
    removed: Type.Integer(),
    skipped: Type.Integer(),
    unchanged: Type.Integer(),
  },
  { title: 'Edit', ...closed },
);
export type Edit = Static<typeof EditSchema>;

const Paths = Type.Array(PathSchema, { minItems: 1, maxItems: 10_000 });
const MetaPatch = Type.Record(Type.String({ maxLength: 128 }), Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]));

export const NewStepSchema = Type.Union([
  Type.Object({ operation: Type.Enum(['move', 'copy']), from: Paths, to: PathSchema, onConflict: Type.Optional(OnConflictSchema) }, closed),
  Type.Object({ operation: Type.Literal('remove'), paths: Paths }, closed),
  Type.Object({ operation: Type.Literal('mkdir'), path: PathSchema }, closed),
  Type.Object(
    {
      operation: Type.Literal('meta'),
      patch: MetaPatch,
      paths: Type.Optional(Paths),
      glob: Type.Optional(Type.String({ maxLength: 256 })),
    },
    closed,
  ),
  Type.Object({ operation: Type.Enum(['undo', 'redo']) }, closed),
  Type.Object({ operation: Type.Literal('restore'), version: Type.Integer({ minimum: 1 }) }, closed),
]);
export type NewStep = Static<typeof NewStepSchema>;

export const StepSchema = Type.Object(
  {
    step: Type.Integer(),
    operation: Type.String(),
    summary: Type.String(),
    actor: Type.String({ description: 'Name of the user who did it.' }),
    at: Instant,
    added: Type.Integer(),
    removed: Type.Integer(),
    undone: Type.Boolean(),
    version: Type.Optional(Type.Integer()),
  },
  { title: 'Step', ...closed },
);
export type Step = Static<typeof StepSchema>;
export const StepPageSchema = Type.Object({ steps: Type.Array(StepSchema), cursor: Type.Optional(Type.String()) }, closed);
export type StepPage = Static<typeof StepPageSchema>;

const Text = (maxLength: number) => Type.Optional(Type.String({ maxLength }));

export const AnnexSchema = Type.Object(
  {
    source: Type.String({ maxLength: 63 }),
    select: Type.Optional(
      Type.Object(
        {
          paths: Type.Optional(Paths),
          folder: Type.Optional(PathSchema),
          glob: Text(256),
          match: Text(256),
          where: Type.Optional(
            Type.Array(
              Type.Object(
                {
                  group: Type.String({ maxLength: 64 }),
                  op: Type.Enum(['=', '<', '<=', '>', '>=', 'in']),
                  value: Type.Union([Type.String({ maxLength: 1024 }), Type.Array(Type.String({ maxLength: 1024 }), { maxItems: 1000 })]),
                },
                closed,
              ),
              { maxItems: 32 },
            ),
          ),
          minSize: Type.Optional(Type.Integer({ minimum: 0 })),
          maxSize: Type.Optional(Type.Integer({ minimum: 0 })),
          modifiedAfter: Text(40),
          modifiedBefore: Text(40),
        },
        closed,
      ),
    ),
    list: Type.Optional(
      Type.Array(
        Type.Object(
          {
            key: Type.String({ maxLength: 1024 }),
            to: Text(4096),
            size: Type.Optional(Type.Integer({ minimum: 0 })),
            etag: Text(1024),
            version: Text(1024),
            modifiedAt: Text(40),
            checksums: Type.Optional(Type.Array(Type.String({ maxLength: 200 }), { maxItems: 8 })),
          },
          closed,
        ),
        { minItems: 1, maxItems: 10_000 },
      ),
    ),
    to: Type.Optional(PathSchema),
    strip: Type.Optional(PathSchema),
    onConflict: Type.Optional(OnConflictSchema),
    copyTexts: Type.Optional(Type.Boolean()),
    rename: Text(1024),
  },
  closed,
);
export type Annex = Static<typeof AnnexSchema>;

/** What a list in the body is annexed with; the list itself is NDJSON or CSV. */
export const AnnexListQuerySchema = Type.Object(
  {
    source: Text(63),
    to: Type.Optional(PathSchema),
    strip: Type.Optional(PathSchema),
    onConflict: Type.Optional(OnConflictSchema),
    copyTexts: Type.Optional(Type.Literal('true')),
    rename: Text(1024),
  },
  closed,
);
export type AnnexListQuery = Static<typeof AnnexListQuerySchema>;

export const FreezeSchema = Type.Object({ message: Type.String({ maxLength: 2000 }) }, closed);
export type Freeze = Static<typeof FreezeSchema>;
export const WithdrawSchema = Type.Object({ reason: Type.String({ minLength: 1, maxLength: 2000 }) }, closed);
export type Withdraw = Static<typeof WithdrawSchema>;

export const VersionsSchema = Type.Object({ versions: Type.Array(VersionSchema), cursor: Type.Optional(Type.String()) }, closed);
export type Versions = Static<typeof VersionsSchema>;

export const ChangeSchema = Type.Object(
  {
    kind: Type.Enum(['added', 'removed', 'changed', 'moved']),
    path: Type.String(),
    from: Type.Optional(Type.String({ description: 'Of a moved entry or folder.' })),
    entries: Type.Optional(Type.Integer({ minimum: 0, description: 'Of a moved folder: files that moved with it.' })),
    before: Type.Optional(EntrySchema),
    entry: EntrySchema,
  },
  { title: 'Change', ...closed },
);
export type Change = Static<typeof ChangeSchema>;
export const DiffSchema = Type.Object({ changes: Type.Array(ChangeSchema), cursor: Type.Optional(Type.String()) }, closed);
export type Diff = Static<typeof DiffSchema>;

/** What a sweep for drift tells of an entry, in `entries` of the result of its job. */
export interface DriftedEntry {
  readonly path: string;
  readonly found: 'changed' | 'gone' | 'unreachable';
  /** Bytes, as annexed. */
  readonly size: number;
  readonly etag?: string;
  readonly now?: { readonly size: number; readonly etag?: string };
  readonly code?: string;
}

/** Of a sweep for drift. */
export const DriftQuerySchema = Type.Object(
  {
    rate: Type.Optional(
      Type.String({
        pattern: '^[1-9][0-9]{0,3}$',
        description: 'Questions to the stores a second, at most and where left out the setting drift.perSecond.',
      }),
    ),
  },
  { additionalProperties: false },
);

export const DiffQuerySchema = Type.Object(
  {
    ...pageQuery,
    from: Type.String({ maxLength: 16 }),
    to: Type.Optional(Type.String({ maxLength: 16, description: 'A version; the draft where left out.' })),
  },
  closed,
);

export const PackageHeadSchema = Type.Object(
  { package: PackageSchema, version: Type.Optional(VersionSchema) },
  { title: 'PackageHead', ...closed },
);
export type PackageHead = Static<typeof PackageHeadSchema>;
