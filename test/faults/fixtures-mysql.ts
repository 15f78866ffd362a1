import type { SandboxProjectOptions } from '../rig/sandbox.js';

/** One of each kind. Each leaves a row in `counts`, so that one that ran twice shows. */
const migrations: Readonly<Record<string, string>> = {
  '0001_accounts.sql': `CREATE TABLE counts (name varchar(100) NOT NULL);
CREATE TABLE accounts (id bigint AUTO_INCREMENT PRIMARY KEY, name varchar(100) NOT NULL);
INSERT INTO accounts (name) VALUES ('a'), ('b'), ('c');
INSERT INTO counts VALUES ('0001_accounts');
`,
  '0002_plans.sql': `CREATE TABLE plans (id varchar(20) PRIMARY KEY);
INSERT INTO counts VALUES ('0002_plans');
`,
  // Rows before, between and behind statements that commit by themselves.
  '0003_email.sql': `INSERT INTO counts VALUES ('0003_email#1');
ALTER TABLE accounts ADD COLUMN email varchar(200);
UPDATE accounts SET email = CONCAT(name, '@example.org');
INSERT INTO counts VALUES ('0003_email#3');
CREATE UNIQUE INDEX accounts_name ON accounts (name);
CREATE VIEW mails AS SELECT email FROM accounts;
INSERT INTO counts VALUES ('0003_email');
`,
  '0004_rows.sql': `UPDATE accounts SET email = LOWER(email);
INSERT INTO counts VALUES ('0004_rows');
`,
  '0005_module.mjs': `export const transaction = true;
export async function up(db) {
  await db.query("UPDATE accounts SET email = CONCAT('x', id)");
  await db.query('INSERT INTO counts VALUES (?)', ['0005_module']);
}
`,
  '0006_notes.sql': `CREATE TABLE notes AS SELECT id, name FROM accounts;
ALTER TABLE notes ADD PRIMARY KEY (id), ADD COLUMN text varchar(20);
INSERT INTO counts VALUES ('0006_notes');
`,
};

const seeds: Readonly<Record<string, string>> = {
  'plans.sql': `INSERT INTO plans VALUES ('free'), ('pro');
INSERT INTO counts VALUES ('plans.sql');
`,
};

/** Prepared tenants have the first two migrations. */
export const pendingMysql: SandboxProjectOptions = { migrations, before: ['0001_accounts.sql', '0002_plans.sql'] };
/** Prepared tenants have them all. */
export const completeMysql: SandboxProjectOptions = { migrations, seeds };

/** Each tenant has a login of its own, and few requests are the migrations'. */
export const isolatedMysql: SandboxProjectOptions = {
  migrations: { '0001_accounts.sql': migrations['0001_accounts.sql'] ?? '' },
  isIsolated: true,
};
