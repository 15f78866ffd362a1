import type { ExitCode } from '../errors/define.js';
import type { CommandContext } from './context.js';
export async function runInit(_context: CommandContext, _flags: object): Promise<ExitCode> { return 70; }
