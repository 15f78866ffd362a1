/** What of a home can be told from another's. */
export interface HomeInspection {
  /** Everything that migrations make, in a fixed order; null where it was not asked for. Comments, rows, owners and rights are left out. */
  readonly structure: readonly StructureItem[] | null;
  /** How the engine writes the home's own name in the definitions of `structure`. */
  readonly nameInText: string;
  /** The same between quotation marks, as a migration may have written it. */
  readonly quotedName: string;
  /** Those that the engine doesn't use, and that stand for a rebuild that was broken off. */
  readonly invalidIndexes: readonly { readonly name: string; readonly table: string; readonly canMend: boolean }[];
  /** On the home itself and not on what is in it; its owner's are left out. */
  readonly rights: readonly HomeRight[];
  /** What the tenant's own logins lack of what `logins.grant` gives, the first of it; empty where it has none. */
  readonly lacking: readonly string[];
}

export interface StructureItem {
  /** In the engine's words: `table`, `column`, `index`, `validator`. */
  readonly kind: string;
  readonly name: string;
  /** What it is a part of: `table invoices`; what is said of that is said of it too. */
  readonly of: string | null;
  /** All that makes it different from another of its name. */
  readonly definition: string;
  /** The engine makes it by itself for whoever writes into it: one that the migrations don't make is no drift. @default false */
  readonly isImplicit?: boolean;
}

export interface HomeRight {
  /** Null: everybody. */
  readonly grantee: string | null;
  /** On what, and which: `USAGE on the schema`. Doesn't name the home. */
  readonly right: string;
  /** What takes it away: a statement, where `mend` can send it. */
  readonly revoke: string;
  /** Of a pattern that covers other homes too: one of them. */
  readonly covers?: string;
}

export type Mendable = { readonly type: 'index'; readonly name: string } | { readonly type: 'right'; readonly right: HomeRight };
