#!/usr/bin/env node
const [major, minor] = process.versions.node.split('.').map(Number);
// By this function Node 20.16 and 22.3 hand out modules of their own, and 21 and 22.0 don't.
if (major < 20 || (major === 20 && minor < 19) || process.getBuiltinModule === undefined) {
  stop(`tenancy needs Node.js 20.19, 22.3 or newer, this is ${process.versions.node}`);
} else if (!process.getBuiltinModule('node:fs').existsSync(new URL('../dist/cli.js', import.meta.url))) {
  stop('tenancy is not built yet: npm run build');
} else {
  // Not by import, which would read all that `module` and `fs` export, and load what some of it needs.
  process.getBuiltinModule('node:module').enableCompileCache?.();
  const { main } = await import('../dist/cli.js');
  await main();
}

function stop(sentence) {
  console.error(sentence);
  process.exitCode = 2;
}
