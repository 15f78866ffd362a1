import type * as pg from 'pg';
import type { HookContext } from '../../src/config/types.js';
import { TenancyError } from '../../src/errors.js';
import { withLibpqTls } from '../../src/util/libpq-tls.js';
import { loadPackage, type PackageRequest } from './load-package.js';
import type { TenantHome } from './tenant-home.js';

type Pg = typeof pg;
/** As node-pg declares it. */
type Callback = ((error: Error) => void) | ((error: null, client: pg.Client) => void);

/** How long opening a connection, or waiting for the only one there is, may take. */
export const CONNECT_TIMEOUT_MS = 30_000;
/** The server then ends a statement whose client has gone, instead of finishing it. */
const CLIENT_CHECK_MS = 500;

/** The project's own node-pg, bound to one tenant. */
export interface TenantPostgres {
  readonly pg: Pg;
  /** A client that connects to the tenant, whatever options a library gives it, and only if it is bound to the tenant's schema. */
  readonly Client: Pg['Client'];
  /** What node-pg is to be configured with, for a library that makes clients of its own. */
  readonly config: pg.ClientConfig;
  /** For such a library: has the connection cut by an abort, and checks where it is. */
  adopt(client: pg.Client): Promise<void>;
  /** Cuts what is still open. */
  close(): void;
}

export function loadPg(root: string, request: Omit<PackageRequest, 'name'>): Promise<Pg> {
  return loadPackage<Pg>(root, { ...request, name: 'pg', versions: ['8.0.0', '9.0.0'] });
}

export function bindPostgres(ctx: HookContext, library: Pg, home: TenantHome): TenantPostgres {
  const open = new Set<pg.Client>();
  const config: pg.ClientConfig = {
    connectionString: withLibpqTls(ctx.url),
    application_name: 'tenancy',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
  };

  const track = (client: pg.Client): void => {
    open.add(client);
    client.once('end', () => open.delete(client));
    // One that nobody listens for would end the process; whoever waits for a query is told.
    client.on('error', () => undefined);
    client.on('notice', ({ message }) => ctx.log(message ?? ''));
  };
  const cut = (): void => {
    for (const client of open) socketOf(client)?.destroy();
  };
  const check = async (client: pg.Client): Promise<void> => {
    ctx.signal.throwIfAborted();
    const { rows } = await client.query<{ schema: string | null }>(settle(client));
    if (home.schema !== null && rows[0]?.schema !== home.schema) throw refuse(ctx);
  };

  class TenantClient extends library.Client {
    constructor(given?: string | pg.ClientConfig) {
      // Parsers of types are all that a library may choose: where it connects is not its affair.
      super({ ...config, ...(typeof given === 'object' && given.types !== undefined ? { types: given.types } : {}) });
      track(this);
    }

    override connect(): Promise<pg.Client>;
    override connect(callback: Callback): void;
    override connect(callback?: Callback): Promise<pg.Client> | undefined {
      const connected = this.#connectAndCheck();
      if (callback === undefined) return connected;
      const tell = callback as (error: Error | null, client?: pg.Client) => void;
      connected.then((client) => tell(null, client), tell);
      return undefined;
    }

    async #connectAndCheck(): Promise<pg.Client> {
      try {
        await super.connect();
        await check(this);
        return this;
      } catch (error) {
        socketOf(this)?.destroy();
        throw explainRefusedOptions(ctx, error);
      }
    }
  }

  ctx.signal.addEventListener('abort', cut, { once: true });
  return {
    pg: library,
    Client: TenantClient,
    config,
    adopt: async (client) => {
      track(client);
      await check(client);
    },
    close: () => {
      ctx.signal.removeEventListener('abort', cut);
      cut();
    },
  };
}

/**
 * Where the connection is, and that the server looks after it. A pooler invents the process id that it tells, and what is set there reaches other
 * clients, so there nothing is set.
 */
function settle(client: pg.Client): string {
  const processId = Number((client as unknown as { readonly processID: number | null }).processID ?? 0);
  // Not by way of pg_settings, which takes a new backend some milliseconds: it lists every setting there is.
  return `SELECT current_schema() AS schema, CASE WHEN current_setting('client_connection_check_interval', true) IS NOT NULL
    AND pg_backend_pid() = ${processId} AND version() !~* 'visual c|mingw|windows'
    THEN set_config('client_connection_check_interval', '${CLIENT_CHECK_MS}', false) END`;
}

export function explainRefusedOptions(ctx: HookContext, error: unknown): unknown {
  return error instanceof Error && /unsupported startup parameter/.test(error.message) ? refuse(ctx, error) : error;
}

/**
 * The tenant's schema comes with the connection's start. A pooler that refuses or drops that can't be helped by setting the path afterwards: in
 * transaction mode the next statement may be somebody else's connection, and that somebody's the tenant's.
 */
function refuse({ tenant }: HookContext, cause?: Error): TenancyError {
  return new TenancyError(
    'TENANCY_MIGRATOR_REFUSED',
    {
      tenant: tenant.id,
      reason: "the connection isn't in the tenant's schema: a pooler (PgBouncer) between takes no search_path",
      advice: "have the cluster's url name the server itself rather than the pooler",
    },
    { cause },
  );
}

function socketOf(client: pg.Client): { destroy(): void } | undefined {
  return (client as unknown as { readonly connection?: { readonly stream?: { destroy(): void } } }).connection?.stream;
}
