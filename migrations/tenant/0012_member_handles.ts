import type { TenantDb } from 'tenancy-cli';

/** Gives every member a handle such as `ada-lovelace`, unique within the account; folding accents is easier here than in SQL. */
export async function up(db: TenantDb): Promise<void> {
  await db.query('ALTER TABLE members ADD COLUMN handle citext');
  const { rows } = await db.query<{ id: string; account_id: string; full_name: string }>(
    'SELECT id, account_id, full_name FROM members ORDER BY account_id, id',
  );
  const taken = new Set<string>();
  const handles = rows.map(({ account_id, full_name }) => {
    const base = toHandle(full_name);
    let handle = base;
    for (let count = 2; taken.has(`${account_id}/${handle}`); count += 1) handle = `${base}-${count}`;
    taken.add(`${account_id}/${handle}`);
    return handle;
  });
  await db.query(
    `UPDATE members SET handle = given.handle
     FROM unnest($1::bigint[], $2::text[]) AS given (id, handle)
     WHERE members.id = given.id`,
    [rows.map(({ id }) => id), handles],
  );
  await db.query('ALTER TABLE members ALTER COLUMN handle SET NOT NULL');
  await db.query('ALTER TABLE members ADD CONSTRAINT members_account_handle_key UNIQUE (account_id, handle)');
}

export async function down(db: TenantDb): Promise<void> {
  await db.query('ALTER TABLE members DROP COLUMN handle');
}

function toHandle(name: string): string {
  const plain = name.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
  return plain.replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '') || 'member';
}
