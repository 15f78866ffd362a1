import { TenancyError } from '../../errors.js';
import { redactUrl } from '../../util/redact.js';
import type { OpenRegistryOptions, Registry } from '../registry.js';

export async function openMongodbRegistry({ url }: OpenRegistryOptions): Promise<Registry> {
  throw new TenancyError('TENANCY_REGISTRY_URL_REJECTED', { url: redactUrl(url), reason: 'this engine is not in this version' });
}
