import os from 'node:os';
import { type Figure, printFigures } from './figure.js';

/** What a section of docs/benchmarks.md says beside its figures, by the benchmark's name. */
const SECTIONS: Readonly<Record<string, { readonly title: string; readonly notes: string }>> = {
  'start-up': {
    title: 'Start-up',
    notes: `- \`NODE_EXTRA_CA_CERTS\` is unset: on Node 20 it costs every start 130 ms, on both sides.
- \`status\` has to know where the fleet should be: besides the registry it reads the project's migrations, 13 of them here, and hashes them, for which Node loads all of its crypto, while the server answers.
- The dearer a bare start is on a machine, the smaller are the ratios. Where Node 24 starts in 29 ms instead of 86, a build that took a tenth longer beyond that had 2.7 to 2.8, and \`status\` 3.2.`,
  },
  migrate: {
    title: 'Many migrations',
    notes: `- **Bare script**: \`test/bench/rival.ts\`, the same SQL and a history row each over a \`pg\` pool, all twelve transactions of a tenant as one message; no
  registry, no lease, no fence, no check of the history.
- **Plain loop of umzug**: the same file, for each migration \`BEGIN\`, the file, the history row and \`COMMIT\` as a round trip each, at the same concurrency.
- The delay comes from a TCP proxy in front of the server, for registry and tenants alike.`,
  },
  nothing: {
    title: 'Nothing to do',
    notes:
      'The tenants beyond the first are rows of the registry alone: no command here may look at a home. Connections are counted by a TCP proxy in front of the server.',
  },
  schemas: {
    title: 'Two thousand schemas',
    notes:
      'The bare script is that of "Many migrations". Each side runs at the concurrency that suits it best, found on 200 schemas first.',
  },
  peers: {
    title: 'Other migrators',
    notes: `Each over schemas of its own with the same twelve migrations, in a process that is timed whole. Where a tool has nothing for many tenants or for concurrency, it is called
for one after the other, as its users do; \`umzug\` is the plain loop of "Many migrations", four at a time.`,
  },
  'fan-out': {
    title: 'Ten thousand tenants through the fan-out',
    notes: `The migrator is a hook that waits 20 ms, so that what is measured is the tool: selection, leases, outcomes, events, the screen. A stall is how much later than asked for a timer
fired between the first tenant and the end, by \`monitorEventLoopDelay\`. The terminal is one of python3's \`pty\`, 120 columns wide.`,
  },
  memory: {
    title: 'Memory over the size of the fleet',
    notes:
      'Peak of the resident set, as the kernel tells a process of itself (`maxRSS`). The hook is that of the fan-out without the wait: tenants without a home, the registry in PostgreSQL.',
  },
  provision: {
    title: 'Provisioning',
    notes: `\`createTenancy()\` in one process, its \`provision()\` timed whole: registered, leased, created, verified and activated, with its run and its journal in the registry.
The bare statement copies the same template over a connection that is open already. Each migration is a table with two indexes.
What tenancy adds hardly depends on the size of the template: the faster the machine copies one, the larger is its share.`,
  },
  workers: {
    title: 'Many workers',
    notes: `Everything is on one machine: the server, the command that follows and the workers, all on Node 24, share its cores. The migrator of the first two lines is a hook that waits 100 ms and holds a
connection to a counter meanwhile; workers are up before the command starts. In the others it is a file with \`pg_sleep\`, over real schemas. The time after a kill is that of the queue to
take the worker for dead (30 s), which only its slots wait for: its tenants are free once their leases end, 15 s after it.`,
  },
  sleep: { title: 'Many tenants at once', notes: 'Start-up is the same command with nothing to do.' },
  presets: {
    title: 'Every migrator that runs in process',
    notes: `Start-up is the same command over one tenant, less its sleep. Knex, Kysely and Sequelize ask the server's catalogue a dozen questions for each tenant, on a connection
that is new, which keeps two cores busy while nobody sleeps: Knex alone, ten at a time in a bare script with a pool for each schema, takes 1.07 to 1.19 s, its loading not counted.
Kysely alone takes 8.9 s for the forty, and node-pg-migrate fails 39 of them, as their own locks are for a whole database. In the second half, tenants that have everything
are asked for what they have in process, and others of them by the tool's own program, started for each. Tenants in MongoDB are on the
[stand-in](../CONTRIBUTING.md#tests) of the tests, where there is no \`mongod\`.`,
  },
};

/** One benchmark's section, with what it was measured on: each may have been run on another day. */
export function printSection(name: string, figures: readonly Figure[]): string {
  const { title = name, notes = '' } = SECTIONS[name] ?? {};
  const [cpu] = os.cpus();
  return `## ${title}

${printFigures(figures)}

${notes}

Measured on ${os.cpus().length} cores (${cpu?.model.trim() ?? 'unknown'}), ${os.platform()}, Node ${process.versions.node}.
`;
}

/** The page with this benchmark's section in place of the one that it has. */
export function replaceSection(page: string, name: string, section: string): string {
  const heading = `## ${SECTIONS[name]?.title ?? name}\n`;
  const start = page.indexOf(`\n${heading}`) + 1;
  if (start === 0) return `${page.trimEnd()}\n\n${section}`;
  const next = page.indexOf('\n## ', start + heading.length);
  return `${page.slice(0, start)}${section}${next < 0 ? '' : page.slice(next)}`;
}
