/**
 * What to type about a tenant whose home is gone: the registry lets go of it, and a backup makes it anew. Without `--skip-backup`: what turns out to be there
 * after all is backed up before it is dropped.
 */
export function describeWayBack(id: string, isRetained: boolean): string {
  const command = isRetained ? `purge ${id} --early` : `deprovision ${id} --retain none`;
  return `\`tenancy tenant ${command}\` frees the id, and \`tenancy tenant restore ${id}\` then makes it anew from its newest backup`;
}
