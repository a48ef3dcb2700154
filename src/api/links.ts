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

export const PublicShareSchema = Type.Object(
  {
    title: Type.String(),
    note: Type.String(),
    terms: Type.String({ description: 'Text to accept before an exchange; empty for none.' }),
    needsAcceptance: Type.Boolean(),
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
  },
  { title: 'PublicShare', additionalProperties: false },
);
export type PublicShare = Static<typeof PublicShareSchema>;
