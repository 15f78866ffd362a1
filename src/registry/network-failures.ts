const ABSENT = /^(ECONNREFUSED|ENOTFOUND|ENODATA|ENOENT|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)$/;

/** Nobody listens there, nothing answers, or the name is unknown: where that is the first thing we hear, asking again at once won't help. */
export function isAbsentCode(code: string | null): boolean {
  return ABSENT.test(code ?? '');
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: "the host's name can't be resolved",
  ENODATA: "the host's name can't be resolved",
  EAI_AGAIN: "the host's name can't be resolved",
  ENOENT: 'there is no such socket',
};

/** What the network's code says, in words; undefined for those whose message says more. */
export function describeNetworkCode(code: string | null): string | undefined {
  return REASONS[code ?? ''];
}
