import { CommandError } from '../errors.js';
import { compileFilter } from '../match.js';
import type { Operation } from '../operation.js';
import { parseRoles, type Role } from '../roles.js';
import { describeUser, type User } from '../users.js';
import { type Document, isDocument } from '../values.js';
import { type CommandTable, type Need, toDatabase } from './command.js';

function nameOf(operation: Operation): string {
  const name = operation.command[operation.name];
  if (typeof name !== 'string' || name === '') throw new CommandError(2, 'a user needs a name');
  return name;
}

function passwordOf(command: Document): string {
  if (typeof command['pwd'] !== 'string' || command['pwd'] === '') throw new CommandError(50687, 'Password cannot be empty');
  const { mechanisms } = command;
  if (Array.isArray(mechanisms) && !mechanisms.includes('SCRAM-SHA-256')) throw new CommandError(238, `only SCRAM-SHA-256 is implemented`);
  return command['pwd'];
}

/** A role of another database has to be granted by who may do that there. */
function granting(action: string, grant: string): (operation: Operation) => readonly Need[] {
  return ({ command, db }) => {
    const given = (Array.isArray(command['roles']) ? command['roles'] : []) as (string | Role)[];
    return [
      ...(action === '' ? [] : [[action, db] as const]),
      ...given.map((role) => [grant, typeof role === 'string' ? db : role.db] as const),
    ];
  };
}

export const userCommands: CommandTable = {
  createUser: {
    run: (operation) => {
      const { command, server, db } = operation;
      if (!Array.isArray(command['roles'])) throw new CommandError(2, 'Missing expected field "roles"');
      const customData = isDocument(command['customData']) ? command['customData'] : undefined;
      server.users.create(db, nameOf(operation), passwordOf(command), parseRoles(command['roles'], db), customData);
      return {};
    },
    needs: granting('createUser', 'grantRole'),
  },
  updateUser: {
    run: (operation) => {
      const { command, server, db } = operation;
      const user = server.users.get(db, nameOf(operation), 'User');
      if (command['roles'] !== undefined) user.roles = parseRoles(command['roles'], db);
      if (command['pwd'] !== undefined) server.users.setPassword(user, passwordOf(command));
      if (isDocument(command['customData'])) user.customData = command['customData'];
      return {};
    },
    needs: (operation) => [
      ...(operation.command['pwd'] === undefined ? [] : ([['changePassword', operation.db]] as Need[])),
      ...(operation.command['customData'] === undefined ? [] : ([['changeCustomData', operation.db]] as Need[])),
      ...(operation.command['roles'] === undefined ? [] : ([['revokeRole', operation.db]] as Need[])),
      ...granting('', 'grantRole')(operation),
    ],
  },
  dropUser: {
    run: (operation) => {
      operation.server.users.drop(operation.server.users.get(operation.db, nameOf(operation), 'User'));
      return {};
    },
    needs: toDatabase('dropUser'),
  },
  dropAllUsersFromDatabase: {
    run: ({ server, db }) => {
      const users = server.users.list().filter((user) => user.db === db);
      for (const user of users) server.users.drop(user);
      return { n: users.length };
    },
    needs: toDatabase('dropUser'),
  },
  // There are none but the built-in roles: `createRole` is refused.
  dropAllRolesFromDatabase: { run: () => ({ n: 0 }), needs: toDatabase('dropRole') },
  grantRolesToUser: {
    run: (operation) => {
      const { command, server, db } = operation;
      const user = server.users.get(db, nameOf(operation));
      user.roles = [...withoutRoles(user, parseRoles(command['roles'], db)), ...parseRoles(command['roles'], db)];
      return {};
    },
    needs: granting('', 'grantRole'),
  },
  revokeRolesFromUser: {
    run: (operation) => {
      const { command, server, db } = operation;
      const user = server.users.get(db, nameOf(operation));
      user.roles = withoutRoles(user, parseRoles(command['roles'], db));
      return {};
    },
    needs: granting('', 'revokeRole'),
  },
  usersInfo: {
    run: ({ command, server, db }) => {
      const matches = compileFilter(command['filter']);
      return { users: server.users.list().filter(isWanted(command['usersInfo'], db)).map(describeUser).filter(matches) };
    },
    needs: ({ command, db, connection }) => {
      const wanted = command['usersInfo'];
      if (isDocument(wanted) && wanted['forAllDBs'] !== undefined) return [['viewUser', 'admin']];
      // Everybody may look at themselves.
      const isOwn = connection.user !== null && typeof wanted === 'string' && wanted === connection.user.name && db === connection.user.db;
      return isOwn ? [] : [['viewUser', db]];
    },
  },
};

function withoutRoles(user: User, roles: readonly Role[]): Role[] {
  return user.roles.filter(({ role, db }) => !roles.some((other) => other.role === role && other.db === db));
}

function isWanted(wanted: unknown, db: string): (user: User) => boolean {
  if (Array.isArray(wanted)) return (user) => wanted.some((part) => isWanted(part, db)(user));
  if (typeof wanted === 'string') return (user) => user.db === db && user.name === wanted;
  if (isDocument(wanted) && 'forAllDBs' in wanted) return () => true;
  if (isDocument(wanted)) return (user) => user.name === wanted['user'] && user.db === wanted['db'];
  return (user) => user.db === db;
}
