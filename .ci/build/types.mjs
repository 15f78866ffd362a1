import { spawn } from 'node:child_process';
import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { root } from './root.mjs';

/** Declarations only: `npm run check` is what checks types. */
export async function declareTypes() {
  const tsc = fileURLToPath(import.meta.resolve('typescript/bin/tsc'));
  const types = path.join(root, 'dist/types');
  await run(process.execPath, [tsc, '-p', path.join(root, 'tsconfig.build.json')]);
  const wanted = new Set();
  await follow(path.join(types, 'src/index.d.ts'), wanted);
  await follow(path.join(types, 'hooks/index.d.ts'), wanted);
  for (const entry of await readdir(types, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    if (entry.isFile() && !wanted.has(file)) await rm(file, { force: true });
  }
}

/** The declarations that an entry point reaches; the rest speak of libraries that users need not have. */
async function follow(file, wanted) {
  if (wanted.has(file)) return;
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return;
  wanted.add(file);
  for (const [, specifier] of text.matchAll(/(?:from|import)\s*\(?\s*['"](\.[^'"]+)\.js['"]/g)) {
    await follow(path.join(path.dirname(file), `${specifier}.d.ts`), wanted);
  }
}

function run(file, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd: root, stdio: 'inherit' });
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`${path.basename(args[0])} ended with ${code}`))));
  });
}
