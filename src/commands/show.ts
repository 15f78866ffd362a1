import { EXIT, type ExitCode } from '../errors/define.js';
import { printTenantShow, toTenantShowDocument } from '../reporters/documents/tenant-document.js';
import { writeDocument } from '../reporters/documents/write-document.js';
import type { CommandContext } from './context.js';
import { withTenancy } from './with-tenancy.js';

/** How much of the audit trail is shown. */
const NEWEST = 20;
const BACKUPS = 5;

export interface ShowFlags {
  readonly revealUrl?: boolean;
}

export async function runShow(context: CommandContext, id: string, { revealUrl = false }: ShowFlags): Promise<ExitCode> {
  return withTenancy(context, 'tenant show', async (tenancy) => {
    if (revealUrl) return printUrl(context, id, await tenancy.connectionUrl(id));
    const tenant = await tenancy.find(id);
    const registry = await tenancy.workspace.registry();
    // One after another: to ask at once takes a second connection, and to make that takes more round trips than are saved.
    const steps = tenant.operation ? await registry.readSteps(tenant.operation.id) : [];
    const events = await registry.listNewestEvents(tenant.id, NEWEST);
    const backups = await registry.listBackups(tenant.id, { limit: BACKUPS });
    await writeDocument(toTenantShowDocument({ tenant, steps, events, backups }), printTenantShow, { ...context, ...context.globals });
    return EXIT.ok;
  });
}

/** For a script: nothing but the URL. */
function printUrl({ stdout, globals }: CommandContext, tenant: string, url: string): ExitCode {
  stdout.write(globals.output === 'json' ? `${JSON.stringify({ v: 1, tenant, url })}\n` : `${url}\n`);
  return EXIT.ok;
}
