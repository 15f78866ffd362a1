#!/usr/bin/env node
import module from 'node:module';

// By require: an import of `fs` loads its streams and promises too, which `--help` has no use for.
const { existsSync } = module.createRequire(import.meta.url)('node:fs');
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  stop(`tenancy needs Node.js 20.19 or newer, this is ${process.versions.node}`);
} else if (!existsSync(new URL('../dist/cli.js', import.meta.url))) {
  stop('tenancy is not built yet: npm run build');
} else {
  module.enableCompileCache?.();
  const { main } = await import('../dist/cli.js');
  await main();
}

function stop(sentence) {
  console.error(sentence);
  process.exitCode = 2;
}
