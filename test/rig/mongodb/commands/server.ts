import os from 'node:os';
import { Timestamp } from 'bson';
import { CommandError } from '../errors.js';
import type { Operation } from '../operation.js';
import { type Document, integer, isDocument, isNumber, numberOr } from '../values.js';
import { maxDocumentBytes, maxMessageBytes } from '../wire.js';
import { startConversation } from './auth.js';
import { type CommandTable, toServer } from './command.js';

/** What the stand-in takes itself for: the commands, codes and roles are those of this version. */
const version = '8.0.0';
const setName = 'rs0';
const maxWireVersion = 25;

const hello = { run: greet, needs: null };

export const serverCommands: CommandTable = {
  hello,
  isMaster: hello,
  ismaster: hello,
  ping: { run: () => ({}), needs: null },
  buildInfo: { run: buildInfo, needs: null },
  buildinfo: { run: buildInfo, needs: null },
  hostInfo: {
    run: ({ server }) => ({ system: { currentTime: server.now(), hostname: os.hostname() }, os: { type: os.type() } }),
    needs: toServer('hostInfo'),
  },
  serverStatus: {
    run: ({ server }) => ({
      host: server.address,
      version,
      process: 'mongod',
      pid: process.pid,
      uptime: Math.floor((Date.now() - server.startedAt) / 1000),
      localTime: server.now(),
      connections: {
        current: server.connections.size,
        available: 51_200 - server.connections.size,
        totalCreated: server.totalConnections,
        active: server.operations.size,
      },
      metrics: { cursor: { open: { total: server.cursors.count } } },
      transactions: { currentOpen: server.catalogue.history.open.size },
      repl: { setName, isWritablePrimary: true, primary: server.address, me: server.address },
      storageEngine: { name: 'wiredTiger', supportsCommittedReads: true, persistent: true },
    }),
    needs: toServer('serverStatus'),
  },
  replSetGetStatus: {
    run: ({ server }) => ({
      set: setName,
      date: server.now(),
      myState: 1,
      members: [{ _id: 0, name: server.address, health: 1, state: 1, stateStr: 'PRIMARY', self: true }],
    }),
    needs: toServer('replSetGetStatus'),
    isForAdmin: true,
  },
  replSetGetConfig: {
    run: ({ server }) => ({
      config: { _id: setName, version: 1, members: [{ _id: 0, host: server.address }], settings: { replicaSetId: server.replicaSetId } },
    }),
    needs: toServer('replSetGetConfig'),
    isForAdmin: true,
  },
  getParameter: {
    run: ({ command, server }) => {
      const wanted = Object.keys(server.parameters).filter((name) => command['getParameter'] === '*' || name in command);
      if (wanted.length === 0) throw new CommandError(72, 'no option found to get');
      return Object.fromEntries(wanted.map((name) => [name, server.parameters[name]]));
    },
    needs: toServer('getParameter'),
    isForAdmin: true,
  },
  setParameter: {
    run: ({ command, server }) => {
      const settable = ['ttlMonitorSleepSecs', 'ttlMonitorEnabled', 'transactionLifetimeLimitSeconds', 'standInClockSkewMs'];
      const name = Object.keys(command).find((key) => settable.includes(key));
      if (name === undefined) throw new CommandError(72, 'attempted to set unrecognized parameter, use help:true to see options');
      const was = server.parameters[name];
      const value = command[name];
      server.parameters[name] = isNumber(value) ? numberOr(value, 0) : value;
      return { was };
    },
    needs: toServer('setParameter'),
    isForAdmin: true,
  },
};

function buildInfo(): Document {
  return {
    version,
    versionArray: [8, 0, 0, 0],
    gitVersion: 'stand-in',
    modules: [],
    bits: 64,
    debug: false,
    maxBsonObjectSize: maxDocumentBytes,
    storageEngines: ['wiredTiger'],
  };
}

function greet(operation: Operation): Document {
  const { command, server, connection, name } = operation;
  const client = command['client'];
  if (isDocument(client) && isDocument(client['application'])) connection.appName = String(client['application']['name']);
  const mechanisms = typeof command['saslSupportedMechs'] === 'string' ? { saslSupportedMechs: ['SCRAM-SHA-256'] } : {};
  const speculative = command['speculativeAuthenticate'];
  return {
    helloOk: true,
    [name === 'hello' ? 'isWritablePrimary' : 'ismaster']: server.member !== 'not-initiated',
    ...describeMembership(operation),
    maxBsonObjectSize: maxDocumentBytes,
    maxMessageSizeBytes: maxMessageBytes,
    maxWriteBatchSize: 100_000,
    localTime: operation.now,
    logicalSessionTimeoutMinutes: 30,
    connectionId: connection.id,
    minWireVersion: 0,
    maxWireVersion,
    readOnly: false,
    ...mechanisms,
    ...speculate(operation, speculative),
  };
}

/** https://www.mongodb.com/docs/manual/reference/command/hello/ */
function describeMembership({ server, now }: Operation): Document {
  if (server.member === 'standalone') return {};
  const ofAnyMember = { secondary: false };
  if (server.member === 'not-initiated') return { ...ofAnyMember, isreplicaset: true, info: 'Does not have a valid replica set config' };
  return {
    ...ofAnyMember,
    hosts: [server.address],
    setName,
    setVersion: 1,
    me: server.address,
    primary: server.address,
    electionId: server.replicaSetId,
    lastWrite: { opTime: { ts: new Timestamp({ t: Math.floor(now.getTime() / 1000), i: 1 }), t: integer(1) }, lastWriteDate: now },
  };
}

/** A first step that fails is left out of the answer: the client then begins properly, and is told. */
function speculate(operation: Operation, start: unknown): Document {
  if (!isDocument(start)) return {};
  try {
    return { speculativeAuthenticate: startConversation(operation, start, String(start['db'] ?? 'admin')) };
  } catch {
    return {};
  }
}
