/** Where passwords may be kept. */
import * as z from 'zod/mini';
import { checkAs, explained, hook, strict, text } from './schema-parts.js';

const argv = z.array(text).check(z.minLength(1));

const secretsByFiles = (): z.ZodMiniType => strict({ directory: text });
const secretsByCommand = (): z.ZodMiniType =>
  strict({
    command: argv,
    // Each login's password has a place of its own: for a while two of a tenant's are good.
    ref: explained((value) => {
      if (typeof value !== 'string' || !/^(env|file|exec|vault):./.test(value))
        return 'expected how it is read again: vault:…, exec:…, file:… or env:…';
      return value.includes('{login}') ? null : 'expected {login} in it: while a credential is rotated, a tenant has two';
    }),
    remove: z.optional(argv),
  });
const secretsByFunctions = (): z.ZodMiniType => strict({ store: hook, remove: z.optional(hook), resolve: z.optional(hook) });

export const secrets = z.unknown().check((context) => {
  const { value } = context;
  if (typeof value === 'function') return;
  const isObject = typeof value === 'object' && value !== null;
  const shape = !isObject
    ? null
    : 'directory' in value
      ? secretsByFiles()
      : 'command' in value
        ? secretsByCommand()
        : 'store' in value
          ? secretsByFunctions()
          : null;
  if (shape === null) {
    const message =
      "expected { directory: './secrets' }, { command: […], ref: 'vault:…{login}…' }, { store, remove }, or a function that stores one";
    context.issues.push({ code: 'custom', message, input: value });
    return;
  }
  checkAs(context, shape, value);
});
