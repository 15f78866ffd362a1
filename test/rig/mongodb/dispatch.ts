import { Binary, Timestamp } from 'bson';
import { checkDatabaseName } from './catalogue.js';
import { authCommands } from './commands/auth.js';
import type { Command } from './commands/command.js';
import { operationCommands } from './commands/operations.js';
import { readCommands } from './commands/read.js';
import { schemaCommands } from './commands/schema.js';
import { serverCommands } from './commands/server.js';
import { transactionCommands } from './commands/transactions.js';
import { userCommands } from './commands/users.js';
import { writeCommands } from './commands/write.js';
import { CommandError, codeNameOf, labelsOf } from './errors.js';
import { checkFields } from './fields.js';
import { Operation } from './operation.js';
import { isAllowed } from './roles.js';
import type { Connection, ServerState } from './state.js';
import { type Document, integer, isDocument, isNumber, isTruthy, numberOr } from './values.js';

const commands: Readonly<Record<string, Command>> = {
  ...serverCommands,
  ...authCommands,
  ...userCommands,
  ...schemaCommands,
  ...readCommands,
  ...writeCommands,
  ...transactionCommands,
  ...operationCommands,
};

/** Null: the connection is to be closed without an answer. */
export async function dispatch(server: ServerState, connection: Connection, given: Document): Promise<Document | null> {
  const operation = new Operation(server, connection, given);
  server.operations.set(operation.id, operation);
  const failPoint = server.failPoints.takeFor(operation.name, connection.appName);
  try {
    if (failPoint !== null) {
      if (isTruthy(failPoint['blockConnection'])) await operation.wait(numberOr(failPoint['blockTimeMS'], 0));
      if (isTruthy(failPoint['closeConnection'])) return null;
      if (isNumber(failPoint['errorCode']))
        throw new CommandError(numberOr(failPoint['errorCode'], 0), "Failing command via 'failCommand' failpoint");
    }
    const reply = await carryOut(operation);
    return finish(operation, { ...reply, ...concern(operation, failPoint), ok: 1 });
  } catch (error) {
    return finish(operation, describeError(operation, error, failPoint));
  } finally {
    server.operations.delete(operation.id);
    // Idle from now on.
    if (operation.session !== null) operation.session.usedAt = Date.now();
  }
}

async function carryOut(operation: Operation): Promise<Document> {
  const { name, command, db } = operation;
  const found = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (found === undefined) throw new CommandError(59, `no such command: '${name}'`);
  checkDatabaseName(db);
  authorize(operation, found);
  if (found.isForAdmin === true && db !== 'admin') throw new CommandError(13, `${name} may only be run against the admin database.`);
  checkFields(name, command);
  operation.check();
  enterSession(operation, found);
  try {
    return await found.run(operation);
  } catch (error) {
    // Whatever fails in a transaction ends it, but for a commit or an abort that was misplaced.
    if (!['commitTransaction', 'abortTransaction'].includes(name)) operation.transaction?.abort();
    throw error;
  }
}

function authorize(operation: Operation, command: Command): void {
  const { server, connection, name, db } = operation;
  // Who was dropped meanwhile is nobody, though somebody of the same name may have come since.
  if (connection.user !== null && !server.users.isCurrent(connection.user)) connection.user = null;
  if (!server.hasAuth || command.needs === null) return;
  const { user } = connection;
  if (user === null) throw new CommandError(13, `Command ${name} requires authentication`);
  const missing = command.needs(operation).find(([action, database]) => !isAllowed(user.roles, action, database));
  if (missing !== undefined)
    throw new CommandError(13, `not authorized on ${missing[1] === null ? 'admin' : db} to execute command { ${name}: ... }`);
}

function enterSession(operation: Operation, command: Command): void {
  const { server, name } = operation;
  operation.session = server.sessions.of(operation.command, operation.connection);
  if (operation.session === null || operation.command['txnNumber'] === undefined) return;
  if (server.member !== 'primary') throw new CommandError(20, 'Transaction numbers are only allowed on a replica set member or mongos');
  if (operation.command['autocommit'] === false) {
    if (command.isForTransactions !== true) {
      const open = operation.session.transaction;
      open?.abort();
      throw new CommandError(263, `Cannot run '${name}' in a multi-document transaction.`);
    }
    operation.transaction = server.sessions.enter(operation.session, operation.command);
  } else operation.done = server.sessions.enterRetryable(operation.session, operation.command);
}

/** A majority of one member is always there; two are not. */
function concern(operation: Operation, failPoint: Document | null): Document {
  const wanted = operation.command['writeConcern'];
  if (failPoint !== null && isDocument(failPoint['writeConcernError'])) {
    const labels = Array.isArray(failPoint['errorLabels']) ? { errorLabels: failPoint['errorLabels'] } : {};
    return { writeConcernError: failPoint['writeConcernError'], ...labels };
  }
  if (!isDocument(wanted) || !isNumber(wanted['w']) || numberOr(wanted['w'], 1) <= 1) return {};
  return { writeConcernError: { code: 100, codeName: 'UnsatisfiableWriteConcern', errmsg: 'Not enough data-bearing nodes' } };
}

function describeError(operation: Operation, error: unknown, failPoint: Document | null): Document {
  const known = error instanceof CommandError ? error : new CommandError(1, `the stand-in failed: ${(error as Error).stack}`);
  const isCommit = operation.name === 'commitTransaction' || operation.name === 'abortTransaction';
  const isInTransaction = operation.command['autocommit'] === false;
  const given = failPoint !== null && isNumber(failPoint['errorCode']) ? failPoint['errorLabels'] : undefined;
  const labels = Array.isArray(given)
    ? given
    : labelsOf(known.code, {
        inTransaction: isInTransaction,
        isCommit,
        isRetryableWrite: operation.command['txnNumber'] !== undefined && !isInTransaction,
      });
  return {
    ok: 0,
    errmsg: known.message,
    code: known.code,
    codeName: codeNameOf(known.code),
    ...known.extra,
    ...(labels.length > 0 ? { errorLabels: labels } : {}),
  };
}

const noSignature = { hash: new Binary(Buffer.alloc(20)), keyId: integer(0) };

/** What every answer of a member of a replica set has. */
function finish(operation: Operation, reply: Document): Document {
  if (operation.server.member !== 'primary') return reply;
  const time = new Timestamp({ t: Math.floor(operation.now.getTime() / 1000), i: operation.id >>> 0 || 1 });
  return { ...reply, operationTime: time, $clusterTime: { clusterTime: time, signature: noSignature } };
}
