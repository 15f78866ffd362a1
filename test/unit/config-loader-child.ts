import process from 'node:process';
import type { LoadConfigOptions } from '../../src/config/load.js';
import { loadConfig } from '../../src/config/load.js';
import { isTenancyError } from '../../src/errors.js';

process.on('message', (options: LoadConfigOptions) => {
  void loadConfig(options).then(
    ({ file, config }) => process.send?.({ file, config: JSON.parse(JSON.stringify(config)) as unknown }),
    (error: unknown) => {
      const facts = isTenancyError(error) ? { code: error.code, message: error.message, hint: error.hint, exitCode: error.exitCode } : null;
      process.send?.(facts ?? { code: 'none', message: error instanceof Error ? error.stack : String(error), exitCode: 70 });
    },
  );
});
