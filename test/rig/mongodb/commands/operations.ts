import { Binary, Long } from 'bson';
import { CommandError } from '../errors.js';
import { compileFilter } from '../match.js';
import type { Operation } from '../operation.js';
import { type Session, uidOf } from '../sessions.js';
import { type Document, integer, isEqual, isTruthy, numberOr } from '../values.js';
import { type CommandTable, type Need, toNobody, toServer } from './command.js';

/** What runs, as `$currentOp` shows it. */
export function describeOperations(operation: Operation, options: Document): Document[] {
  const { server, connection } = operation;
  const isVisible = (user: unknown): boolean => isTruthy(options['allUsers']) || user === connection.user;
  const active = [...server.operations.values()].filter((other) => isVisible(other.connection.user)).map(describe);
  const busy = new Set([...server.operations.values()].map((other) => other.connection));
  const idle = [...server.connections.values()]
    .filter((other) => isTruthy(options['idleConnections']) && !busy.has(other) && isVisible(other.user))
    .map((other) => ({
      type: 'op',
      active: false,
      connectionId: integer(other.id),
      client: other.remote,
      ...(other.appName === null ? {} : { appName: other.appName }),
      effectiveUsers: other.user === null ? [] : [{ user: other.user.name, db: other.user.db }],
    }));
  const busySessions = new Set([...server.operations.values()].map((other) => other.session));
  // Sessions with a transaction in which nothing happens are shown unless they are not wanted.
  const idleSessions = options['idleSessions'] === false ? [] : server.sessions.list();
  return [
    ...active,
    ...idle,
    ...idleSessions
      .filter((session) => session.transaction?.status === 'open' && !busySessions.has(session) && isVisible(session.connection?.user))
      .map(describeIdleSession),
  ];
}

function describeIdleSession({ id, uid, connection, transaction, usedAt }: Session): Document {
  const micros = (since: number): Long => Long.fromNumber((Date.now() - since) * 1000);
  return {
    type: 'idleSession',
    desc: 'inactive transaction',
    active: false,
    client: connection?.remote,
    connectionId: connection === null ? undefined : integer(connection.id),
    appName: connection?.appName ?? undefined,
    lsid: { id, uid },
    transaction: {
      parameters: { txnNumber: transaction === null ? undefined : Long.fromBigInt(transaction.number), autocommit: false },
      timeOpenMicros: micros(transaction?.startedAt ?? usedAt),
      timeInactiveMicros: micros(usedAt),
    },
  };
}

function describe({ id, connection, command, db, name, startedAt, session, maxTimeMs }: Operation): Document {
  const collection = typeof command[name] === 'string' ? command[name] : '$cmd';
  const { $clusterTime: _time, ...shown } = command;
  return {
    type: 'op',
    active: true,
    opid: integer(id),
    connectionId: integer(connection.id),
    client: connection.remote,
    ...(connection.appName === null ? {} : { appName: connection.appName }),
    effectiveUsers: connection.user === null ? [] : [{ user: connection.user.name, db: connection.user.db }],
    ns: `${db}.${collection}`,
    op: kinds[name] ?? 'command',
    command: shown,
    secs_running: integer(Math.floor((Date.now() - startedAt) / 1000)),
    microsecs_running: integer((Date.now() - startedAt) * 1000),
    ...(maxTimeMs === null ? {} : { maxTimeMS: integer(maxTimeMs) }),
    ...(session === null ? {} : { lsid: { id: session.id, uid: session.uid } }),
  };
}

const kinds: Record<string, string> = { insert: 'insert', update: 'update', delete: 'remove', find: 'query', getMore: 'getmore' };

const ownOrAll = ({ command }: Operation): readonly Need[] => (isTruthy(command['$ownOps']) ? [] : [['inprog', null]]);

export const operationCommands: CommandTable = {
  currentOp: {
    run: (operation) => {
      const {
        currentOp: _all,
        $ownOps: own,
        $all: idle,
        $db: _db,
        lsid: _lsid,
        $clusterTime: _time,
        $readPreference: _preference,
        ...filter
      } = operation.command;
      const known = Object.fromEntries(
        Object.entries(filter).filter(([name]) => !['comment', 'maxTimeMS', 'apiVersion', 'readConcern'].includes(name)),
      );
      const matches = compileFilter(known);
      return { inprog: describeOperations(operation, { allUsers: !isTruthy(own), idleConnections: idle ?? false }).filter(matches) };
    },
    needs: ownOrAll,
    isForAdmin: true,
  },
  killOp: {
    run: ({ command, server }) => {
      server.operations.get(numberOr(command['op'], -1))?.kill(new CommandError(11601, 'operation was interrupted'));
      return { info: 'attempting to kill op' };
    },
    // Everybody may kill what is their own.
    needs: ({ command, server, connection }) =>
      server.operations.get(numberOr(command['op'], -1))?.connection.user === connection.user ? [] : [['killop', null]],
    isForAdmin: true,
  },
  /** A test command: https://github.com/mongodb/mongo/blob/master/src/mongo/db/commands/sleep_command.cpp */
  sleep: {
    run: async (operation) => {
      const { command } = operation;
      if (command['lock'] !== undefined && command['lock'] !== 'none')
        throw new CommandError(238, 'a sleep that holds a lock is not implemented');
      await operation.wait(numberOr(command['millis'], numberOr(command['secs'], numberOr(command['seconds'], 10)) * 1000));
      return {};
    },
    needs: toServer('sleep'),
    isForAdmin: true,
  },
  configureFailPoint: {
    run: ({ command, server }) => {
      server.failPoints.configure(command);
      return {};
    },
    needs: toServer('configureFailPoint'),
    isForAdmin: true,
  },
  killSessions: {
    run: (operation) => {
      const { command, server, connection } = operation;
      const named = (command['killSessions'] as Document[]).map((lsid) => server.sessions.find(lsid, connection));
      const isOwn = (session: Session): boolean => isEqual(session.uid, uidOf(connection));
      return killSessions(operation, (session) => (named.length === 0 ? isOwn(session) : named.includes(session)));
    },
    needs: ({ command, connection }) => {
      const isOthers = (lsid: Document): boolean => lsid['uid'] !== undefined && !isEqual(lsid['uid'], uidOf(connection));
      return (command['killSessions'] as Document[]).some(isOthers) ? [['killAnySession', null]] : [];
    },
  },
  killAllSessions: {
    run: (operation) => {
      const users = operation.command['killAllSessions'] as Document[];
      const isNamed = ({ connection }: Session): boolean =>
        users.some(({ user, db }) => connection?.login?.name === user && connection?.login?.db === db);
      return killSessions(operation, (session) => users.length === 0 || isNamed(session));
    },
    needs: toServer('killAnySession'),
  },
  endSessions: {
    run: ({ command, server, connection }) => {
      for (const lsid of command['endSessions'] as Document[]) {
        const session = server.sessions.find(lsid, connection);
        if (session !== undefined) server.sessions.end(session);
      }
      return {};
    },
    needs: toNobody,
  },
  refreshSessions: { run: () => ({}), needs: toNobody },
  startSession: {
    run: () => ({ id: { id: new Binary(crypto.getRandomValues(new Uint8Array(16)), 4) }, timeoutMinutes: 30 }),
    needs: toNobody,
  },
};

/** Ends what the sessions run, their transactions and their cursors. */
function killSessions(operation: Operation, isMeant: (session: Session) => boolean): Document {
  const { server } = operation;
  for (const session of server.sessions.list()) {
    if (session === operation.session || !isMeant(session)) continue;
    for (const other of server.operations.values()) {
      if (other.session === session) other.kill(new CommandError(11601, 'operation was interrupted'));
    }
    session.transaction?.abort();
    server.cursors.killOf(session);
  }
  return {};
}
