import { describe, expect, test } from 'vitest';
import { assertDocument } from '../rig/events-schema.js';
import { createScene } from './scene.js';

interface Status {
  readonly tenants: number;
  readonly target: string;
  readonly behind: number;
  readonly withError: number;
  readonly laggards: readonly { readonly id: string }[];
  readonly failures: readonly { readonly id: string }[];
}

describe.concurrent('status', () => {
  test('names the first few that are behind and that failed, each once, and nobody where all is well', async (scope) => {
    const scene = await createScene(scope);
    const read = async (): Promise<readonly unknown[]> => {
      const { exitCode, stdout } = await scene.run(['status', '--json', '--exit-code']);
      const { behind, withError, laggards, failures } = assertDocument<Status>('fleetStatus', stdout);
      return [exitCode, behind, laggards.map(({ id }) => id), withError, failures.map(({ id }) => id)];
    };
    await scene.ok(['registry', 'init']);
    expect(await read()).toEqual([0, 0, [], 0, []]);
    const ids = Array.from({ length: 12 }, (_, index) => `t${String(index).padStart(2, '0')}`);
    await scene.ok(['tenant', 'provision', ...ids]);
    expect(await read()).toEqual([0, 0, [], 0, []]);

    // Of all that are behind one has failed, and one is on its way out: neither is a laggard.
    await scene.write('migrations/0002_b.sql', 'SELECT 1;');
    await scene.ok(['tenant', 'suspend', 't01']);
    await scene.ok(['tenant', 'deprovision', 't02', '--skip-backup', '--confirm', 't02']);
    await scene.db.query(
      `UPDATE tenancy.tenants SET last_error = '{"code":"TENANCY_HOOK_FAILED","message":"no","step":null,"at":"2026-01-01T00:00:00Z"}' WHERE id = 't00'`,
    );
    expect(await read()).toEqual([3, 11, ids.slice(1).filter((id) => id !== 't02'), 1, ['t00']]);
    const words = (await scene.ok(['status'])).stdout;
    expect(words).toContain('t11');

    await scene.ok(['tenant', 'migrate', '--all']);
    expect(await read()).toEqual([0, 0, [], 0, []]);
    // The newest version's name, and another history.
    await scene.db.query(`UPDATE tenancy.tenants SET migrations_hash = 'other' WHERE id = 't05'`);
    expect(await read()).toEqual([3, 0, ['t05'], 0, []]);
  });
});
