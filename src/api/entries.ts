/** Entries of a tree as answered: of a package, a source, or a share. The location is left out for whoever may not see it. */
import { type Static, Type } from 'typebox';
import { Instant, MetaSchema } from './values.ts';

export const ChecksumSchema = Type.Object(
  { algorithm: Type.String(), value: Type.String(), evidence: Type.Enum(['verified', 'stored', 'stated']) },
  { additionalProperties: false },
);

export const EntrySchema = Type.Object(
  {
    kind: Type.Enum(['folder', 'text', 'pointer', 'unnamable']),
    path: Type.Optional(Type.String({ description: 'Left out for an object whose key is no path.' })),
    key: Type.Optional(Type.String({ description: 'Of an object, for those who may see its source.' })),
    source: Type.Optional(Type.String({ description: 'Name, for those who may see it.' })),
    size: Type.Optional(Type.Integer({ description: 'Bytes.' })),
    etag: Type.Optional(Type.String()),
    version: Type.Optional(Type.String({ description: 'Object version.' })),
    sha256: Type.Optional(Type.String({ description: 'Of a text.' })),
    checksums: Type.Optional(Type.Array(ChecksumSchema)),
    inline: Type.Optional(Type.Boolean()),
    modifiedAt: Type.Optional(Instant),
    meta: Type.Optional(MetaSchema),
  },
  { title: 'Entry', additionalProperties: false },
);
export type EntryAnswer = Static<typeof EntrySchema>;

export const EntriesSchema = Type.Object(
  {
    entry: EntrySchema,
    entries: Type.Optional(Type.Array(EntrySchema, { description: 'Of a folder: its children.' })),
    cursor: Type.Optional(Type.String()),
  },
  { title: 'Entries', additionalProperties: false },
);
export type EntriesAnswer = Static<typeof EntriesSchema>;
