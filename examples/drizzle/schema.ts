import { bigint, pgEnum, pgTable, text, timestamp } from 'drizzle-orm/pg-core';

export const role = pgEnum('role', ['owner', 'member']);

export const accounts = pgTable('accounts', {
  id: bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  email: text().notNull().unique(),
  role: role().notNull().default('member'),
});

export const invoices = pgTable('invoices', {
  id: bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  accountId: bigint('account_id', { mode: 'number' })
    .notNull()
    .references(() => accounts.id),
  cents: bigint({ mode: 'number' }).notNull(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
});
