import { TenancyError } from '../errors.js';
import type { FoundConfig } from './find-config.js';
import { interpolate } from './interpolate.js';
import type { Parsed } from './parse-json.js';
import { parseJson } from './parse-json.js';

/**
 * Reads a config that is data, with `${VAR}` filled in.
 * @throws TenancyError `TENANCY_CONFIG_SYNTAX_REJECTED`, `TENANCY_VARIABLE_UNSET`.
 */
export async function parseConfig(found: FoundConfig, env: Readonly<Record<string, string | undefined>>): Promise<unknown> {
  const { file, text } = found;
  const parsed = found.type === 'json' ? parseJson(text) : await parseYaml(text);
  if ('error' in parsed) throw new TenancyError('TENANCY_CONFIG_SYNTAX_REJECTED', { file, ...parsed.error });
  const value = found.isPackageJson ? (parsed.value as { readonly tenancy: unknown }).tenancy : parsed.value;
  return interpolate(value, { file, env }, found.isPackageJson ? 'tenancy' : '');
}

async function parseYaml(text: string): Promise<Parsed> {
  const { LineCounter, parseDocument } = await import('./yaml.js');
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false, uniqueKeys: true, merge: true });
  // A warning is an unknown tag, whose value would be taken for plain text.
  const [mistake] = [...document.errors, ...document.warnings];
  if (mistake !== undefined) {
    const { line, col } = lineCounter.linePos(mistake.pos[0]);
    return { error: { line, column: col, reason: mistake.message.split('\n')[0] ?? mistake.code } };
  }
  try {
    return { value: document.toJS({ maxAliasCount: 100 }) as unknown };
  } catch (error) {
    // An alias without its anchor, or a document that grows without bounds through its aliases.
    return { error: { line: 1, column: 1, reason: error instanceof Error ? error.message : String(error) } };
  }
}
