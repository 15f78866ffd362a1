/** What stands where a secret was. */
const BLANK = '***';

const DATABASE_SCHEMES = 'postgres|postgresql|mysql|mariadb|mongodb|mongodb\\+srv';

/**
 * `scheme://user:password@`, up to the last `@` before whitespace, a quote, or the next connection string: a raw `@`, `/` or `#` in a
 * password is common, and blanking too much of a text is the lesser harm. The second form is for a password with a quote in it.
 */
const USERINFO = new RegExp(
  `\\b([a-z][a-z0-9+.-]{0,30}:\\/\\/[^\\s:/@"'\`]*):(?:(?:(?!\\b(?:${DATABASE_SCHEMES}):\\/\\/)[^\\s"'\`])*@|(?:(?!\\b(?:${DATABASE_SCHEMES}):\\/\\/)\\S)*@)`,
  'gi',
);

const KEY = '(?:[a-z0-9]+[_-])*(?:pg|ssl|db|user)?(?:passwords?|passwd|passphrase|pwd)';

/** libpq's `password=x` and `password='x'`, `?password=x`, `PGPASSWORD=x`. A quote belongs to the value unless it ends it. */
const ASSIGNED = new RegExp(
  `\\b(${KEY}\\s*=\\s*)(?:'(?:[^'\\\\]|\\\\[^]|'')*'|"(?:[^"\\\\]|\\\\[^])*"|(?:\\\\[^\\r\\n]|[^\\s&"'\\\\]|["'](?=[^\\s,:;)\\]}&"']))+)`,
  'gi',
);

/** `"password": "x"` of JSON, `password: 'x'` of an inspected object, and SQL's `PASSWORD 'x'`. */
const QUOTED = new RegExp(
  `\\b(${KEY}["']?(?:\\s*:\\s*|\\s+))(?:'(?:[^'\\\\]|\\\\[^]|'')*'|"(?:[^"\\\\]|\\\\[^])*"|\`(?:[^\`\\\\]|\\\\[^])*\`)`,
  'gi',
);

const SCRAM_VERIFIER = /SCRAM-SHA-256\$[^\s'"]+/g;

/** Below this a literal secret would blank ordinary text; it is still blanked inside URLs and assignments. */
const SHORTEST_LITERAL = 4;
/** From here a literal secret is blanked also inside longer words. */
const SHORTEST_INSIDE_WORDS = 8;

/** Passwords of development machines that are words of this tool's own messages. */
const ORDINARY_WORDS = new Set([
  'admin',
  'database',
  'default',
  'embedded',
  'localhost',
  'main',
  'mariadb',
  'mongodb',
  'mysql',
  'pass',
  'password',
  'postgres',
  'postgresql',
  'public',
  'root',
  'schema',
  'secret',
  'tenancy',
  'tenant',
  'tenants',
  'test',
  'user',
]);

const literals = new Set<string>();
let literalPattern: RegExp | null = null;

/** Takes the passwords out of every connection string in a text, and every registered secret. */
export function redact(text: string): string {
  let safe = text;
  if (literals.size > 0) {
    literalPattern ??= buildLiteralPattern();
    safe = safe.replace(literalPattern, BLANK);
  }
  if (safe.includes('://')) safe = safe.replace(USERINFO, `$1:${BLANK}@`);
  if (/passw|pwd|passphrase/i.test(safe)) {
    safe = safe.replace(ASSIGNED, `$1${BLANK}`).replace(QUOTED, (found: string, key: string) => {
      // The quotes stay: what was JSON is JSON still.
      const quote = found[key.length] ?? '';
      return `${key}${quote}${BLANK}${quote}`;
    });
  }
  return safe.includes('SCRAM-SHA-256$') ? safe.replace(SCRAM_VERIFIER, `SCRAM-SHA-256$${BLANK}`) : safe;
}

/** Takes the password out of one URL, also where it is not quite a URL: everything from the first colon after the user to the last `@`. */
export function redactUrl(url: string): string {
  return redact(url.replace(/^([^:]*:\/*[^:/@]*):([^]*)@/, `$1:${BLANK}@`));
}

/**
 * Blanks a secret wherever it appears from now on, as it is and as URLs, JSON and SQL write it. For the whole process: secrets are
 * known for as long as it lives. Very short ones, and words of the tool's own messages, are blanked only where the context tells.
 */
export function registerSecret(value: string): void {
  if (value.length < SHORTEST_LITERAL || ORDINARY_WORDS.has(value.toLowerCase())) return;
  const encoded = encodeURIComponent(value.replace(/[\uD800-\uDFFF]/gu, ''));
  for (const form of [
    value,
    encoded,
    encodeURI(value.replace(/[\uD800-\uDFFF]/gu, '')),
    JSON.stringify(value).slice(1, -1),
    value.replaceAll("'", "''"),
  ]) {
    literals.add(form);
  }
  literalPattern = null;
}

/** Registers the passwords that a connection string carries, in the user part and in the query, raw and decoded. */
export function registerUrlSecrets(url: string): void {
  const [, userinfo] = /^[a-z][a-z0-9+.-]*:\/\/[^:/@]*:([^]*)@/i.exec(url) ?? [];
  const assigned = [...url.matchAll(new RegExp(`[?&]${KEY}=([^&#]*)`, 'gi'))].map(([, secret]) => secret);
  for (const secret of [userinfo, ...assigned]) {
    if (secret === undefined) continue;
    registerSecret(secret);
    registerSecret(decode(secret));
  }
}

function buildLiteralPattern(): RegExp {
  const longestFirst = [...literals].sort((a, b) => b.length - a.length);
  return new RegExp(longestFirst.map(toPattern).join('|'), 'gu');
}

function toPattern(literal: string): string {
  const escaped = literal.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  return literal.length >= SHORTEST_INSIDE_WORDS ? escaped : `(?<![A-Za-z0-9])${escaped}(?![A-Za-z0-9])`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A lone % is no encoding: the text stands for itself.
    return text;
  }
}
