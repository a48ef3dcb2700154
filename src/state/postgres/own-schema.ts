/**
 * What migrations ask about the database, answered for the schema of this state alone: others may hold schemas in the same database, and
 * drop them while one looks.
 */
import { type DatabaseIntrospector, type Kysely, PostgresDialect, type SchemaMetadata, sql, type TableMetadata } from 'kysely';

export class OwnSchemaDialect extends PostgresDialect {
  override createIntrospector(db: Kysely<unknown>): DatabaseIntrospector {
    const getTables = async (): Promise<TableMetadata[]> => {
      const { rows } = await sql<{ name: string; schema: string }>`
        select relname as name, current_schema() as schema from pg_class
        where relkind = 'r' and relnamespace = (select oid from pg_namespace where nspname = current_schema())`.execute(db);
      return rows.map((row) => ({ ...row, isView: false, isForeign: false, columns: [] }));
    };
    return {
      getTables,
      getSchemas: async () => (await sql<SchemaMetadata>`select current_schema() as name`.execute(db)).rows,
    };
  }
}
