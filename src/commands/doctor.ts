import type { ExitCode } from '../errors/define.js';
import type { CommandContext } from './context.js';
export async function runDoctor(_context: CommandContext): Promise<ExitCode> { return 70; }
