import type { MongoClient, ServerDescription } from 'mongodb';
import { type DeploymentFault, isAbsent, isTlsFailure } from './failures.js';

/** The client library's newest picture of the servers behind a URL. */
export interface Deployment {
  /** What is wrong with it, as far as it has been seen. */
  fault(): DeploymentFault | null;
  /** Rejects as soon as no server of the URL can be talked to, rather than when the time for finding one is up. */
  readonly absence: Promise<never>;
}

export function watchDeployment(client: MongoClient): Deployment {
  let servers: readonly ServerDescription[] = [];
  let reject: (error: unknown) => void = () => undefined;
  const absence = new Promise<never>((_, rejectAbsence) => {
    reject = rejectAbsence;
  });
  absence.catch(() => undefined);
  client.on('topologyDescriptionChanged', ({ newDescription }) => {
    servers = [...newDescription.servers.values()];
    const errors = servers.map(({ type, error }) => (type === 'Unknown' ? error : null));
    if (errors.length > 0 && errors.every((error) => isAbsent(error) || isTlsFailure(error))) reject(errors[0]);
  });
  return { fault: () => findFault(servers), absence };
}

function findFault(servers: readonly ServerDescription[]): DeploymentFault | null {
  const types = new Set(servers.map(({ type }) => type));
  if (types.has('Standalone')) return 'standalone';
  if (types.has('RSGhost')) return 'not-initiated';
  const isReplicaSet = types.has('RSSecondary') || types.has('RSArbiter') || types.has('RSOther');
  return isReplicaSet && !types.has('RSPrimary') ? 'no-primary' : null;
}
