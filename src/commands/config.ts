import { describeConfig } from '../config/print.js';
import { EXIT, type ExitCode } from '../errors/define.js';
import { type ConfigValue, printConfig } from '../reporters/documents/config-document.js';
import { writeDocument } from '../reporters/documents/write-document.js';
import type { CommandContext } from './context.js';
import { loadProject } from './with-tenancy.js';

export async function runConfigPrint(context: CommandContext): Promise<ExitCode> {
  const config = await loadProject(context, 'config print');
  await writeDocument(describeConfig(config) as ConfigValue, printConfig, { ...context, ...context.globals });
  return EXIT.ok;
}
