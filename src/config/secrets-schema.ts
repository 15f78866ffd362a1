/** Where passwords may be kept. */
import { argv, checkAs, checked, explained, hook, isObject, type Part, refuse, strict, text } from './schema-parts.js';

const byFiles = strict({ directory: text });
const byCommand = strict(
  {
    command: argv,
    // Each login's password has a place of its own: for a while two of a tenant's are good.
    ref: explained((value) => {
      if (typeof value !== 'string' || !/^(env|file|exec|vault):./.test(value))
        return 'expected how it is read again: vault:…, exec:…, file:… or env:…';
      return value.includes('{login}') ? null : 'expected {login} in it: while a credential is rotated, a tenant has two';
    }),
  },
  { remove: argv },
);
const byFunctions = strict({ store: hook }, { remove: hook, resolve: hook });

function shapeOf(value: object): Part | null {
  if ('directory' in value) return byFiles;
  if ('command' in value) return byCommand;
  return 'store' in value ? byFunctions : null;
}

export const secrets = checked((context) => {
  const { value } = context;
  if (typeof value === 'function') return;
  const shape = isObject(value) ? shapeOf(value) : null;
  if (shape !== null) checkAs(context, shape, value);
  else
    refuse(
      context,
      "expected { directory: './secrets' }, { command: […], ref: 'vault:…{login}…' }, { store, remove }, or a function that stores one",
    );
});
