import { resolveUrl } from '../config/resolve-url.js';
import type { ResolvedConfig } from '../config/types.js';
import { EXIT, type ExitCode } from '../errors/define.js';
import { TenancyError } from '../errors.js';
import { toJsonLine } from '../reporters/json-line.js';
import { redactUrl } from '../util/redact.js';
import type { CommandContext } from './context.js';
import { loadProject } from './with-tenancy.js';

interface EmbeddedPlace {
  readonly directory: string;
  readonly resolveFrom: string;
}

export interface EmbeddedFlags {
  /** Prints nothing but the URL, password and all, for another program; with a name, of that database. */
  readonly url?: boolean | string;
  readonly force?: boolean;
}

export async function runEmbeddedStart(context: CommandContext, cluster: string | undefined, flags: EmbeddedFlags): Promise<ExitCode> {
  const place = await findPlace(context, 'embedded start', cluster);
  const { startEmbedded } = await import('../embedded/index.js');
  const started = await startEmbedded({ ...place, onNotice: (text) => context.stderr.write(`${text}\n`) });
  if (flags.url) return printUrl(context, started.url, flags.url);
  print(
    context,
    {
      status: 'running',
      url: redactUrl(started.url),
      port: started.port,
      pid: started.pid,
      directory: started.directory,
      started: started.wasStarted,
    },
    `${started.wasStarted ? 'started' : 'running already'} at ${redactUrl(started.url)}, and stays up until \`tenancy embedded stop\`\nconnect with: psql "$(npx tenancy embedded status --url)"`,
  );
  return EXIT.ok;
}

export async function runEmbeddedStop(context: CommandContext, cluster: string | undefined, flags: EmbeddedFlags): Promise<ExitCode> {
  const place = await findPlace(context, 'embedded stop', cluster);
  const { stopEmbedded } = await import('../embedded/index.js');
  const { wasRunning } = await stopEmbedded({ ...place, isForced: flags.force ?? false });
  print(context, { status: 'stopped', wasRunning }, wasRunning ? 'stopped' : 'it was not running');
  return EXIT.ok;
}

export async function runEmbeddedStatus(context: CommandContext, cluster: string | undefined, flags: EmbeddedFlags): Promise<ExitCode> {
  const place = await findPlace(context, 'embedded status', cluster);
  const { readEmbeddedStatus } = await import('../embedded/index.js');
  const status = await readEmbeddedStatus(place);
  if (flags.url) {
    if (status.status === 'running') return printUrl(context, status.url, flags.url);
    throw new TenancyError('TENANCY_EMBEDDED_NOT_RUNNING', { directory: place.directory });
  }
  const document = status.status === 'running' ? { ...status, url: redactUrl(status.url) } : status;
  const text =
    status.status === 'running'
      ? `running at ${redactUrl(status.url)}, PostgreSQL ${status.version}, process ${status.pid}${status.isKeptUp ? ', kept up' : ''}`
      : status.status === 'stopped'
        ? `not running; its data is in ${place.directory}`
        : `not made yet; ${place.directory} will hold its data`;
  print(context, document, text);
  return EXIT.ok;
}

/** The embedded server of the cluster that was named; without a name, the first there is, the registry's last. */
async function findPlace(context: CommandContext, command: string, cluster: string | undefined): Promise<EmbeddedPlace> {
  const config = await loadProject(context, command);
  if (cluster !== undefined && !config.clusters[cluster]) {
    throw new TenancyError('TENANCY_OPTION_REJECTED', {
      option: 'cluster',
      value: cluster,
      expected: `one of ${Object.keys(config.clusters).join(', ')}`,
    });
  }
  for (const [where, source] of listSources(config, cluster)) {
    const url = await resolveUrl(source, where, config.root);
    if (url.startsWith('embedded:')) return { directory: url.slice('embedded:'.length), resolveFrom: config.root };
  }
  throw new TenancyError('TENANCY_EMBEDDED_NOT_CONFIGURED', { file: config.file ?? 'the config' });
}

function listSources(
  config: ResolvedConfig,
  cluster: string | undefined,
): readonly (readonly [string, ResolvedConfig['registry']['url']])[] {
  const clusters = Object.entries(config.clusters).filter(([name]) => cluster === undefined || name === cluster);
  const sources = clusters.map(([name, { url }]) => [`clusters.${name}.url`, url] as const);
  return cluster === undefined ? [...sources, ['registry.url', config.registry.url] as const] : sources;
}

/** Asked for in so many words: the one place that prints a password, to stdout and nowhere else. */
function printUrl({ stdout }: CommandContext, url: string, database: boolean | string): ExitCode {
  const asked = new URL(url);
  if (typeof database === 'string') asked.pathname = `/${encodeURIComponent(database)}`;
  stdout.write(`${asked}\n`);
  return EXIT.ok;
}

function print({ stdout, globals }: CommandContext, document: object, text: string): void {
  if (globals.output === 'json') stdout.write(`${toJsonLine({ v: 1, ...document })}\n`);
  else if (!globals.isQuiet) stdout.write(`${text}\n`);
}
