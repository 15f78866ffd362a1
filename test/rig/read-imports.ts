import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

/** One import of a source file, as it is written. */
export interface SourceImport {
  /** Relative to the repository, with forward slashes. */
  readonly from: string;
  /** A source file of ours in the same way, or the name of a library or of a module of Node's. */
  readonly to: string;
  /** `type` leaves nothing in the program; `lazy` is an `import()` that runs when it is reached. */
  readonly type: 'type' | 'eager' | 'lazy';
}

export interface SourceFile {
  readonly file: string;
  readonly imports: readonly SourceImport[];
  /** Which of the names for the process, the terminal and the clock it uses. */
  readonly machineNames: readonly string[];
}

/** Reads all TypeScript files of some folders of the repository. */
export function readImports(root: string, folders: readonly string[]): SourceFile[] {
  return folders
    .flatMap((folder) =>
      readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => path.posix.join(folder, file)),
    )
    .filter((file) => file.endsWith('.ts'))
    .sort()
    .map((file) => readSource(file, readFileSync(path.join(root, file), 'utf8')));
}

function readSource(file: string, text: string): SourceFile {
  const imports: SourceImport[] = [];
  const machineNames = new Set<string>();
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
      imports.push(toImport(file, node.moduleSpecifier, isTypeOnly(node) ? 'type' : 'eager'));
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword && node.arguments[0]) {
      imports.push(toImport(file, node.arguments[0], 'lazy'));
    }
    const name = machineNameOf(node);
    if (name !== undefined) machineNames.add(name);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true));
  return { file, imports, machineNames: [...machineNames] };
}

function toImport(from: string, specifier: ts.Expression, type: SourceImport['type']): SourceImport {
  const text = ts.isStringLiteral(specifier) ? specifier.text : '(computed)';
  const isOwn = text.startsWith('.');
  return { from, to: isOwn ? path.posix.join(path.posix.dirname(from), text).replace(/\.js$/, '.ts') : text, type };
}

function isTypeOnly(node: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  if (ts.isExportDeclaration(node)) return node.isTypeOnly;
  const clause = node.importClause;
  if (clause === undefined || clause.name) return false;
  const named = clause.namedBindings;
  return clause.isTypeOnly || (named !== undefined && ts.isNamedImports(named) && named.elements.every((element) => element.isTypeOnly));
}

function machineNameOf(node: ts.Node): string | undefined {
  if (ts.isIdentifier(node) && ['process', 'console', 'performance'].includes(node.text)) {
    const isMember = ts.isPropertyAccessExpression(node.parent) && node.parent.name === node;
    const isKey = ts.isPropertyAssignment(node.parent) || ts.isPropertySignature(node.parent) || ts.isTypeReferenceNode(node.parent);
    return isMember || isKey ? undefined : node.text;
  }
  if (ts.isPropertyAccessExpression(node) && node.getText() === 'Date.now') return 'Date.now';
  return ts.isNewExpression(node) && node.expression.getText() === 'Date' && !node.arguments?.length ? 'new Date()' : undefined;
}
