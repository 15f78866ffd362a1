import { mongodbDatabaseOf } from './mongodb-url.js';
import { parseMysqlUrl } from './mysql-url.js';

/** The database that a URL leads to, of whichever engine; null where it names none. To PostgreSQL the user's name is one. */
export function databaseOfUrl(url: string): string | null {
  if (/^mongodb/i.test(url)) return mongodbDatabaseOf(url);
  if (/^(mysql|mariadb):/i.test(url)) return parseMysqlUrl(url)?.database ?? null;
  if (!URL.canParse(url)) return null;
  const { pathname, username } = new URL(url);
  return decodeURIComponent(pathname.slice(1) || username) || null;
}
