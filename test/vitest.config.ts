import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { SpreadFaults } from './rig/spread-faults.js';

export default defineConfig({
  test: {
    root: fileURLToPath(new URL('..', import.meta.url)),
    include: ['test/**/*.test.ts'],
    exclude: ['test/bench/**'],
    globalSetup: ['test/rig/global-setup.ts'],
    reporters: ['default', './test/rig/count-reporter.ts'],
    // Only what hangs should meet these: on a busy machine the longest tests take a minute.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    pool: 'forks',
    maxWorkers: 3,
    sequence: { sequencer: SpreadFaults },
  },
});
