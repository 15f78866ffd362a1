import type { Answers } from './ask-answers.js';
import type { KnownMigrator } from './migrators.js';

export interface ConfigFacts extends Answers {
  readonly migrator: KnownMigrator | null;
  /** The folder is Prisma's own. */
  readonly isPrismas: boolean;
  /** Files in it name the schema `public`, which is never a tenant's. */
  readonly namesPublic: boolean;
}

/** A config that works as it is. */
export function renderConfig(facts: ConfigFacts): string {
  const { server, driver } = facts;
  const variable = server.type === 'variable' ? server.variable : null;
  const url = server.type === 'variable' ? server.variable : quote(server.url);
  const lines = [
    "import { defineConfig } from 'tenancy-cli';",
    '',
    ...(variable === null
      ? []
      : [
          `const { ${variable} } = process.env;`,
          `if (!${variable}) throw new Error('the environment variable ${variable} is not set');`,
          '',
        ]),
    'export default defineConfig({',
    '  // The servers of the tenants. The registry, which knows where each tenant is, is kept on the first.',
    '  clusters: {',
    '    main: {',
    ...(url.startsWith("'embedded:")
      ? ["      // A PostgreSQL from npm, started when needed. A server of yours: 'postgres://…', or a variable."]
      : []),
    `      url: ${url},`,
    '      concurrency: 8, // tenants in flight in a run, never more',
    '    },',
    '  },',
    '  // Where a new tenant goes. The answer is recorded: to change this never moves a tenant.',
    `  placement: (tenant) => ({ cluster: 'main', driver: '${driver}', name: \`tenant_\${tenant.id.toLowerCase()}\` }),`,
    ...renderMigrations(facts),
    '});',
  ];
  return `${lines.join('\n')}\n`;
}

function renderMigrations({ driver, migrations, migrator, isPrismas, namesPublic }: ConfigFacts): readonly string[] {
  const isSchema = driver === 'postgres-schema';
  const schemas = namesPublic && isSchema ? ", schemas: { public: 'tenant' }" : '';
  const lines = [
    isPrismas ? "  // Prisma's own migrations, run in each tenant." : '  // SQL files, run in each tenant in the order of their numbers.',
    ...(schemas === '' ? [] : ['  // They name the schema "public"; here that means the tenant\'s own.']),
    ...(migrator?.call === null && !isPrismas ? migrator.advice(driver).map((line) => `  // ${line}`) : []),
    `  migrations: { directory: ${quote(migrations)}${schemas} },`,
  ];
  if (migrator === null || migrator.call === null) return lines;
  return [
    ...lines,
    `  // Or ${migrator.name} in place of \`migrations\`, each time and for every tenant (its version shows as unversioned):`,
    `  // hooks: { migrate: async ({ ${members(migrator.call(driver))} }) => { await ${migrator.call(driver)} } },`,
    ...migrator.advice(driver).map((line) => `  // ${line}`),
  ];
}

/** Of the hook's context, those that a call uses. */
function members(call: string): string {
  return ['exec', 'placement', 'url'].filter((name) => new RegExp(`\\b${name}\\b`).test(call)).join(', ');
}

function quote(text: string): string {
  return `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}
