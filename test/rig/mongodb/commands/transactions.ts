import { CommandError } from '../errors.js';
import type { CommandTable } from './command.js';
import { toNobody } from './command.js';

export const transactionCommands: CommandTable = {
  commitTransaction: {
    run: ({ transaction }) => {
      if (transaction === null) throw new CommandError(263, 'commitTransaction must be run within a transaction');
      transaction.commit();
      return {};
    },
    needs: toNobody,
    isForTransactions: true,
    isForAdmin: true,
  },
  abortTransaction: {
    run: ({ transaction }) => {
      if (transaction === null) throw new CommandError(263, 'abortTransaction must be run within a transaction');
      transaction.abort();
      return {};
    },
    needs: toNobody,
    isForTransactions: true,
    isForAdmin: true,
  },
};
