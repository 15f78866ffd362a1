import process from 'node:process';

/** Runs the command line. */
export async function main(): Promise<void> {
  process.stderr.write('tenancy: nothing to run yet\n');
}
