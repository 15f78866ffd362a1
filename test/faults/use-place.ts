import { afterAll, beforeAll } from 'vitest';
import { createSandboxProject, type SandboxDriver, type SandboxProject, type SandboxProjectOptions } from '../rig/sandbox.js';
import type { SweptCommand } from './sweep.js';

/** One command, by one driver, in one project. */
export interface Swept {
  readonly driver: SandboxDriver;
  readonly command: SweptCommand;
  readonly project: SandboxProjectOptions;
}

/** What is tried, and on what. */
export interface FaultSuite {
  /** One for the suite alone. */
  startServer(): Promise<{ readonly url: string; stop(): Promise<void> }>;
  readonly swept: readonly Swept[];
}

export interface FaultPlace {
  /** Only within tests. */
  readonly serverUrl: string;
  projectOf(swept: Pick<Swept, 'project'>): SandboxProject;
}

/** Within a `describe`: a server, and each project that is named once. */
export function usePlace({
  startServer,
  swept,
}: Pick<FaultSuite, 'startServer'> & { readonly swept: readonly Pick<Swept, 'project'>[] }): FaultPlace {
  const projects = new Map<SandboxProjectOptions, SandboxProject>();
  let server: Awaited<ReturnType<FaultSuite['startServer']>> | undefined;
  beforeAll(async () => {
    server = await startServer();
    for (const { project } of swept) if (!projects.has(project)) projects.set(project, await createSandboxProject(project));
  });
  afterAll(async () => {
    await Promise.all([...projects.values()].map((project) => project.remove()));
    await server?.stop();
  });
  return {
    get serverUrl() {
      return server?.url ?? '';
    },
    projectOf: ({ project }) => {
      const opened = projects.get(project);
      if (opened === undefined) throw new Error('projects are there within tests only');
      return opened;
    },
  };
}
