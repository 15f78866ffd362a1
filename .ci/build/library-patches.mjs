// What libraries load as they are loaded themselves, and we need late or never.
import { readFile } from 'node:fs/promises';

/** Replaces a line of a library's, and fails where the library no longer has it. */
const patch = (name, filter, line, replacement) => ({
  name,
  setup: (build) => {
    build.onLoad({ filter }, async ({ path: file }) => {
      const source = await readFile(file, 'utf8');
      if (!source.includes(line)) throw new Error(`${file} no longer has the line that ${name} replaces`);
      return { contents: source.replace(line, replacement) };
    });
  },
});

/** commander loads child_process for subcommands that are programs of their own, which we have none of: a tenth of `--help`. */
export const lazyChildProcess = patch(
  'lazy-child-process',
  /commander[\\/]lib[\\/]command\.js$/,
  "const childProcess = require('node:child_process');",
  "const childProcess = { get spawn() { return require('node:child_process').spawn; } };",
);

/** pg looks up a host itself only for the native client, which we never take. */
export const lazyDns = patch(
  'lazy-dns',
  /pg[\\/]lib[\\/]connection-parameters\.js$/,
  "const dns = require('dns')\n",
  "const dns = { lookup: (...args) => require('dns').lookup(...args) }\n",
);

/** pg looks for crypto of both kinds when it is loaded, 10 ms, and uses them only where a password is asked for. */
export const lazyPgCrypto = {
  name: 'lazy-pg-crypto',
  setup: (build) => {
    build.onLoad({ filter: /pg[\\/]lib[\\/]crypto[\\/]utils\.js$/ }, async ({ path: file }) => {
      const source = await readFile(file, 'utf8');
      const eager = [
        "const nodeCrypto = require('crypto')\n",
        'const webCrypto = nodeCrypto.webcrypto || globalThis.crypto\n',
        'const subtleCrypto = webCrypto.subtle\n',
      ];
      const rest = eager.reduce((text, line) => {
        if (!text.includes(line)) throw new Error(`${file} no longer loads crypto as it did`);
        return text.replace(line, '');
      }, source);
      const contents = rest
        .replaceAll(/\bnodeCrypto\b/g, "require('crypto')")
        .replaceAll(/\bsubtleCrypto\b/g, "require('crypto').webcrypto.subtle")
        .replaceAll(/\bwebCrypto\b/g, "require('crypto').webcrypto");
      return { contents };
    });
  },
};
