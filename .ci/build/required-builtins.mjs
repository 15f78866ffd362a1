import { promisify } from 'node:util';

/**
 * By `import`, Node reads every export of its own modules, and some of these are getters that load more: all of `fs/promises` for `fs`,
 * stdin for `process`. By `require()` it reads none, and `process` is there anyway.
 */
export const requiredBuiltins = {
  name: 'required-builtins',
  setup: (build) => {
    // A library's module is one of its own: execa needs a class of child_process, which then is loaded, and we don't.
    build.onResolve({ filter: /^node:/ }, ({ path: name, kind, importer }) =>
      kind === 'import-statement'
        ? { path: name, namespace: importer.includes('node_modules') ? 'builtin of a library' : 'builtin', sideEffects: false }
        : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: 'builtin' }, loadBuiltin);
    build.onLoad({ filter: /.*/, namespace: 'builtin of a library' }, loadBuiltin);
  },
};

async function loadBuiltin({ path: name }) {
  const builtin = await import(name);
  const names = Object.keys(builtin).filter((key) => key !== 'default');
  return { contents: name === 'node:fs/promises' ? promisedFiles(names) : requiredBuiltin(name, names, builtin) };
}

function requiredBuiltin(name, names, loaded) {
  const builtin = name === 'node:process' ? 'process' : `require('${name}')`;
  // Most commands come to an end without any of these: their functions load them when they are called.
  const isLate = ['node:child_process', 'node:crypto', 'node:net', 'node:os', 'node:timers/promises'].includes(name);
  const isFunction = (key) => /^[a-z]/.test(key) && !['constants', 'webcrypto', 'subtle'].includes(key);
  const later = (key) => {
    const call = `(...args) => load().${key}(...args)`;
    // `promisify(execFile)` gives what it writes, and not the first that its callback is told.
    if (loaded[key][promisify.custom] === undefined) return call;
    return `Object.assign(${call}, { [promise]: (...args) => load().${key}[promise](...args) })`;
  };
  return [
    `const load = () => ${builtin};`,
    "const promise = /* @__PURE__ */ Symbol.for('nodejs.util.promisify.custom');",
    'export default /* @__PURE__ */ load();',
    ...names.map((key) =>
      isLate && isFunction(key)
        ? `export const ${key} = /* @__PURE__ */ (() => ${later(key)})();`
        : `export const ${key} = /* @__PURE__ */ (() => load().${key})();`,
    ),
  ].join('\n');
}

/** `fs/promises` brings watchers, readline and more along, 5 ms; what looks for a config and reads it is in `fs` too. */
function promisedFiles(names) {
  const plain = ['access', 'lstat', 'readdir', 'readFile', 'realpath', 'stat'];
  return [
    "import { promisify } from 'node:util';",
    "export const constants = /* @__PURE__ */ (() => require('node:fs').constants)();",
    ...names
      .filter((key) => key !== 'constants')
      .map((key) =>
        plain.includes(key)
          ? `export const ${key} = /* @__PURE__ */ promisify(require('node:fs').${key});`
          : `export const ${key} = (...args) => require('node:fs/promises').${key}(...args);`,
      ),
  ].join('\n');
}
