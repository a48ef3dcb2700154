/** What is asked below a link, and what whoever holds it is told: never a source, key, owner, or anything above the shared place. */
import { type Static, Type } from 'typebox';
import { Instant } from './values.ts';

export const SelectionSchema = Type.Object(
  { only: Type.Array(Type.String({ maxLength: 4096 }), { minItems: 1, maxItems: 10_000, description: 'Files and folders.' }) },
  { additionalProperties: false },
);
export type Selection = Static<typeof SelectionSchema>;

export const UnlockSchema = Type.Object({ password: Type.String({ maxLength: 1024 }) }, { additionalProperties: false });
export type Unlock = Static<typeof UnlockSchema>;

export const TicketSchema = Type.Object(
  {
    ticket: Type.String({ description: 'For pages: `/s/<share>~<ticket>/`.' }),
    expiresAt: Instant,
    listTicket: Type.String({ description: 'For lists and pasted lines: lives until the share ends, at most seven days.' }),
    listExpiresAt: Instant,
  },
  { additionalProperties: false },
);
export type Ticket = Static<typeof TicketSchema>;

const PastedLineSchema = Type.Object(
  {
    client: Type.Enum(['curl', 'wget', 'aria2', 'rclone']),
    line: Type.String({ description: 'For a POSIX shell, in the folder that is to be filled.' }),
    needs: Type.Array(Type.String(), { description: 'Programs that must be there.' }),
    note: Type.Optional(Type.String({ description: 'What this client cannot do.' })),
  },
  { title: 'PastedLine', additionalProperties: false },
);
export type PastedLine = Static<typeof PastedLineSchema>;

export const PublicShareSchema = Type.Object(
  {
    title: Type.String(),
    note: Type.String(),
    terms: Type.String({ description: 'Text to accept before an exchange; empty for none.' }),
    needsAcceptance: Type.Boolean(),
    needsSignIn: Type.Boolean({ description: 'For people with an account: no other program comes in by the link alone.' }),
    kind: Type.Enum(['version', 'latest', 'live']),
    rights: Type.Array(Type.Enum(['view', 'exchange'])),
    onDrift: Type.Enum(['refuse', 'warn', 'follow']),
    expiresAt: Type.Optional(Instant),
    maxObjects: Type.Optional(Type.Integer()),
    maxBytes: Type.Optional(Type.Integer()),
    version: Type.Optional(Type.Integer()),
    digest: Type.Optional(Type.String()),
    frozenAt: Type.Optional(Instant),
    description: Type.Optional(Type.String()),
    entries: Type.Optional(Type.Integer()),
    bytes: Type.Optional(Type.Integer()),
    base: Type.String({ description: 'Absolute; what stable URLs and exports begin with.' }),
    exports: Type.Array(Type.String(), { description: 'Names below the base.' }),
    lines: Type.Array(PastedLineSchema, {
      description: 'What to paste to get all files; with a ticket of its own where there is a password.',
    }),
    linesExpireAt: Type.Optional(Type.String({ description: 'When that ticket ends.' })),
  },
  { title: 'PublicShare', additionalProperties: false },
);
export type PublicShare = Static<typeof PublicShareSchema>;
