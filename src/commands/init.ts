import path from 'node:path';
import { findConfig } from '../config/find-config.js';
import { EXIT, type ExitCode } from '../errors/define.js';
import { isTenancyError, TenancyError } from '../errors.js';
import { writeDocument } from '../reporters/documents/write-document.js';
import type { CommandContext } from './context.js';
import { type Answers, askAnswers, type InitFlags } from './init/ask-answers.js';
import { type DetectedProject, detectProject, findMissingPackages } from './init/detect-project.js';
import { planGitignore } from './init/gitignore.js';
import { type InitDocument, printInit } from './init/init-document.js';
import { type MigrationsPlan, planMigrations } from './init/plan-migrations.js';
import { isEmbedded } from './init/read-url.js';
import { renderConfig } from './init/render-config.js';
import { writeFiles } from './init/write-files.js';

const FIRST_FOLDER = './migrations/tenant';

/** Writes a config that works as it is, and a first migration where there is none; never overwrites, and writes all or nothing. */
export async function runInit(context: CommandContext, flags: InitFlags): Promise<ExitCode> {
  const { cwd } = context;
  const above = await refuseExistingConfig(cwd);
  const project = await detectProject(cwd);
  const answers = await askAnswers(context, flags, { migrations: project.prismaMigrations ?? FIRST_FOLDER });
  const serverUrl = answers.server.type === 'literal' ? answers.server.url : null;
  const [migrations, ignore] = await Promise.all([planMigrations(cwd, answers.migrations, answers.driver), planGitignore(cwd, serverUrl)]);

  const isPrismas = answers.migrations === project.prismaMigrations;
  const config = {
    file: project.configFile,
    text: renderConfig({ ...answers, ...project, ...migrations, isPrismas, migrations: answers.migrations }),
  };
  const files = [...migrations.files, config];
  await writeFiles(cwd, files, ignore);

  const missing = findMissingPackages(cwd, isEmbedded(answers.server));
  const document: InitDocument = {
    v: 1,
    config: config.file,
    driver: answers.driver,
    url: serverUrl ?? `env:${answers.server.type === 'variable' ? answers.server.variable : ''}`,
    migrations: answers.migrations,
    migrator: project.migrator?.name ?? null,
    written: files.map(({ file }) => path.posix.normalize(file)),
    ignored: ignore?.entries ?? [],
    notes: listNotes(project, answers, migrations, above),
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

function listNotes(
  project: DetectedProject,
  { server, migrations: directory, driver }: Answers,
  plan: MigrationsPlan,
  above: string | null,
): readonly string[] {
  const notes: string[] = [];
  if (plan.found > 0)
    notes.push(`${directory} has ${plan.found} ${plan.found === 1 ? 'migration' : 'migrations'} already, and is used as it is`);
  if (plan.namesPublic && driver === 'postgres-schema')
    notes.push('some of them name the schema "public": in the config it stands for the tenant\'s own');
  if (plan.problem !== null) notes.push(`${directory} is left as it is, but can't be used yet: ${plan.problem}`);
  if (project.migrator?.call)
    notes.push(`${project.migrator.name} is in package.json: the config says in a comment how a hook runs it for each tenant`);
  if (server.type === 'variable' && server.isHidden)
    notes.push(`the URL has a password, so it was not written: the config reads ${server.variable}`);
  if (above !== null) notes.push(`from this folder the new config is used, no longer ${above}`);
  return notes;
}

function listNext({ env }: CommandContext, { server }: Answers, missing: readonly string[]): readonly string[] {
  const isUnset = server.type === 'variable' && !env[server.variable];
  return [
    ...(missing.length === 0 ? [] : [`npm i -D ${missing.join(' ')}`]),
    ...(isUnset ? [`export ${server.variable}='postgres://…'`] : []),
    'npx tenancy doctor',
    'npx tenancy tenant provision acme',
  ];
}
