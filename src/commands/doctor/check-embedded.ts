import path from 'node:path';
import { type Finding, failedBy, ok } from './findings.js';

/** The package is installed and fits this machine, and its server comes up: which only starting it tells. */
export async function checkEmbedded(directory: string, root: string, start: () => Promise<{ readonly url: string }>): Promise<Finding> {
  try {
    const { url } = await start();
    return ok('embedded', `the embedded PostgreSQL in ${path.relative(root, directory) || '.'} answers on port ${new URL(url).port}`);
  } catch (error) {
    return failedBy('embedded', error);
  }
}
