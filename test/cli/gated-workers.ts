import type { CliOptions, StartedCli } from '../rig/cli.js';
import { createProcessGate, type ProcessGate, until } from '../rig/gate.js';
import { findModernNode } from '../rig/modern-node.js';
import { createScene, type Scene, writeTwoClusterConfig } from './scene.js';

interface TestScope {
  onTestFinished(cleanUp: () => Promise<void>): void;
}

export const node: string | null = await findModernNode();
if (node === null) console.log('not run: workers (pg-boss needs Node.js 22.12, and npx -p node@24 brought none)');

export interface Gated extends Scene {
  readonly gate: ProcessGate;
  on(
    args: readonly string[],
    options?: Partial<CliOptions>,
  ): Promise<StartedCli & { readonly hasSaid: (text: string, times?: number) => Promise<void> }>;
}

export const ids: readonly string[] = Array.from({ length: 8 }, (_, index) => `t${index + 1}`);

/** Eight tenants whose second migration waits at a gate that tells who came, and how many at once. */
export function createGated(scope: TestScope, concurrency: number): Promise<Gated> {
  return gateScene(scope, () => createScene(scope, { concurrency }), ids);
}

/** The same over the clusters `one` and `two`: a tenant whose id begins with `two` is on the second. */
export function createGatedOnTwo(scope: TestScope, tenants: readonly string[], concurrency: number): Promise<Gated> {
  return gateScene(
    scope,
    () => createScene(scope, ({ url }) => ({ config: writeTwoClusterConfig({ url, concurrency }, { url, concurrency }) })),
    tenants,
  );
}

/** @param sql an expression of JavaScript, which may ask for `tenant`: what it runs once it is let through */
export function writeGated(gate: ProcessGate, sql = `'CREATE TABLE gated (id int)'`): string {
  return `export const up = async (db, { tenant }) => {
    await ${gate.expression('@').replace('"@"', 'tenant')};
    await db.query(${sql});
  };\n`;
}

async function gateScene(scope: TestScope, create: () => Promise<Scene>, tenants: readonly string[]): Promise<Gated> {
  const gate = await createProcessGate();
  scope.onTestFinished(() => gate.open());
  const scene = await create();
  await scene.ok(['tenant', 'provision', ...tenants]);
  await scene.write('migrations/0002_gated.mjs', writeGated(gate));
  const on: Gated['on'] = async (args, options) => {
    const cli = await scene.start(args, { node: node ?? '', timeoutMs: 150_000, ...options });
    scope.onTestFinished(async () => cli.kill('SIGKILL'));
    let said = '';
    for (const stream of [cli.stdout, cli.stderr]) stream.on('data', (chunk) => (said += String(chunk)));
    return { ...cli, hasSaid: (text, times = 1) => until(() => said.split(text).length > times, text, 90_000) };
  };
  return { ...scene, gate, on };
}
