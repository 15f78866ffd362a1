import { ObjectId } from 'bson';
import { Catalogue } from './catalogue.js';
import { Cursors } from './cursors.js';
import { FailPoints } from './failpoints.js';
import type { Operation } from './operation.js';
import type { ScramServer } from './scram.js';
import { Sessions } from './sessions.js';
import { type User, Users } from './users.js';
import type { Document } from './values.js';

export interface ServerOptions {
  /** 0: any that is free. @default 0 */
  readonly port?: number;
  /** The first user, a `root` of `admin`. Without one nobody has to authenticate. */
  readonly root?: { readonly user: string; readonly password: string };
  /** How far the server's clock is ahead of the machine's. @default 0 */
  readonly skewMs?: number;
  /** A server outside of a replica set, or one of a set that nobody has initiated, has no transactions. @default 'primary' */
  readonly member?: 'primary' | 'standalone' | 'not-initiated';
}

export interface Connection {
  readonly id: number;
  readonly remote: string;
  appName: string | null;
  user: User | null;
  /** Whom it has authenticated as, were that user dropped since. */
  login: User | null;
  conversation: { readonly db: string; readonly scram: ScramServer; isProven: boolean } | null;
}

/** All that a server knows. */
export class ServerState {
  readonly catalogue: Catalogue = new Catalogue();
  readonly users: Users = new Users();
  readonly cursors: Cursors = new Cursors();
  readonly failPoints: FailPoints = new FailPoints();
  readonly sessions: Sessions = new Sessions(this.catalogue.history);
  readonly connections: Map<number, Connection> = new Map();
  readonly operations: Map<number, Operation> = new Map();
  readonly replicaSetId: ObjectId = new ObjectId();
  readonly startedAt: number = Date.now();
  readonly hasAuth: boolean;
  readonly member: NonNullable<ServerOptions['member']>;
  readonly parameters: Document;
  totalConnections = 0;
  lastOperation = 0;
  /** `host:port`, once it listens. */
  address = '';

  constructor(options: ServerOptions) {
    this.hasAuth = options.root !== undefined;
    this.member = options.member ?? 'primary';
    if (options.root !== undefined) this.users.create('admin', options.root.user, options.root.password, [{ role: 'root', db: 'admin' }]);
    this.parameters = {
      featureCompatibilityVersion: { version: '8.0' },
      enableTestCommands: true,
      authenticationMechanisms: ['SCRAM-SHA-256'],
      ttlMonitorEnabled: true,
      ttlMonitorSleepSecs: 60,
      transactionLifetimeLimitSeconds: 60,
      standInClockSkewMs: options.skewMs ?? 0,
    };
  }

  now(): Date {
    return new Date(Date.now() + Number(this.parameters['standInClockSkewMs']));
  }
}
