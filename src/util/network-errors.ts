/** Of the system's calls, of its resolver and of Node's sockets: whatever was to be talked to can't be, or no longer. */
const NETWORK_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'ETIMEDOUT',
  'EPIPE',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EADDRNOTAVAIL',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ENETDOWN',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
  'ERR_SOCKET_CLOSED',
]);

/** Node's own and those that OpenSSL gives its verdict on a certificate with. */
const TLS_CODES = /^(ERR_TLS_|ERR_SSL_|ERR_OSSL_|CERT_|SELF_SIGNED_|DEPTH_ZERO_SELF_SIGNED_CERT$|UNABLE_TO_|HOSTNAME_MISMATCH$)/;

/** Whether the network said this; for several addresses tried, Node joins their errors in an AggregateError with the code of the first. */
export function isNetworkError(error: Error): boolean {
  const code = textCodeOf(error);
  // ENOENT is a missing socket where it comes from connect, and a missing file elsewhere.
  return code !== null && (NETWORK_CODES.has(code) || (code === 'ENOENT' && 'syscall' in error && error.syscall === 'connect'));
}

export function isTlsError(error: Error): boolean {
  return isTlsCode(textCodeOf(error));
}

export function isTlsCode(code: string | null): boolean {
  return TLS_CODES.test(code ?? '');
}

/** The code of an error of Node's; null where it has none, or a number, as servers give. */
export function textCodeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}

/** The error and what it was caused by, outermost first; an AggregateError (one for each address tried) counts as its first. */
export function causesOf(error: unknown): readonly Error[] {
  const chain: Error[] = [];
  for (
    let link = error;
    link instanceof Error && !chain.includes(link);
    link = link instanceof AggregateError && link.errors.length > 0 ? link.errors[0] : link.cause
  ) {
    chain.push(link);
  }
  return chain;
}

/** The words of the innermost cause; its code, where it has none. */
export function describeRootCause(error: unknown): string {
  const root = causesOf(error).at(-1);
  return root?.message || (textCodeOf(root) ?? 'no answer');
}
