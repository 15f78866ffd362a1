import { TenancyError } from '../errors.js';
import type { MigrationScript } from './migration.js';
import { showPath } from './source-directory.js';

/** Imports a TypeScript or JavaScript file; the same module each time it is asked. */
export type ImportModule = (path: string) => Promise<unknown>;

type ModuleScript = Extract<MigrationScript, { type: 'module' }>;
type Direction = 'up' | 'down';

/**
 * A module's scripts, known from its text: it is imported only when one of them is to run, so that a run with nothing
 * to do loads no code. What the text promised is checked against the module then.
 */
export function createModuleScripts(
  path: string,
  text: string,
  importModule: ImportModule,
): { up: ModuleScript; down: ModuleScript | null } {
  const flags = readFlags(text);
  const script = (direction: Direction): ModuleScript => ({
    type: 'module',
    file: showPath(path),
    ...flags,
    run: async (db, context) => {
      const module = await loadExports(path, importModule);
      checkFlags(path, module, flags);
      await pickFunction(path, module, direction)(db, context);
    },
  });
  return { up: script('up'), down: exportsDown(text) ? script('down') : null };
}

/** A seed's function is its `up`, its `seed` or its default export. */
export function createSeedScript(path: string, text: string, importModule: ImportModule): ModuleScript {
  const flags = readFlags(text);
  return {
    type: 'module',
    file: showPath(path),
    ...flags,
    run: async (db, context) => {
      const module = await loadExports(path, importModule);
      checkFlags(path, module, flags);
      await pickSeed(path, module)(db, context);
    },
  };
}

type Flags = Required<Pick<ModuleScript, 'isTransactional' | 'requestsTransaction' | 'isRerunnable'>>;

function readFlags(text: string): Flags {
  return {
    isTransactional: !sets(text, 'transaction', false),
    requestsTransaction: sets(text, 'transaction', true),
    isRerunnable: sets(text, 'rerunnable', true),
  };
}

const WHOLE = /^[ \t]*(?:export\s+default\b|module\.exports\s*=)/m;

/** Whether the text exports the flag with this value, in one of the ways in which modules do. */
function sets(text: string, flag: string, value: boolean): boolean {
  if (new RegExp(`^[ \\t]*export\\s+const\\s+${flag}\\s*(?::\\s*(?:boolean|${value})\\s*)?=\\s*${value}\\b`, 'm').test(text)) return true;
  if (new RegExp(`^[ \\t]*(?:module\\.)?exports\\.${flag}\\s*=\\s*${value}\\b`, 'm').test(text)) return true;
  const whole = WHOLE.exec(text);
  return whole !== null && new RegExp(`\\b${flag}\\s*:\\s*${value}\\b`).test(text.slice(whole.index));
}

function exportsDown(text: string): boolean {
  if (/^[ \t]*export\s+(?:async\s+)?(?:function\s*\*?|const|let|var)\s+down\b/m.test(text)) return true;
  if (/^[ \t]*export\s*\{[^}]*\bdown\b[^}]*\}/m.test(text)) return true;
  if (/^[ \t]*(?:module\.)?exports\.down\s*=/m.test(text)) return true;
  const whole = WHOLE.exec(text);
  return whole !== null && /\bdown\s*[(:,}]/.test(text.slice(whole.index));
}

async function loadExports(path: string, importModule: ImportModule): Promise<Readonly<Record<string, unknown>>> {
  let module: unknown;
  try {
    module = await importModule(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TenancyError(
      'TENANCY_MIGRATION_MODULE_REJECTED',
      { file: showPath(path), reason: `it can't be loaded: ${reason}` },
      { cause },
    );
  }
  const named = isRecord(module) ? module : {};
  // CommonJS, and `export default { up, down }`.
  return isRecord(named['default']) && !('up' in named) ? named['default'] : named;
}

function checkFlags(path: string, module: Readonly<Record<string, unknown>>, flags: Flags): void {
  const { transaction, rerunnable } = module;
  const isTransactionRead = (transaction !== false) === flags.isTransactional && (transaction === true) === flags.requestsTransaction;
  const unread = !isTransactionRead ? 'transaction' : (rerunnable === true) !== flags.isRerunnable ? 'rerunnable' : null;
  if (unread === null) return;
  throw new TenancyError('TENANCY_MIGRATION_MODULE_REJECTED', {
    file: showPath(path),
    reason: `its \`${unread}\` can't be read without running it`,
    advice: `write it on a line of its own: \`export const ${unread} = ${module[unread] === false ? 'false' : 'true'}\``,
  });
}

function pickFunction(path: string, module: Readonly<Record<string, unknown>>, direction: Direction): ModuleScript['run'] {
  const candidate = module[direction];
  if (typeof candidate === 'function') return candidate as ModuleScript['run'];
  throw new TenancyError('TENANCY_MIGRATION_MODULE_REJECTED', { file: showPath(path), reason: `it exports no function \`${direction}\`` });
}

function pickSeed(path: string, module: Readonly<Record<string, unknown>>): ModuleScript['run'] {
  const candidate = module['up'] ?? module['seed'] ?? module['default'];
  if (typeof candidate === 'function') return candidate as ModuleScript['run'];
  throw new TenancyError('TENANCY_MIGRATION_MODULE_REJECTED', {
    file: showPath(path),
    reason: 'it exports no function',
    advice: 'a seed exports `async function up(db, context)`, `seed`, or a default function',
  });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
