/** Values that many answers share. */
import { type Static, Type } from 'typebox';

/** RFC 3339 in UTC. */
export const Instant = Type.String({ description: 'RFC 3339 instant in UTC.' });

/** `limit` and `cursor` of a listing; the query carries text. */
export const pageQuery = {
  cursor: Type.Optional(Type.String({ maxLength: 2048 })),
  limit: Type.Optional(Type.String({ pattern: '^[0-9]{1,4}$', description: '1 to 1000; 200 where left out.' })),
} as const;

export const PageQuerySchema = Type.Object(pageQuery, { additionalProperties: false });
export type PageQuery = Static<typeof PageQuerySchema>;

export const NameSchema = Type.String({ minLength: 1, maxLength: 63 });

export const PathSchema = Type.String({ maxLength: 4096 });

export const ActionSchema = Type.Enum(['list', 'stat', 'download', 'create', 'modify', 'delete', 'share', 'manage']);

export const MetaSchema = Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]));
