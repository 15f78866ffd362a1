/** One file of one migration, found but not read. */
export interface FoundFile {
  readonly type: 'sql' | 'module';
  /** Absolute. */
  readonly path: string;
}

/** One migration as a format finds it in its folder. */
export interface FoundMigration {
  readonly name: string;
  readonly up: FoundFile;
  readonly down: FoundFile | null;
}

/** An entry of the directory; links are followed. */
export interface Entry {
  readonly name: string;
  readonly path: string;
  readonly type: 'file' | 'directory' | 'other';
}

/**
 * How a folder of migrations is laid out. To add one: implement this in a file of its own, enter it into `formats/index.ts`
 * and its name into `SqlMigrationsOptions`.
 */
export interface MigrationFormat {
  readonly name: string;
  /** `number`: by leading number where all have one, each number once. `name`: bytewise. */
  readonly order: 'number' | 'name';
  /** For `auto`: whether the directory looks like this one; the first in the table that says so is taken. */
  recognises(entries: readonly Entry[]): Promise<boolean>;
  /** Finds the migrations, in any order, and refuses what looks like one but can't be. */
  find(entries: readonly Entry[]): Promise<readonly FoundMigration[]>;
}
