/** In a transaction, which Sequelize leaves to each migration. */
module.exports = {
  async up(queryInterface, Sequelize) {
    await queryInterface.sequelize.transaction(async (transaction) => {
      await queryInterface.createTable(
        'invoices',
        {
          id: { type: Sequelize.INTEGER, primaryKey: true, autoIncrement: true },
          account_id: { type: Sequelize.INTEGER, allowNull: false, references: { model: 'accounts', key: 'id' } },
          cents: { type: Sequelize.BIGINT, allowNull: false },
        },
        { transaction },
      );
      await queryInterface.addIndex('invoices', ['account_id'], { transaction });
    });
  },

  async down(queryInterface) {
    await queryInterface.dropTable('invoices');
  },
};
