import path from 'node:path';

/** A file that only hands on what another one has: `import{f as o}from"./chunk.js";import"./core.js";export{o as runList};`. */
const FACADE = /^import\{([^}]*)\}from"(\.\/[^"]+)";(?:import"\.\/[^"]+";)*export\{([^}]*)\};\s*$/;

/**
 * Lets whoever imports such a file lazily import the other one itself: each file costs a start half a millisecond. esbuild makes one for
 * each lazy import of what others import too.
 *
 * @param outputs esbuild's, with contents
 * @param kept names of files that are somebody's way in
 * @returns the outputs that are left
 */
export function skipFacades(outputs, banner, kept) {
  const facades = new Map();
  for (const { path: file, text } of outputs) {
    const name = path.basename(file);
    const match = kept.includes(name) ? null : FACADE.exec(text.replace(banner, '').trimStart());
    if (match === null) continue;
    const [, imported, from, exported] = match;
    const theirs = new Map(pairsOf(imported).map(([theirName, local]) => [local, theirName]));
    facades.set(name, { from, names: pairsOf(exported).map(([local, ours]) => [ours, theirs.get(local)]) });
  }
  return outputs
    .filter(({ path: file }) => !facades.has(path.basename(file)))
    .map(({ path: file, text }) => ({
      path: file,
      contents: text.replaceAll(/\bimport\("\.\/([^"]+)"\)/g, (call, name) => skip(call, facades.get(name))),
    }));
}

function skip(call, facade) {
  if (facade === undefined) return call;
  const { from, names } = facade;
  return `import("${from}").then(_=>({${names.map(([ours, theirs]) => `${ours}:_.${theirs}`).join()}}))`;
}

/** `a as b,c` as pairs of the name before and the name after. */
function pairsOf(list) {
  return list.split(',').map((item) => {
    const [before, after = before] = item.trim().split(' as ');
    return [before, after];
  });
}
