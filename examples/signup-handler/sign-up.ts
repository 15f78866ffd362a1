import { isTenancyError, type Tenancy } from 'tenancy-cli';

export interface Answer {
  readonly status: 201 | 400 | 409 | 500 | 503;
  readonly body: Readonly<Record<string, string>>;
}

/**
 * Gives a new customer a tenant. The key is the customer's own (from the form, the payment, the `Idempotency-Key` header): the
 * same key again, after a time-out or a crash in the middle, continues where the first call stopped and gives the same answer.
 */
export async function signUp(tenancy: Tenancy, id: string, key: string): Promise<Answer> {
  try {
    // Atomic: of two customers who want one id at once, one registers it, and the other one's call finds it registered.
    const { failed } = await tenancy.provision(id, { labels: { signup: key } });
    const { labels, cluster, driver, name } = await tenancy.find(id);
    if (labels.signup !== key) return taken(id);
    const [failure] = failed;
    if (failure) return unavailable(failure.error?.retryable === true ? 503 : 500);
    return { status: 201, body: { tenant: id, cluster, driver, name } };
  } catch (error) {
    if (isTenancyError(error, 'TENANCY_ID_REJECTED')) return { status: 400, body: { error: error.message } };
    // `Acme` where there is an `acme`, or an id that would get the schema of another.
    if (isTenancyError(error, 'TENANCY_ID_TAKEN') || isTenancyError(error, 'TENANCY_PLACEMENT_TAKEN')) return taken(id);
    if (isTenancyError(error) && error.isRetryable) return unavailable(503);
    throw error;
  }
}

function taken(id: string): Answer {
  return { status: 409, body: { error: `${id} is taken` } };
}

/** The tenant is left as it was; the same call, made again, continues. */
function unavailable(status: 500 | 503): Answer {
  return { status, body: { error: 'your account is not ready yet, please try again' } };
}
