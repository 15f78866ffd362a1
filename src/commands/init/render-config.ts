import { engineOf } from '../../drivers/names.js';
import type { Answers } from './ask-answers.js';
import type { OwnMigrator } from './find-migrator.js';
import { quote } from './migrators.js';
import { isEmbedded } from './read-url.js';

export interface ConfigFacts extends Answers {
  readonly migrator: OwnMigrator | null;
  /** Files in the folder name the schema `public`, which is never a tenant's. */
  readonly namesPublic: boolean;
}

/** A config that works as it is. */
export function renderConfig(facts: ConfigFacts): string {
  const { server, driver, migrator } = facts;
  const variable = server.type === 'variable' ? server.variable : null;
  const url = server.type === 'variable' ? server.variable : quote(server.url);
  const lines = [
    "import { defineConfig } from 'tenancy-cli';",
    ...(migrator?.use === 'hook' ? [`import { ${migrator.preset} } from 'tenancy-cli/hooks';`] : []),
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
    ...(isEmbedded(server)
      ? ["      // A PostgreSQL from npm, started when needed. A server of yours: 'postgres://…', or a variable."]
      : []),
    `      url: ${url},`,
    '      concurrency: 8, // tenants in flight in a run, never more',
    '    },',
    '  },',
    '  // Where a new tenant goes. The answer is recorded: to change this never moves a tenant.',
    `  placement: (tenant) => ({ cluster: 'main', driver: '${driver}', name: \`tenant_\${tenant.id.toLowerCase()}\` }),`,
    ...(migrator?.use === 'hook' ? renderHook(migrator) : [...renderMigrations(facts), ...renderComment(migrator)]),
    '});',
  ];
  return `${lines.join('\n')}\n`;
}

function renderHook({ name, call }: OwnMigrator): readonly string[] {
  return [`  // ${name}, for each tenant that isn't at the newest version.`, `  hooks: { migrate: ${call} },`];
}

function renderMigrations({ driver, migrations, migrator, namesPublic }: ConfigFacts): readonly string[] {
  const schemas = namesPublic && driver === 'postgres-schema' ? ", schemas: { public: 'tenant' }" : '';
  const files = engineOf(driver) === 'mongodb' ? 'Modules' : 'SQL files';
  return [
    migrator?.use === 'folder'
      ? `  // ${migrator.name}'s own migrations, run in each tenant.`
      : `  // ${files}, run in each tenant in the order of their numbers.`,
    ...(schemas === '' ? [] : ['  // They name the schema "public"; here that means the tenant\'s own.']),
    `  migrations: { directory: ${quote(migrations ?? '')}${schemas} },`,
  ];
}

/** A line that works when it is taken out of its comment, in place of `migrations`; it imports what it needs by itself. */
function renderComment(migrator: OwnMigrator | null): readonly string[] {
  if (migrator === null) return [];
  const { name, preset, call, use, file, isReadAsItIs } = migrator;
  if (use === 'comment' && isReadAsItIs) {
    return [
      `  // ${name}'s own are read as they are: once there are some, this in place of that.`,
      `  // migrations: { directory: ${quote(file ?? '')} },`,
    ];
  }
  if (preset === null) {
    return [
      `  // Or ${name} in place of \`migrations\`, each time and for every tenant (its version shows as unversioned).`,
      `  // hooks: { migrate: async ({ url }) => { await ${call} } },`,
      '  // createUmzug is yours: an Umzug on that URL, which leads into the tenant, with its storage there too.',
    ];
  }
  return [`  // Or ${name} itself, in place of \`migrations\`.`, `  // hooks: { migrate: (await import('tenancy-cli/hooks')).${call} },`];
}
