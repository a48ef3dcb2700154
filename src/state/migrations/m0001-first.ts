/** The first schema. Rows of frozen steps are protected by triggers, below every line of code that could be wrong. */
import { type CreateTableBuilder, type Kysely, type RawBuilder, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import { postgresTriggers } from './postgres-triggers.ts';

type Database = Kysely<unknown>;
type Columns = Record<string, string>;

/**
 * A column is written as `text`, `int`, `blob`, `path` (text in byte order), with `?` where it may be null, or `id` for a number that
 * the engine gives and never gives again.
 */
const tables: Record<string, { columns: Columns; key?: string[]; unique?: string[][]; clustered?: true }> = {
  setting: { columns: { key: 'text', value: 'text' }, key: ['key'] },
  user: {
    columns: { id: 'text', name: 'text', password: 'text?', admin: 'int', disabled: 'int', generation: 'int', created_at: 'int' },
    key: ['id'],
    unique: [['name']],
  },
  group: { columns: { id: 'text', name: 'text', created_at: 'int' }, key: ['id'], unique: [['name']] },
  group_member: { columns: { group_id: 'text', user_id: 'text' }, key: ['group_id', 'user_id'] },
  grant: {
    columns: {
      id: 'text',
      subject_kind: 'text',
      subject_id: 'text',
      target_kind: 'text',
      target_id: 'text',
      path: 'path',
      actions: 'text',
      created_at: 'int',
    },
    key: ['id'],
    unique: [['subject_kind', 'subject_id', 'target_kind', 'target_id', 'path']],
  },
  session: {
    columns: {
      id: 'text',
      user_id: 'text',
      user_generation: 'int',
      created_at: 'int',
      seen_at: 'int',
      expires_at: 'int',
      revoked_at: 'int?',
      address: 'text',
      agent: 'text',
    },
    key: ['id'],
  },
  token: {
    columns: {
      id: 'text',
      user_id: 'text',
      name: 'text',
      hash: 'text',
      actions: 'text',
      user_generation: 'int',
      created_at: 'int',
      expires_at: 'int',
      used_at: 'int?',
      revoked_at: 'int?',
    },
    key: ['id'],
    unique: [['hash']],
  },
  attempt: { columns: { key: 'text', failures: 'int', since: 'int', blocked_until: 'int' }, key: ['key'] },
  sealed: { columns: { owner: 'text', name: 'text', sealed: 'blob' }, key: ['owner', 'name'] },
  signing_key: { columns: { id: 'text', sealed: 'blob', created_at: 'int', retires_at: 'int?' }, key: ['id'] },
  source: {
    columns: {
      id: 'id',
      name: 'text',
      driver: 'text',
      title: 'text',
      options: 'text',
      generation: 'int',
      created_at: 'int',
      updated_at: 'int',
      removed_at: 'int?',
    },
  },
  namespace: {
    columns: { id: 'text', name: 'text', user_id: 'text?', upload_source: 'int?', upload_prefix: 'text', created_at: 'int' },
    key: ['id'],
    unique: [['name']],
  },
  package: {
    columns: {
      id: 'id',
      namespace_id: 'text',
      name: 'text',
      head: 'int',
      top: 'int',
      frozen: 'int',
      open_step: 'int?',
      open_job: 'text?',
      forked_from: 'text?',
      generation: 'int',
      created_at: 'int',
      removed_at: 'int?',
    },
  },
  step: {
    columns: { package: 'int', step: 'int', operation: 'text', summary: 'text', actor: 'text', at: 'int', added: 'int', removed: 'int' },
    key: ['package', 'step'],
    clustered: true,
  },
  entry: {
    columns: {
      package: 'int',
      path: 'path',
      from_step: 'int',
      to_step: 'int',
      kind: 'int',
      size: 'int',
      source: 'int?',
      key: 'text?',
      key_bytes: 'blob?',
      version: 'text?',
      etag: 'text?',
      modified_at: 'int?',
      sha256: 'text?',
      checksums: 'text?',
      meta: 'text?',
      inline: 'int',
      ends_range: 'int',
    },
    key: ['package', 'path', 'from_step'],
    clustered: true,
  },
  text: { columns: { package: 'int', sha256: 'text', bytes: 'blob' }, key: ['package', 'sha256'] },
  manifest_range: {
    columns: { package: 'int', last_path: 'path', from_step: 'int', to_step: 'int', sha256: 'text', lines: 'int', bytes: 'int' },
    key: ['package', 'last_path', 'from_step'],
    clustered: true,
  },
  version: {
    columns: {
      package: 'int',
      number: 'int',
      step: 'int',
      digest: 'text',
      message: 'text',
      author: 'text',
      frozen_at: 'int',
      entries: 'int',
      bytes: 'int',
      manifest_bytes: 'int',
      withdrawn_at: 'int?',
      withdrawn_reason: 'text?',
    },
    key: ['package', 'number'],
  },
  share: {
    columns: {
      number: 'id',
      id: 'text',
      owner_id: 'text',
      generation: 'int',
      target: 'text',
      package: 'int?',
      version: 'int?',
      source: 'int?',
      path: 'path',
      audience: 'text',
      password: 'text?',
      rights: 'text',
      title: 'text',
      note: 'text',
      terms: 'text',
      on_drift: 'text',
      max_objects: 'int?',
      max_bytes: 'int?',
      not_before: 'int?',
      expires_at: 'int?',
      paused_at: 'int?',
      revoked_at: 'int?',
      horizon_at: 'int',
      opened: 'int',
      exchanged: 'int',
      used_at: 'int?',
      created_at: 'int',
    },
    unique: [['id']],
  },
  share_audience: {
    columns: { share: 'int', subject_kind: 'text', subject_id: 'text' },
    key: ['share', 'subject_kind', 'subject_id'],
  },
  share_use: { columns: { share: 'int', client: 'text', since: 'int', objects: 'int', bytes: 'int' }, key: ['share', 'client'] },
  share_use_object: {
    columns: { share: 'int', client: 'text', since: 'int', path: 'path' },
    key: ['share', 'client', 'path'],
    clustered: true,
  },
  share_acceptance: { columns: { share: 'int', client: 'text', at: 'int', terms: 'text' }, key: ['share', 'client'] },
  ticket: {
    columns: { id: 'text', share: 'int', generation: 'int', kind: 'text', created_at: 'int', expires_at: 'int' },
    key: ['id'],
  },
  job: {
    columns: {
      id: 'text',
      kind: 'text',
      subject: 'text',
      owner_id: 'text',
      state: 'text',
      input: 'text',
      progress: 'text',
      checkpoint: 'text?',
      result: 'text?',
      error_code: 'text?',
      error_message: 'text?',
      lease_owner: 'text?',
      leased_until: 'int',
      cancel_asked: 'int',
      created_at: 'int',
      started_at: 'int?',
      finished_at: 'int?',
    },
    key: ['id'],
  },
  event: {
    columns: {
      id: 'id',
      at: 'int',
      actor: 'text',
      action: 'text',
      subject: 'text',
      outcome: 'text',
      address: 'text',
      details: 'text',
    },
  },
  idempotency: {
    columns: { actor: 'text', key: 'text', request: 'text', status: 'int', answer: 'text', created_at: 'int' },
    key: ['actor', 'key'],
  },
};

const indexes = [
  'create unique index source_name on source (name) where removed_at is null',
  'create unique index package_name on package (namespace_id, name) where removed_at is null',
  'create index grant_target on "grant" (target_kind, target_id)',
  'create index group_member_user on group_member (user_id)',
  'create index "session_user" on session (user_id)',
  'create index token_user on token (user_id)',
  'create index entry_began on entry (package, from_step, path)',
  `create index entry_ended on entry (package, to_step, path) where to_step < ${Number.MAX_SAFE_INTEGER}`,
  'create index entry_border on entry (package, path, from_step, to_step) where ends_range = 1',
  'create index share_owner on share (owner_id)',
  'create index share_package on share (package) where package is not null',
  'create index ticket_share on ticket (share)',
  'create index job_live on job (state, leased_until)',
  'create index job_owner on job (owner_id, created_at)',
  'create index event_subject on event (subject, id)',
];

const columnTypes = {
  sqlite: { text: sql`text`, int: sql`integer`, blob: sql`blob`, path: sql`text` },
  // All texts, so that names sort and prefixes match alike on both engines, whatever the locale of the database.
  postgres: { text: sql`text collate "C"`, int: sql`bigint`, blob: sql`bytea`, path: sql`text collate "C"` },
} as const satisfies Record<string, Record<string, RawBuilder<unknown>>>;

async function createTable(db: Database, dialect: 'sqlite' | 'postgres', name: string): Promise<void> {
  const table = tables[name] as (typeof tables)[string];
  let builder: CreateTableBuilder<string, string> = db.schema.createTable(name);
  for (const [column, form] of Object.entries(table.columns)) {
    if (form === 'id') {
      builder =
        dialect === 'sqlite'
          ? builder.addColumn(column, 'integer', (one) => one.primaryKey().autoIncrement())
          : builder.addColumn(column, 'bigint', (one) => one.primaryKey().generatedAlwaysAsIdentity());
      continue;
    }
    const type = columnTypes[dialect][form.replace('?', '') as keyof (typeof columnTypes)['sqlite']];
    builder = builder.addColumn(column, type, (one) => (form.endsWith('?') ? one : one.notNull()));
  }
  if (table.key !== undefined) builder = builder.addPrimaryKeyConstraint(`${name}_key`, table.key);
  for (const [index, columns] of (table.unique ?? []).entries()) builder = builder.addUniqueConstraint(`${name}_unique_${index}`, columns);
  if (table.clustered === true && dialect === 'sqlite') builder = builder.modifyEnd(sql`without rowid`);
  await builder.execute();
}

/** Rows at or below the frozen step of a package never change, except that a row may end at a later step. */
function spanTriggers(table: 'entry' | 'manifest_range', columns: readonly string[]): string[] {
  const frozen = (row: string): string =>
    `(select case when removed_at is null then frozen else 0 end from package where id = ${row}.package)`;
  const changed = columns.filter((column) => column !== 'to_step').map((column) => `new.${column} is not old.${column}`);
  const refuse = `begin select raise(abort, 'frozen ${table}'); end`;
  return [
    `create trigger ${table}_insert before insert on ${table} when new.from_step <= ${frozen('new')} ${refuse}`,
    `create trigger ${table}_delete before delete on ${table} when old.from_step <= ${frozen('old')} ${refuse}`,
    `create trigger ${table}_update before update on ${table} when old.from_step <= ${frozen('old')}
     and (old.to_step <= ${frozen('old')} or new.to_step <= ${frozen('old')} or ${changed.join(' or ')}) ${refuse}`,
  ];
}

const columnsOf = (table: string): string[] => Object.keys(tables[table]?.columns ?? {});

const sqliteTriggers = (): string[] => [
  ...spanTriggers('entry', columnsOf('entry')),
  ...spanTriggers('manifest_range', columnsOf('manifest_range')),
  `create trigger version_update before update on version
   when new.package is not old.package or new.number is not old.number or new.step is not old.step or new.digest is not old.digest
     or new.frozen_at is not old.frozen_at or new.entries is not old.entries or new.bytes is not old.bytes or new.message is not old.message
     or new.author is not old.author begin select raise(abort, 'frozen version'); end`,
  `create trigger version_delete before delete on version
   when (select removed_at is null from package where id = old.package) begin select raise(abort, 'frozen version'); end`,
  `create trigger package_frozen before update on package when new.frozen < old.frozen or new.id is not old.id
   begin select raise(abort, 'frozen package'); end`,
  "create trigger text_update before update on text begin select raise(abort, 'frozen text'); end",
  "create trigger event_update before update on event begin select raise(abort, 'append-only event'); end",
  "create trigger event_delete before delete on event begin select raise(abort, 'append-only event'); end",
];

export function first(dialect: 'sqlite' | 'postgres'): Migration {
  return {
    async up(db: Database) {
      for (const name of Object.keys(tables)) await createTable(db, dialect, name);
      for (const statement of indexes) await sql.raw(statement).execute(db);
      const spans = { entry: columnsOf('entry'), manifest_range: columnsOf('manifest_range') };
      const triggers = dialect === 'sqlite' ? sqliteTriggers() : postgresTriggers(spans);
      for (const statement of triggers) await sql.raw(statement).execute(db);
    },
  };
}
