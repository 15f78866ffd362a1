import { expect, test } from 'vitest';
import { withLibpqTls } from '../../src/util/libpq-tls.js';

const at = 'postgres://me:pw@db.example:5433/app';

test.each([
  ['', ''],
  ['?application_name=x', '?application_name=x'],
  ['?sslmode=disable', '?sslmode=disable'],
  ['?sslmode=verify-full', '?sslmode=verify-full'],
  ['?sslmode=no-verify', '?sslmode=no-verify'],
  ['?sslmode=require', '?sslmode=require&uselibpqcompat=true'],
  ['?sslmode=prefer&application_name=x', '?sslmode=prefer&application_name=x&uselibpqcompat=true'],
  ['?sslmode=require&uselibpqcompat=false', '?sslmode=require&uselibpqcompat=false'],
  ['?sslmode=verify-ca&sslrootcert=/ca.pem', '?sslmode=verify-ca&sslrootcert=/ca.pem&uselibpqcompat=true'],
  ['?a=b&sslmode=verify-ca', '?a=b&sslmode=verify-full'],
])('the options %j are read as libpq reads them', (given, read) => {
  expect(withLibpqTls(`${at}${given}`)).toBe(`${at}${read}`);
});
