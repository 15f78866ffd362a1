import { describe, expect, it } from 'vitest';
import { redact, redactUrl, registerSecret, registerUrlSecrets } from '../../src/util/redact.js';

describe('redact', () => {
  const cases: readonly [string, string][] = [
    ['postgres://app:s3cret@db:5432/x', 'postgres://app:***@db:5432/x'],
    ['postgresql://app:p%40ss%2F@h/x?sslmode=require', 'postgresql://app:***@h/x?sslmode=require'],
    ['postgres://app:p@ss:w/o#r?d@h/x', 'postgres://app:***@h/x'],
    ['postgres://:only@h', 'postgres://:***@h'],
    [`postgres://app:q"uo'te@h`, 'postgres://app:***@h'],
    ['mongodb+srv://u:pw@a.b,c.d/x', 'mongodb+srv://u:***@a.b,c.d/x'],
    ['from postgres://a:one@h to postgres://b:two@h.', 'from postgres://a:***@h to postgres://b:***@h.'],
    ['postgres://a:one@h,postgres://b:two@h', 'postgres://a:***@h,postgres://b:***@h'],
    ['{"url":"postgres://a:one@h/x","mail":"bob@example.com"}', '{"url":"postgres://a:***@h/x","mail":"bob@example.com"}'],
    ['postgres://h/x?user=u&password=pw&sslmode=on', 'postgres://h/x?user=u&password=***&sslmode=on'],
    ['postgres://h/x?sslpassword=pw', 'postgres://h/x?sslpassword=***'],
    ['host=h password=pw user=u', 'host=h password=*** user=u'],
    [`host=h password='p w\\'x' user=u`, 'host=h password=*** user=u'],
    ['PGPASSWORD=pw psql', 'PGPASSWORD=*** psql'],
    ['APP_DB_PASSWORD="p w" x', 'APP_DB_PASSWORD=*** x'],
    ['{"password": "p\\"w", "user": "u"}', '{"password": "***", "user": "u"}'],
    [`{ user: 'u', password: 'pw' }`, `{ user: 'u', password: '***' }`],
    [`CREATE ROLE x LOGIN PASSWORD 'it''s'`, `CREATE ROLE x LOGIN PASSWORD '***'`],
    ['SCRAM-SHA-256$4096:c2FsdA==$a:b', 'SCRAM-SHA-256$***'],
    ['postgres://app@h/x', 'postgres://app@h/x'],
    ['postgres://h:5432/x', 'postgres://h:5432/x'],
    ['password authentication failed for user "app"', 'password authentication failed for user "app"'],
    ['see https://example.com/a:b and mail bob@example.com', 'see https://example.com/a:b and mail bob@example.com'],
    ['clusters.main: 8, embedded:.tenancy/postgres', 'clusters.main: 8, embedded:.tenancy/postgres'],
  ];
  for (const [text, expected] of cases) {
    it(`reads ${text} as ${expected}`, () => {
      expect(redact(text)).toBe(expected);
    });
  }

  it('gives the same when it is applied again', () => {
    for (const [text] of cases) expect(redact(redact(text))).toBe(redact(text));
  });

  it('takes a long text in a moment', () => {
    const startedAt = performance.now();
    redact(`${'a'.repeat(200_000)}://${'password'.repeat(20_000)}${"password='".repeat(5_000)}`);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });
});

describe('redactUrl', () => {
  it('takes everything from the user to the last @, also spaces', () => {
    expect(redactUrl('postgres://u:a b@c "d@h/x')).toBe('postgres://u:***@h/x');
  });
});

describe('a registered secret', () => {
  it('is blanked wherever it appears, as it is and as URLs, JSON and SQL write it', () => {
    registerSecret(`Tr0ub'4dor "&3`);
    const text = [`Tr0ub'4dor "&3`, encodeURIComponent(`Tr0ub'4dor "&3`), JSON.stringify(`Tr0ub'4dor "&3`), `Tr0ub''4dor "&3`].join(' | ');
    expect(redact(text)).toBe('*** | *** | "***" | ***');
  });

  it('comes from a URL, decoded too', () => {
    registerUrlSecrets('postgres://u:correct%2Fhorse@h/x?sslpassword=battery%20staple');
    expect(redact('tried correct/horse and battery staple, correct%2Fhorse')).toBe('tried *** and ***, ***');
  });

  it('of a few letters leaves ordinary text alone', () => {
    registerSecret('a');
    registerSecret('postgres');
    registerSecret('abcd');
    expect(redact('a postgres abcdef; abcd')).toBe('a postgres abcdef; ***');
  });
});

describe('any password', () => {
  const alphabet = [...`abcXYZ019:/?#[]@!$&'()*+,;=%-._~ "\\\`{}|^<>äß漢😀\t`];

  it('is gone once its URL is known, and percent-encoded without that', () => {
    let state = 20_261_121;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
      return Math.floor((state / 0x80000000) * below);
    };
    for (let round = 0; round < 2_000; round += 1) {
      const password = Array.from({ length: 10 + random(14) }, () => alphabet[random(alphabet.length)]).join('');
      const encoded = encodeURIComponent(password);
      expect(redact(`can't reach postgres://app:${encoded}@h:1/x now`), password).toBe("can't reach postgres://app:***@h:1/x now");
      expect(redactUrl(`postgres://app:${password}@h:1/x`), password).toBe('postgres://app:***@h:1/x');
      if (round % 100 !== 0) continue;
      registerUrlSecrets(`postgres://app:${encoded}@h:1/x`);
      for (const form of [password, encoded, JSON.stringify(password)])
        expect(redact(`<<${form}>>`), password).not.toContain(form.slice(1, -1));
    }
  });
});
