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
  const isTransactional = !switchesTransactionOff(text);
  const script = (direction: Direction): ModuleScript => ({
    type: 'module',
    file: showPath(path),
    isTransactional,
    run: async (db, context) => {
      const module = await loadExports(path, importModule);
      checkTransaction(path, module, isTransactional);
      await pickFunction(path, module, direction)(db, context);
    },
  });
  return { up: script('up'), down: exportsDown(text) ? script('down') : null };
}

const WHOLE = /^[ \t]*(?:export\s+default\b|module\.exports\s*=)/m;

function switchesTransactionOff(text: string): boolean {
  if (/^[ \t]*export\s+const\s+transaction\s*(?::\s*(?:boolean|false)\s*)?=\s*false\b/m.test(text)) return true;
  if (/^[ \t]*(?:module\.)?exports\.transaction\s*=\s*false\b/m.test(text)) return true;
  const whole = WHOLE.exec(text);
  return whole !== null && /\btransaction\s*:\s*false\b/.test(text.slice(whole.index));
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

function checkTransaction(path: string, module: Readonly<Record<string, unknown>>, isTransactional: boolean): void {
  if ((module['transaction'] !== false) === isTransactional) return;
  throw new TenancyError('TENANCY_MIGRATION_MODULE_REJECTED', {
    file: showPath(path),
    reason: "its `transaction` can't be read without running it",
    advice: 'write it on a line of its own: `export const transaction = false`',
  });
}

function pickFunction(path: string, module: Readonly<Record<string, unknown>>, direction: Direction): ModuleScript['run'] {
  const candidate = module[direction];
  if (typeof candidate === 'function') return candidate as ModuleScript['run'];
  throw new TenancyError('TENANCY_MIGRATION_MODULE_REJECTED', { file: showPath(path), reason: `it exports no function \`${direction}\`` });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
