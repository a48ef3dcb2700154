/** The server itself. */
import { type Static, Type } from 'typebox';

const closed = { additionalProperties: false } as const;

export const HealthSchema = Type.Object(
  {
    status: Type.Enum(['ok', 'failing'], { description: 'failing: the process lives and answers, and cannot write its state.' }),
    problem: Type.Optional(Type.String({ description: 'Why it fails, in one sentence.' })),
  },
  closed,
);
export const ReadySchema = Type.Object({ status: Type.Enum(['ready', 'starting']) }, closed);

export const SettingSchema = Type.Object(
  {
    key: Type.String(),
    value: Type.Unknown({ description: 'Left out for a secret.' }),
    origin: Type.String({ description: 'Where the value comes from: a flag, the environment, a file, the state, or the default.' }),
    description: Type.String(),
  },
  closed,
);
export const ConfigSchema = Type.Object(
  { settings: Type.Array(SettingSchema), warnings: Type.Array(Type.String()) },
  { title: 'Config', ...closed },
);
export type ConfigAnswer = Static<typeof ConfigSchema>;

export const BackupSchema = Type.Object({ name: Type.String({ pattern: '^[a-z0-9][a-z0-9._-]{0,62}$' }) }, closed);
export type Backup = Static<typeof BackupSchema>;
export const BackupDoneSchema = Type.Object({ path: Type.String(), bytes: Type.Integer() }, closed);
/** A line of what `verify` answers: how far it is, a fault, and last the totals. */
export const VerifyLineSchema = Type.Union(
  [
    Type.Object({ kind: Type.Literal('progress'), done: Type.Integer(), total: Type.Integer(), note: Type.String() }, closed),
    Type.Object({ kind: Type.Literal('wrong'), subject: Type.String(), says: Type.String() }, closed),
    Type.Object({ kind: Type.Literal('rebuilt'), subject: Type.String(), says: Type.String() }, closed),
    Type.Object(
      {
        kind: Type.Literal('done'),
        packages: Type.Integer(),
        versions: Type.Integer(),
        entries: Type.Integer({ description: 'Of all versions.' }),
        texts: Type.Integer(),
        wrong: Type.Integer({ description: 'Faults that were told.' }),
        derived: Type.Integer({ description: 'Those of them that can be built anew: nothing is lost.' }),
      },
      closed,
    ),
  ],
  { title: 'VerifyLine' },
);
export type VerifyLine = Static<typeof VerifyLineSchema>;

export const VerifyQuerySchema = Type.Object(
  { rebuild: Type.Optional(Type.Literal('true', { description: 'Build damaged search indexes anew.' })) },
  closed,
);

export const RotateKeysSchema = Type.Object(
  { now: Type.Optional(Type.Boolean({ description: 'Also end every temporary URL that packageR signed, at once.' })) },
  closed,
);
export type RotateKeys = Static<typeof RotateKeysSchema>;

export type BackupDone = Static<typeof BackupDoneSchema>;
