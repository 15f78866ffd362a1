import type { Palette } from '../../reporters/palette.js';
import { sanitizeLine } from '../../reporters/sanitize.js';

/** `tenancy init`. */
export interface InitDocument {
  readonly v: 1;
  readonly config: string;
  readonly driver: string;
  /** As the config has it: `embedded:DIR`, a URL without a password, or `env:NAME`. */
  readonly url: string;
  /** The folder of the built-in migrator; null where the config has the user's own migrator run. */
  readonly migrations: string | null;
  /** The user's own migrator, where package.json or a folder tells of one. */
  readonly migrator: string | null;
  /** Files that were made, in that order. */
  readonly written: readonly string[];
  /** What was added to .gitignore. */
  readonly ignored: readonly string[];
  readonly notes: readonly string[];
  /** Packages to install first. */
  readonly missing: readonly string[];
  /** Commands to go on with, in that order. */
  readonly next: readonly string[];
}

export function printInit({ written, ignored, notes, next }: InitDocument, palette: Palette): readonly string[] {
  const done = palette.green('✔');
  return [
    ...written.map((file) => `${done} wrote ${sanitizeLine(file)}`),
    ...(ignored.length === 0 ? [] : [`${done} added ${sanitizeLine(ignored.join(' and '))} to .gitignore`]),
    ...notes.map((note) => `${palette.yellow('!')} ${sanitizeLine(note)}`),
    '',
    'Next:',
    ...next.map((command) => `  ${palette.cyan(sanitizeLine(command))}`),
  ];
}
