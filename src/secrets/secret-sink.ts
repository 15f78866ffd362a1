import type { SecretsCommand, SecretsConfig, SecretsFunctions, StoredSecret } from '../config/types.js';
import { TenancyError } from '../errors.js';
import { execForTenant } from '../util/exec.js';
import { describeThrown } from '../util/import-failure.js';
import { createFileSink } from './file-sink.js';

/** Where the passwords of tenants' logins go. */
export interface SecretSink {
  /** Resolves once it is kept, with how it is found again; for a login that had one, the newest counts. @throws TenancyError `TENANCY_SECRET_NOT_STORED` */
  store(secret: StoredSecret, use: SinkUse): Promise<string>;
  /** `kept`: there is no way to remove it from here. @throws TenancyError `TENANCY_SECRET_NOT_REMOVED` */
  remove(secret: RemovedSecret, use: SinkUse): Promise<'removed' | 'absent' | 'kept'>;
}

export interface RemovedSecret {
  readonly tenant: string;
  readonly login: string;
  /** As the registry has it; null where it never came to that. */
  readonly ref: string | null;
}

export interface SinkUse {
  readonly signal: AbortSignal;
  log(text: string): void;
}

export function createSecretSink(secrets: SecretsConfig, root: string): SecretSink {
  if (typeof secrets === 'function') return createFunctionSink({ store: secrets });
  if ('directory' in secrets) return createFileSink(secrets.directory, root);
  return 'store' in secrets ? createFunctionSink(secrets) : createCommandSink(secrets, root);
}

/** The password goes in by the standard input: arguments and variables are there for every process to see. */
function createCommandSink({ command, ref, remove }: SecretsCommand, root: string): SecretSink {
  const run = async (argv: readonly string[], secret: Omit<StoredSecret, 'password'>, { signal, log }: SinkUse, input: string) => {
    const [file = '', ...args] = argv.map((arg) => fillIn(arg, secret));
    const env = { TENANCY_TENANT: secret.tenant, TENANCY_LOGIN: secret.login };
    await execForTenant(file, args, { cwd: root, env, input, signal, onOutput: log });
  };
  return {
    store: async (secret, use) => {
      await naming('TENANCY_SECRET_NOT_STORED', secret, command[0] ?? '', use.signal, () => run(command, secret, use, secret.password));
      return fillIn(ref, secret);
    },
    remove: async (secret, use) => {
      if (remove === undefined) return 'kept';
      await naming('TENANCY_SECRET_NOT_REMOVED', secret, remove[0] ?? '', use.signal, () => run(remove, secret, use, ''));
      return 'removed';
    },
  };
}

function fillIn(text: string, { tenant, login }: { readonly tenant: string; readonly login: string }): string {
  return text.replaceAll('{tenant}', tenant).replaceAll('{login}', login);
}

function createFunctionSink({ store, remove }: SecretsFunctions): SecretSink {
  const sink = 'the function of the config';
  return {
    store: (secret, { signal }) =>
      naming('TENANCY_SECRET_NOT_STORED', secret, sink, signal, async () => {
        const ref: unknown = await store({ tenant: secret.tenant, login: secret.login, password: secret.password });
        const problem = explainReference(ref, secret.password);
        if (problem !== null) throw new Error(problem);
        return ref as string;
      }),
    remove: (secret, { signal }) =>
      naming('TENANCY_SECRET_NOT_REMOVED', secret, sink, signal, async () => {
        if (remove === undefined) return 'kept';
        await remove({ tenant: secret.tenant, login: secret.login, ref: secret.ref });
        return 'removed';
      }),
  };
}

/** The registry keeps it, so it must be a path and not what it leads to. */
function explainReference(ref: unknown, password: string): string | null {
  if (typeof ref !== 'string' || !/^[a-z][a-z0-9+.-]*:./i.test(ref))
    return 'it returned no reference such as vault:secret/data/acme#password';
  if (ref.length > 1_000) return 'the reference that it returned is longer than 1,000 characters';
  const isSecret = ref.includes(password) || ref.includes(encodeURIComponent(password));
  return isSecret ? 'what it returned has the password itself in it, and the registry keeps no passwords' : null;
}

async function naming<T>(
  code: 'TENANCY_SECRET_NOT_STORED' | 'TENANCY_SECRET_NOT_REMOVED',
  { tenant, login }: { readonly tenant: string; readonly login: string },
  sink: string,
  signal: AbortSignal,
  use: () => Promise<T>,
): Promise<T> {
  try {
    return await use();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof TenancyError) throw error;
    throw new TenancyError(code, { tenant, login, sink, reason: describeThrown(error) }, { cause: error });
  }
}
