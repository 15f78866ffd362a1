import { Binary } from 'bson';
import { CommandError } from '../errors.js';
import type { Operation } from '../operation.js';
import { privilegesOf } from '../roles.js';
import { ScramServer } from '../scram.js';
import { type Document, isTruthy } from '../values.js';
import type { CommandTable } from './command.js';

const conversationId = 1;

/** The first step of SCRAM: of `saslStart`, or with `hello`. */
export function startConversation({ server, connection }: Operation, start: Document, db: string): Document {
  const { mechanism, payload } = start;
  if (mechanism !== 'SCRAM-SHA-256')
    throw new CommandError(334, `Received authentication for mechanism ${String(mechanism)} which is not enabled`);
  const scram = new ScramServer(bytesOf(payload), (name) => server.users.find(db, name)?.credential);
  connection.conversation = { db, scram, isProven: false };
  return { conversationId, done: false, payload: new Binary(scram.first) };
}

function continueConversation({ command, server, connection }: Operation): Document {
  const { conversation } = connection;
  if (conversation === null) throw new CommandError(17, 'No SASL session state found');
  const { db, scram, isProven } = conversation;
  try {
    const answer = isProven ? Buffer.alloc(0) : scram.finish(bytesOf(command['payload']));
    conversation.isProven = true;
    // Without `skipEmptyExchange` the client sends one more message, which is empty.
    const isDone = isProven || isTruthy((command['options'] as Document | undefined)?.['skipEmptyExchange'] ?? true);
    connection.user = server.users.find(db, scram.user) ?? null;
    connection.login = connection.user;
    if (isDone) connection.conversation = isProven ? null : conversation;
    return { conversationId, done: isDone, payload: new Binary(answer) };
  } catch (error) {
    connection.conversation = null;
    throw error;
  }
}

function bytesOf(payload: unknown): Buffer {
  if (!(payload instanceof Binary)) throw new CommandError(14, 'the payload has to be binary');
  return Buffer.from(payload.value());
}

export const authCommands: CommandTable = {
  saslStart: { run: (operation) => startConversation(operation, operation.command, operation.db), needs: null },
  saslContinue: { run: continueConversation, needs: null },
  logout: {
    run: ({ connection }) => {
      connection.user = null;
      connection.login = null;
      return {};
    },
    needs: null,
  },
  connectionStatus: {
    run: ({ command, connection: { user } }) => ({
      authInfo: {
        authenticatedUsers: user === null ? [] : [{ user: user.name, db: user.db }],
        authenticatedUserRoles: user === null ? [] : user.roles.map(({ role, db }) => ({ role, db })),
        ...(isTruthy(command['showPrivileges']) ? { authenticatedUserPrivileges: privilegesOf(user?.roles ?? []) } : {}),
      },
    }),
    needs: null,
  },
};
