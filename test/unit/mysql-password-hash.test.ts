import { expect, test } from 'vitest';
import { cachingSha2Hash, nativeHash, sha256Crypt } from '../../src/drivers/mysql/password-hash.js';

test('the native hash is what PASSWORD() gives', () => {
  expect(nativeHash('password')).toBe('*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19');
});

test("SHA-crypt gives what its specification's own example has", () => {
  expect(sha256Crypt('Hello world!', 'saltstring')).toBe('5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5');
});

test('with a salt of 20 bytes it gives what a MySQL server has made of a known password', () => {
  const salt = Buffer.from('F9CC98CE08892924F50A213B6BC571A2C11778C5', 'hex').toString('latin1');
  expect(sha256Crypt('hashcat', salt)).toBe('bTy95Y99eAME1dwEkHOA1ndHGBWz.1bxSSRkuTXFGV/');
});

test('a hash has the form and the length that the server asks for, and no character that would have to be quoted', () => {
  const hash = cachingSha2Hash('a'.repeat(40));
  expect(hash).toMatch(/^\$A\$005\$[0-9A-Za-z]{20}[./0-9A-Za-z]{43}$/);
  expect(cachingSha2Hash('a'.repeat(40))).not.toBe(hash);
});
