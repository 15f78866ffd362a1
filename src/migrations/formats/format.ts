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
  /** The name that the tool itself has for it, where its history is to be kept too. */
  readonly mirror?: { readonly type: 'prisma'; readonly name: string };
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
  /** `number`: by leading number where all have one, each number once. `name`: bytewise. `found`: as `find` gives them. */
  readonly order: 'number' | 'name' | 'found';
  /** For `auto`: whether the directory looks like this one; one that looks like two is refused. */
  recognises(entries: readonly Entry[]): boolean;
  /** Finds the migrations, and refuses what looks like one but can't be. */
  find(entries: readonly Entry[]): readonly FoundMigration[];
  /**
   * What is sent of a file's text; the checksum stays that of the file. Every line and column stays where it is, since errors name them.
   * @param file for messages
   */
  prepare?(sql: string, file: string): string;
}
