import { type MigrationInterface, type QueryRunner, Table } from 'typeorm';

export class Invoices1708427100000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'invoices',
        columns: [
          { name: 'id', type: 'serial', isPrimary: true },
          { name: 'account_id', type: 'integer' },
          { name: 'cents', type: 'bigint' },
        ],
        foreignKeys: [{ columnNames: ['account_id'], referencedTableName: 'accounts', referencedColumnNames: ['id'] }],
      }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('invoices');
  }
}
