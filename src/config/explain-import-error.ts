import { isTenancyError, TenancyError } from '../errors.js';
import { examineImportFailure, examineThrown } from '../util/import-failure.js';

const LINK_CODES = new Set([
  'ERR_MODULE_NOT_FOUND',
  'ERR_UNSUPPORTED_DIR_IMPORT',
  'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX',
  'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING',
  'ERR_INVALID_TYPESCRIPT_SYNTAX',
  'ERR_UNKNOWN_FILE_EXTENSION',
  'ERR_IMPORT_ATTRIBUTE_MISSING',
  'ERR_AMBIGUOUS_MODULE_SYNTAX',
]);

/** True for what stops a module before its code runs, and for the CommonJS names that only jiti has in a TypeScript module. */
export function isLinkError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof SyntaxError || LINK_CODES.has((error as NodeJS.ErrnoException).code ?? '')) return true;
  return /^(__dirname|__filename|require|module|exports) is not defined/.test(error.message);
}

/** Puts what Node and jiti throw while importing a config into one sentence with a place. Always throws. */
export async function explainImportError(file: string, error: unknown): Promise<never> {
  if (isTenancyError(error)) throw error;
  const failure = await examineImportFailure(file, error);
  switch (failure.type) {
    case 'missing': {
      const { type: _, ...missing } = failure;
      throw new TenancyError('TENANCY_CONFIG_IMPORT_FAILED', { file, ...missing }, { cause: error });
    }
    case 'syntax': {
      const { type: _, ...place } = failure;
      throw new TenancyError('TENANCY_CONFIG_SYNTAX_REJECTED', { file, ...place }, { cause: error });
    }
    default:
      throw explainThrown(file, 'the config threw', error);
  }
}

/** An error for what a config's own code threw, with the line of the config where it did. */
export function explainThrown(file: string, action: string, thrown: unknown): TenancyError {
  if (isTenancyError(thrown)) return thrown;
  return new TenancyError('TENANCY_CONFIG_LOAD_FAILED', { file, action, ...examineThrown(file, thrown) }, { cause: thrown });
}
