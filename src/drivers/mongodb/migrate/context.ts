import type { ClientSession } from 'mongodb';
import type { SessionOptions, TenantTarget } from '../../driver.js';
import type { WatchScope } from '../command-watch.js';
import type { EngineContext } from '../engine-context.js';

/** What the parts of one session share. */
export interface MigrateContext {
  readonly context: EngineContext;
  readonly target: TenantTarget;
  readonly options: SessionOptions;
  /** Of this loan alone; a migration that asks for a transaction has it on this. */
  readonly session: ClientSession;
  /** What is running on behalf of this loan. */
  readonly scope: WatchScope;
}
