import type { SandboxDriver, SandboxProjectOptions } from '../rig/sandbox.js';
import type { SweptCommand } from './sweep.js';

/** One of each kind. Each leaves a row in `counts`, so that one that ran twice shows. */
const migrations: Readonly<Record<string, string>> = {
  '0001_accounts.sql': `CREATE TABLE counts (name text NOT NULL);
CREATE TABLE accounts (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);
INSERT INTO accounts (name) SELECT 'account ' || n FROM generate_series(1, 100) n;
INSERT INTO counts VALUES ('0001_accounts');
`,
  '0002_plans.sql': `CREATE TABLE plans (id text PRIMARY KEY);
INSERT INTO counts VALUES ('0002_plans');
`,
  '0003_email.sql': `ALTER TABLE accounts ADD COLUMN email text;
INSERT INTO counts VALUES ('0003_email');
`,
  '0004_index.sql': `-- tenancy: no-transaction
INSERT INTO counts VALUES ('0004_index#1');
CREATE UNIQUE INDEX CONCURRENTLY accounts_name ON accounts (name);
INSERT INTO counts VALUES ('0004_index#3');
CREATE INDEX CONCURRENTLY IF NOT EXISTS accounts_email ON accounts (email);
INSERT INTO counts VALUES ('0004_index');
`,
  '0005_module.mjs': `export async function up(db) {
  await db.query("UPDATE accounts SET email = 'x' || id");
  await db.query('INSERT INTO counts VALUES ($1)', ['0005_module']);
}
`,
  '0006_notes.sql': `CREATE TABLE notes (id bigint PRIMARY KEY, account bigint REFERENCES accounts);
INSERT INTO counts VALUES ('0006_notes');
`,
};

export const newest = '0006_notes';

const seeds: Readonly<Record<string, string>> = {
  'plans.sql': `INSERT INTO plans VALUES ('free'), ('pro');
INSERT INTO counts VALUES ('plans.sql');
`,
};

/** What commands are killed in: prepared tenants have the first two migrations. */
export const pending: SandboxProjectOptions = { migrations, before: ['0001_accounts.sql', '0002_plans.sql'] };
/** Prepared tenants have them all. */
export const complete: SandboxProjectOptions = { migrations, seeds };

/** The first few are made in a template, which the command that is killed makes too. */
export const templated: SandboxProjectOptions = { ...complete, configExtra: `templates: 'always',` };

/** What is provisioned is given one of two homes that were made ahead. */
export const pooled: SandboxProjectOptions = { ...templated, pool: 2 };

export const provision: SweptCommand = {
  name: 'provision',
  args: ['tenant', 'provision', 'acme'],
  prepared: ['bystander'],
  ends: { status: 'active', schema_version: newest },
};

/** The registry is made by it too. */
export const firstProvision: SweptCommand = { ...provision, name: 'the first provision', prepared: [] };

export const templateProvision: SweptCommand = { ...provision, name: 'a provision that makes a template' };

export const poolProvision: SweptCommand = { ...provision, name: 'a provision from the pool' };

export const migrate: SweptCommand = {
  name: 'migrate',
  args: ['tenant', 'migrate', 'acme'],
  prepared: ['bystander', 'acme'],
  ends: { status: 'active', schema_version: newest },
};

export const deprovision: SweptCommand = {
  name: 'deprovision',
  args: ['tenant', 'deprovision', 'acme', '--skip-backup', '--confirm', 'acme'],
  prepared: ['bystander', 'acme'],
  ends: { status: 'deprovisioned', schema_version: null },
};

export const retain: SweptCommand = {
  name: 'deprovision --retain',
  args: ['tenant', 'deprovision', 'acme', '--retain', '30d', '--skip-backup', '--confirm', 'acme'],
  prepared: ['bystander', 'acme'],
  ends: { status: 'retained', schema_version: newest },
};

export const undelete: SweptCommand = {
  name: 'undelete',
  args: ['tenant', 'undelete', 'acme'],
  prepared: ['bystander', 'acme'],
  retained: ['acme'],
  ends: { status: 'active', schema_version: newest },
};

export const purge: SweptCommand = {
  name: 'purge',
  args: ['tenant', 'purge', 'acme', '--confirm', 'acme'],
  prepared: ['bystander', 'acme'],
  retained: ['acme'],
  ends: { status: 'deprovisioned', schema_version: null },
};

/** What others do after a deprovision, each to its end: it is finished, and the id is given to the next. */
export const nextLife: readonly SweptCommand[] = [deprovision, provision];
/** After one that retains: it is finished, and somebody has the tenant back. */
export const wayBack: readonly SweptCommand[] = [retain, undelete];

/** Every command over both kinds of home, for `it.each`. */
export function byDriver(commands: readonly SweptCommand[]): { readonly driver: SandboxDriver; readonly command: SweptCommand }[] {
  return (['postgres-schema', 'postgres-database'] as const).flatMap((driver) => commands.map((command) => ({ driver, command })));
}

/** For fleets, where one of each kind would only take time. */
export const plain: Readonly<Record<string, string>> = {
  '0001_accounts.sql': `CREATE TABLE counts (name text NOT NULL);
INSERT INTO counts VALUES ('0001_accounts');
`,
  '0002_orders.sql': `CREATE TABLE orders (id bigint PRIMARY KEY);
INSERT INTO counts VALUES ('0002_orders');
`,
  '0003_notes.sql': `CREATE TABLE notes (id bigint PRIMARY KEY);
INSERT INTO counts VALUES ('0003_notes');
`,
};

export function nameTenants(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `t${String(index + 1).padStart(3, '0')}`);
}

/** Each tenant has a login of its own; few requests are the migrations'. */
export const isolated: SandboxProjectOptions = { migrations: plain, isIsolated: true };

/** With logins of their own; `newest`: the only migration that matters. */
export function withLogins(newestOne: string): readonly SweptCommand[] {
  const ends = { status: 'active', schema_version: newestOne };
  return [
    { ...provision, name: 'provision with a login', makesLogin: true, ends },
    { name: 'rotate', args: ['tenant', 'rotate', 'acme', '--overlap', '0'], prepared: ['bystander', 'acme'], makesLogin: true, ends },
    { ...deprovision, name: 'deprovision with a login' },
  ];
}

export const isolatedCommands: readonly SweptCommand[] = withLogins('0003_notes');
