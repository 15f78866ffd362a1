/** The few facts of the running Node that loading a config depends on. */
import process from 'node:process';

/** True where `import()` of a `.ts` file works by itself (Node 22.18, 23.6 and newer, unless switched off). */
export function canStripTypes(): boolean {
  return Boolean((process.features as { readonly typescript?: unknown }).typescript);
}

/** The user that files are made as; null where the system has no such ids. */
export function currentUid(): number | null {
  return process.getuid?.() ?? null;
}

/** Warnings about how Node reads a module: not the user's business in a config that loads. */
const LOADING_WARNINGS = /MODULE_TYPELESS_PACKAGE_JSON|Type Stripping is an experimental feature/;

/** Keeps quiet that a config's package has no `"type"`, or that types are stripped by an experiment, while `load` runs. */
export async function withoutLoadingWarnings<Result>(load: () => Promise<Result>): Promise<Result> {
  const emitWarning = process.emitWarning;
  process.emitWarning = ((warning: string | Error, ...rest: unknown[]) => {
    const facts = [String(warning), ...rest.map((part) => (typeof part === 'object' ? JSON.stringify(part) : String(part)))];
    if (!LOADING_WARNINGS.test(facts.join(' '))) Reflect.apply(emitWarning, process, [warning, ...rest]);
  }) as typeof process.emitWarning;
  try {
    return await load();
  } finally {
    process.emitWarning = emitWarning;
  }
}
