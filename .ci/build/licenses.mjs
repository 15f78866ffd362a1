import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { root } from './root.mjs';

/** Each bundled package with the text of its licence, as their licences ask. */
export async function gatherLicenses(inputs) {
  const folders = new Set(inputs.map((input) => /^([^:]*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1]).filter(Boolean));
  const texts = [];
  for (const folder of [...folders].sort()) {
    const { name, version, license } = JSON.parse(await readFile(path.join(root, folder, 'package.json'), 'utf8'));
    const file = (await readdir(path.join(root, folder))).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
    const text = file === undefined ? `Licence: ${license}` : await readFile(path.join(root, folder, file), 'utf8');
    texts.push(`${name} ${version}\n\n${text.trim()}\n`);
  }
  return `tenancy contains these packages.\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}`;
}
