import { TenancyError } from '../errors.js';
import type { Share } from '../util/share.js';
import type { RunFlags } from './with-tenancy.js';

/** A soak without waves would wait for nothing, and everybody would be migrated at once by somebody who meant not to. */
export function refuseIdleSoak({ soak }: RunFlags, waves: readonly Share[]): void {
  if (soak === undefined || waves.length > 0) return;
  const expected = 'waves to wait between: add --canary 1, or --waves 1,10%,100%';
  throw new TenancyError('TENANCY_OPTION_REJECTED', { option: '--soak', value: String(soak), expected });
}

/** What a retry is told anew; what it isn't told stays as the run had it. */
export function readWaveFlags(
  { canary, waves, soak }: RunFlags,
  defaults: { readonly waves: readonly Share[]; readonly soakMs: number },
): { readonly waves?: readonly Share[]; readonly soakMs?: number } {
  return {
    ...(canary === undefined && waves === undefined ? {} : { waves: defaults.waves }),
    ...(soak === undefined ? {} : { soakMs: defaults.soakMs }),
  };
}
