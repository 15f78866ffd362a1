import { describe, it } from 'vitest';
import { race } from './race.js';
import { arrange, assertEnd, checksumBystanders } from './sweep.js';
import { type FaultSuite, usePlace } from './use-place.js';

export function describeRace(suite: FaultSuite): void {
  describe('7 race: of eight processes that do the same to one tenant, one does it', { timeout: 240_000 }, () => {
    const place = usePlace(suite);

    it.each([...suite.swept])('$command.name by $driver', async ({ driver, command, project }) => {
      const sandbox = await place.projectOf({ project }).open(place.serverUrl, driver);
      try {
        await arrange(sandbox, command);
        const bystanders = await checksumBystanders(sandbox, command);
        await race(sandbox, command);
        await assertEnd(sandbox, command, bystanders);
      } finally {
        await sandbox.drop();
      }
    });
  });
}
