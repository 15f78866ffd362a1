import { TenancyError } from '../errors.js';
import { joinPath } from './config-path.js';

export interface InterpolateContext {
  readonly file: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const VARIABLE = /\$(\$\{)|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{[^}]*\}?/g;

/**
 * Fills `${VAR}` into every string of a parsed JSON or YAML document; `$${VAR}` stands for a literal `${VAR}`. Keys stay as they are.
 * @throws TenancyError `TENANCY_VARIABLE_UNSET`; `TENANCY_CONFIG_REJECTED` for a `${…}` that isn't a variable's name.
 */
export function interpolate(value: unknown, context: InterpolateContext, path = ''): unknown {
  if (typeof value === 'string') return fill(value, context, path);
  if (Array.isArray(value)) return value.map((item, index) => interpolate(item, context, joinPath(path, index)));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, interpolate(item, context, joinPath(path, key))]));
}

function fill(text: string, { file, env }: InterpolateContext, path: string): string {
  return text.replace(VARIABLE, (found: string, escaped: string | undefined, variable: string | undefined) => {
    if (escaped !== undefined) return escaped;
    if (variable === undefined) {
      const problem = `${found} is not understood: write \${NAME} for a variable, $\${ for a literal \${`;
      throw new TenancyError('TENANCY_CONFIG_REJECTED', { file, issues: [{ path, problem }] });
    }
    const filled = env[variable];
    if (filled === undefined) throw new TenancyError('TENANCY_VARIABLE_UNSET', { file, path, variable });
    return filled;
  });
}
