import { describe, expect, test } from 'vitest';
import { isTenancyError } from '../../src/errors.js';
import type { LocalMigration, MigrationProgress, TenantHistory, TenantMigrationPlan } from '../../src/migrations/migration.js';
import { chooseOrder } from '../../src/migrations/order.js';
import { type PlanInput, planMigrations, resolveTarget } from '../../src/migrations/plan.js';
import { digestOfSent, digestsOfSent } from '../../src/migrations/plan-progress.js';

/** `name`, or `name=text` for another text than the name; `!` at the end for one without a way back; with `.ts` in its name a module. */
function file(spec: string): LocalMigration {
  const [name = '', text = name] = spec.replace('!', '').split('=');
  const shared = { file: name.endsWith('.ts') ? name : `${name}.sql`, isTransactional: true };
  const script = name.endsWith('.ts')
    ? ({ ...shared, type: 'module', run: () => Promise.resolve() } as const)
    : ({ ...shared, type: 'sql', sql: 'SELECT 1' } as const);
  return { name, file: `${name}.sql`, checksum: text, up: script, down: spec.endsWith('!') ? null : script };
}

function recorded(spec: string): { name: string; checksum: string; appliedAt: Date; durationMs: number; runId: null } {
  const { name, checksum } = file(spec);
  return { name, checksum, appliedAt: new Date(0), durationMs: 1, runId: null };
}

const words = (text: string): string[] => text.split(' ').filter((word) => word !== '');

type Options = Partial<Pick<PlanInput, 'direction' | 'to' | 'allowOutOfOrder'>> & { progress?: Partial<MigrationProgress> };

function plan(local: string, applied: string, { progress, ...options }: Options = {}): TenantMigrationPlan {
  const history: TenantHistory = {
    applied: words(applied).map(recorded),
    seeds: [],
    progress: progress === undefined ? null : { name: '', checksum: progress.name ?? '', statementsDone: 1, state: 'between', ...progress },
    fence: 1,
  };
  return planMigrations({ local: words(local).map(file), history, direction: 'up', to: null, allowOutOfOrder: false, ...options });
}

function show({ from, to, steps, ahead }: TenantMigrationPlan): string {
  const parts = [`${from} -> ${to}:`, ...steps.map(({ name }) => name), ...(ahead.length > 0 ? [`(ahead: ${ahead.join(' ')})`] : [])];
  return parts.join(' ');
}

function refusal(attempt: () => TenantMigrationPlan): { code: string; message: string; hint: string | undefined } {
  try {
    return { code: 'none', message: show(attempt()), hint: undefined };
  } catch (error) {
    if (!isTenancyError(error)) throw error;
    return { code: error.code.replace('TENANCY_MIGRATION_', ''), message: error.message, hint: error.hint };
  }
}

const down = (to: string | null): Options => ({ direction: 'down', to });

describe('up', () => {
  test.each<[string, string, Options, string]>([
    ['1_a 2_b 3_c', '', {}, 'null -> 3_c: 1_a 2_b 3_c'],
    ['1_a 2_b 3_c', '1_a', {}, '1_a -> 3_c: 2_b 3_c'],
    ['1_a 2_b 3_c', '1_a 2_b 3_c', {}, '3_c -> 3_c:'],
    ['1_a 2_b 3_c', '1_a', { to: '2_b' }, '1_a -> 2_b: 2_b'],
    ['1_a 2_b 3_c', '1_a', { to: '2' }, '1_a -> 2_b: 2_b'],
    ['1_a 2_b 3_c', '1_a', { to: '0002' }, '1_a -> 2_b: 2_b'],
    ['1_a 2_b 3_c', '1_a 2_b', { to: '2_b' }, '2_b -> 2_b:'],
    ['0002_b 00010_c', '0002_b', {}, '0002_b -> 00010_c: 00010_c'],
    ['', '', {}, 'null -> null:'],
  ])('files %s, applied %s, %o', (local, applied, options, expected) => {
    expect(show(plan(local, applied, options))).toBe(expected);
  });
});

describe('ahead', () => {
  test.each<[string, string, Options, string]>([
    ['1_a 2_b', '1_a 2_b 3_c 4_d', {}, '4_d -> 4_d: (ahead: 3_c 4_d)'],
    ['1_a 2_b', '1_a 2_b 10_c', { to: '2_b' }, '10_c -> 10_c: (ahead: 10_c)'],
    ['9_a', '9_a 10_b', {}, '10_b -> 10_b: (ahead: 10_b)'],
    ['a b', 'a b c', {}, 'c -> c: (ahead: c)'],
  ])('files %s, applied %s is a warning', (local, applied, options, expected) => {
    expect(show(plan(local, applied, options))).toBe(expected);
  });

  test('does not excuse a gap, an edit or a missing file below it', () => {
    expect(refusal(() => plan('1_a 2_b', '1_a 3_c'))).toMatchObject({ code: 'OUT_OF_ORDER', message: expect.stringContaining('2_b') });
    expect(refusal(() => plan('1_a=other 2_b', '1_a 2_b 3_c'))).toMatchObject({ code: 'EDITED' });
    expect(refusal(() => plan('1_a 3_c', '1_a 2_b 3_c 4_d'))).toMatchObject({ code: 'MISSING' });
  });

  test("reads the order of names, as of Prisma's folders, from the files", () => {
    // By number 4_c would be the oldest.
    expect(show(plan('20230101_a 3_b', '20230101_a 3_b 4_c'))).toBe('4_c -> 4_c: (ahead: 4_c)');
  });
});

describe('drift', () => {
  test('names every edited migration and its file', () => {
    expect(refusal(() => plan('1_a=x 2_b 3_c=y 4_d', '1_a 2_b 3_c'))).toEqual({
      code: 'EDITED',
      message: 'edited after they were applied: 1_a, 3_c',
      hint: expect.stringContaining('put 1_a.sql, 3_c.sql back as before'),
    });
  });

  test('names every missing migration', () => {
    expect(refusal(() => plan('1_a 5_e', '1_a 2_b 3_c 5_e'))).toMatchObject({
      code: 'MISSING',
      message: 'applied, but no longer among the local files: 2_b, 3_c',
    });
  });

  test('recognises a renamed file by its text', () => {
    expect(refusal(() => plan('1_a 2_better=2_b 3_c', '1_a 2_b 3_c'))).toMatchObject({
      code: 'MISSING',
      hint: 'give 2_better its old name 2_b: the text is the same',
    });
  });

  test('names everything that came in below the newest applied', () => {
    expect(refusal(() => plan('1_a 2_b 3_c 4_d 5_e', '1_a 4_d'))).toEqual({
      code: 'OUT_OF_ORDER',
      message: 'pending, but older than 4_d, which is applied: 2_b, 3_c',
      hint: 'give them newer numbers, or run them as they stand with --allow-out-of-order',
    });
  });

  test('may be allowed to be out of order, and only that', () => {
    const allowed = { allowOutOfOrder: true };
    expect(show(plan('1_a 2_b 3_c 4_d', '1_a 3_c', allowed))).toBe('3_c -> 4_d: 2_b 4_d');
    expect(show(plan('1_a 2_b 3_c', '1_a 3_c', allowed))).toBe('3_c -> 3_c: 2_b');
    expect(show(plan('1_a 2_b 3_c 4_d', '1_a 3_c', { ...allowed, to: '2' }))).toBe('3_c -> 3_c: 2_b');
    expect(refusal(() => plan('1_a=x 2_b 3_c', '1_a 3_c', allowed)).code).toBe('EDITED');
    expect(show(plan('1_a 2_b 3_c', '1_a 3_c 2_b'))).toBe('3_c -> 3_c:');
  });
});

describe('--to', () => {
  test.each([
    ['0003_invoises', 'did you mean 0003_invoices?'],
    ['invoices', 'did you mean 0003_invoices?'],
    ['9', '--to takes the name of a migration, or the number that it begins with'],
    ['', '--to takes the name of a migration, or the number that it begins with'],
    ['latest', '--to takes the name of a migration, or the number that it begins with'],
  ])('%j is unknown, also where the tenant has drifted', (to, hint) => {
    expect(refusal(() => plan('0001_accounts=x 0002_members 0003_invoices', '0001_accounts', { to }))).toMatchObject({
      code: 'TARGET_UNKNOWN',
      hint,
    });
  });

  test('is refused as a number that more than one has', () => {
    expect(refusal(() => plan('1_a 1_b x', '', { to: '1' }))).toMatchObject({
      code: 'TARGET_UNKNOWN',
      message: expect.stringContaining('1_a, 1_b'),
    });
  });

  test('older than what is applied points to rollback', () => {
    expect(refusal(() => plan('1_a 2_b 3_c', '1_a 2_b', { to: '1_a' }))).toEqual({
      code: 'TARGET_OLDER',
      message: '--to 1_a is older than 2_b, which is applied; migrate only goes up',
      hint: 'to go back: `tenancy tenant rollback <id> --to 1_a`',
    });
  });

  test('is resolved before any tenant is looked at', () => {
    const local = words('1_a 2_b').map(file);
    expect(resolveTarget(local, null, 'up')).toBe('2_b');
    expect(resolveTarget(local, '1', 'up')).toBe('1_a');
    expect(resolveTarget(local, '1', 'down')).toBe('1_a');
    expect(resolveTarget(local, 'none', 'down')).toBeNull();
    expect(resolveTarget(local, '0', 'down')).toBeNull();
    expect(resolveTarget(words('0000_init 0001_a').map(file), '0', 'down')).toBe('0000_init');
    expect(() => resolveTarget(local, 'none', 'up')).toThrow(/there is no such migration/);
    expect(() => resolveTarget(local, null, 'down')).toThrow(/^a rollback has to be told/);
  });
});

describe('rollback', () => {
  test.each<[string, string, string | null, string]>([
    ['1_a 2_b 3_c', '1_a 2_b 3_c', '1', '3_c -> 1_a: 3_c 2_b'],
    ['1_a 2_b 3_c', '1_a 2_b 3_c', '3_c', '3_c -> 3_c:'],
    ['1_a 2_b 3_c 4_d', '1_a 2_b', 'none', '2_b -> null: 2_b 1_a'],
    ['1_a 2_b 3_c 4_d', '1_a 2_b', '0', '2_b -> null: 2_b 1_a'],
    ['1_a 2_b', '1_a 2_b', null, '2_b -> null: 2_b 1_a'],
    ['1_a 2_b', '', 'none', 'null -> null:'],
    ['1_a! 2_b', '1_a 2_b', '1_a', '2_b -> 1_a: 2_b'],
  ])('files %s, applied %s, to %s', (local, applied, to, expected) => {
    expect(show(plan(local, applied, down(to)))).toBe(expected);
  });

  test('goes back in the order in which they were applied', () => {
    expect(show(plan('1_a 2_b 3_c 4_d', '1_a 3_c 2_b 4_d', down('1_a')))).toBe('4_d -> 1_a: 4_d 2_b 3_c');
  });

  test('names every migration without a way back', () => {
    expect(refusal(() => plan('1_a 2_b! 3_c 4_d!', '1_a 2_b 3_c 4_d', down('1_a')))).toMatchObject({
      code: 'IRREVERSIBLE',
      message: expect.stringContaining('4_d, 2_b (they have no down files)'),
    });
    expect(refusal(() => plan('1_a 2_b', '1_a 2_b 3_c', down('1_a')))).toMatchObject({
      code: 'IRREVERSIBLE',
      message: expect.stringContaining('3_c (not among the local files'),
    });
  });

  test('refuses a target that is not applied, and drift', () => {
    expect(refusal(() => plan('1_a 2_b 3_c', '1_a 2_b', down('3_c')))).toMatchObject({ code: 'TARGET_UNKNOWN', hint: 'did you mean 2_b?' });
    expect(refusal(() => plan('1_a=x 2_b', '1_a 2_b', down('1_a'))).code).toBe('EDITED');
    expect(refusal(() => plan('1_a 3_c', '1_a 2_b 3_c', down('1_a'))).code).toBe('MISSING');
  });
});

describe('an interrupted migration', () => {
  test('is the first that is run', () => {
    expect(show(plan('1_a 2_b 3_c', '1_a', { progress: { name: '2_b' } }))).toBe('1_a -> 3_c: 2_b 3_c');
    expect(show(plan('1_a 2_b 3_c 4_d', '1_a 2_b', { progress: { name: '3_c' }, to: '2_b' }))).toBe('2_b -> 2_b:');
  });

  test('goes before one that came in below it', () => {
    expect(show(plan('1_a 2_b 3_c', '1_a', { progress: { name: '3_c' }, allowOutOfOrder: true }))).toBe('1_a -> 3_c: 3_c 2_b');
  });

  test.each<[string, string, string, Options]>([
    ['1_a 2_b 3_c', '1_a', '2_b would run first now', { progress: { name: '3_c' } }],
    ['1_a 2_b', '1_a 2_b', 'no migration is left to run', { progress: { name: '3_c' } }],
    ['1_a 2_b.ts=x', '1_a', 'its file was edited since', { progress: { name: '2_b.ts' } }],
    ['1_a 2_b.ts=x', '1_a', 'its file was edited since', { progress: { name: '2_b.ts', statementsDone: 0, state: 'started' } }],
    ['1_a 2_b', '1_a 2_b', 'that was its rollback', { progress: { name: '2_b' } }],
    ['1_a 2_b', '1_a', 'it is not applied yet', { ...down('none'), progress: { name: '2_b' } }],
  ])('files %s, applied %s: %s', (local, applied, message, options) => {
    expect(refusal(() => plan(local, applied, options))).toMatchObject({
      code: 'PROGRESS_DRIFTED',
      message: expect.stringContaining(message),
    });
  });

  test('may be edited while none of it has run', () => {
    expect(show(plan('1_a 2_b.ts=x', '1_a', { progress: { name: '2_b.ts', statementsDone: 0 } }))).toBe('1_a -> 2_b.ts: 2_b.ts');
    expect(show(plan('1_a 2_renamed', '1_a', { progress: { name: '2_b', statementsDone: 0 } }))).toBe('1_a -> 2_renamed: 2_renamed');
  });

  test('may be edited behind what of a script has run, which its engine looks at', () => {
    expect(show(plan('1_a 2_b=x', '1_a', { progress: { name: '2_b' } }))).toBe('1_a -> 2_b: 2_b');
    const sent = digestOfSent(['A', 'B'], { statementsDone: 1, state: 'started' });
    expect(digestsOfSent(['A', 'B', 'mended'], { statementsDone: 1, state: 'started' })).toContain(sent);
    expect(digestsOfSent(['A', 'mended'], { statementsDone: 1, state: 'started' })).not.toContain(sent);
    // Settled by a person: counted as done, or to be sent again as it was.
    expect(digestsOfSent(['A', 'B', 'mended'], { statementsDone: 2, state: 'between' })).toContain(sent);
    expect(digestsOfSent(['A', 'B', 'mended'], { statementsDone: 1, state: 'between' })).toContain(sent);
    expect(digestsOfSent(['A', 'mended'], { statementsDone: 1, state: 'between' })).not.toContain(sent);
    const failed = digestOfSent(['A', 'B'], { statementsDone: 1, state: 'between' });
    expect(digestsOfSent(['A', 'mended'], { statementsDone: 1, state: 'between' })).toContain(failed);
    expect(digestsOfSent(['edited', 'B'], { statementsDone: 1, state: 'between' })).not.toContain(failed);
  });

  test('may be one that was being rolled back', () => {
    expect(show(plan('1_a 2_b', '1_a 2_b', { ...down('1_a'), progress: { name: '2_b', checksum: 'of the down file' } }))).toBe(
      '2_b -> 1_a: 2_b',
    );
  });
});

/** Small and seeded, so that a failure can be repeated. */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe('for any files and history', () => {
  test('a plan ends where it says, or names what stands in its way', () => {
    for (let seed = 0; seed < 2_000; seed += 1) checkSeed(seed);
  });
});

function checkSeed(seed: number): void {
  const random = createRandom(seed);
  const pool = Array.from({ length: 12 }, (_, at) => `${at + 1}_m`);
  const local = pool.filter(() => random(6) > 0);
  const applied = pool.slice(0, random(13)).filter(() => random(12) > 0);
  const options = { allowOutOfOrder: random(2) === 0, to: random(3) === 0 ? (local[random(local.length)] ?? null) : null };
  const order = chooseOrder(pool);
  const result = refusal(() => plan(local.join(' '), applied.join(' '), options));
  const newestApplied = applied.at(-1);
  const newestLocal = local.at(-1);
  const gone = applied.filter((name) => !local.includes(name) && newestLocal !== undefined && order(name, newestLocal) < 0);
  const late = local.filter((name) => !applied.includes(name) && newestApplied !== undefined && order(name, newestApplied) < 0);
  if (gone.length > 0) {
    expect(result, `seed ${seed}`).toMatchObject({ code: 'MISSING', message: expect.stringContaining(gone.join(', ')) });
  } else if (late.length > 0 && !options.allowOutOfOrder) {
    expect(result, `seed ${seed}`).toMatchObject({ code: 'OUT_OF_ORDER', message: expect.stringContaining(late.join(', ')) });
  } else if (result.code === 'none') {
    const { from, to, steps, ahead } = plan(local.join(' '), applied.join(' '), options);
    const names = steps.map(({ name }) => name);
    const after = [...applied, ...names].sort(order);
    expect({ from, to, names }, `seed ${seed}`).toEqual({
      from: newestApplied ?? null,
      to: after.at(-1) ?? null,
      names: [...names].sort(order),
    });
    expect(new Set(after).size, `seed ${seed}`).toBe(after.length);
    expect(
      after.filter((name) => !local.includes(name)),
      `seed ${seed}`,
    ).toEqual(ahead);
    if (options.to === null)
      expect(
        local.every((name) => after.includes(name)),
        `seed ${seed}`,
      ).toBe(true);
    expect(plan(local.join(' '), after.join(' '), options), `seed ${seed}`).toEqual({ direction: 'up', from: to, to, steps: [], ahead });
  } else {
    expect({ code: result.code, to: options.to !== null }, `seed ${seed}`).toEqual({ code: 'TARGET_OLDER', to: true });
  }
}
