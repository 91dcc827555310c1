import type { StoredSad } from '../activation/authorisation.js'
import { InvalidParameterError, MissingParameterError, SadExpiredError } from '../errors.js'
import type { AccessToken } from '../http/bearer.js'
import type { CscServices } from './services.js'

/**
 * The authorisation named by the bearer token, by the SAD, or by both if they agree. A SAD is a value
 * from `credentials/authorize` and its like, or a credential-scope token; `sad` is null for the latter.
 * @throws {MissingParameterError} @throws {InvalidParameterError} @throws {SadExpiredError}
 */
export async function authorisationOf(
  SAD: string | undefined,
  caller: AccessToken,
  { tokens, activations, now }: Pick<CscServices, 'tokens' | 'activations' | 'now'>,
): Promise<{ authorisationId: string; sad: StoredSad | null }> {
  if (!SAD) {
    if (caller.authorisationId === null) throw new MissingParameterError('SAD', 'string')
    return { authorisationId: caller.authorisationId, sad: null }
  }
  const agrees = (authorisationId: string) =>
    caller.authorisationId === null || caller.authorisationId === authorisationId
  const sad = await activations.findSad(SAD)
  if (sad) {
    if (!agrees(sad.authorisationId)) throw new InvalidParameterError('SAD')
    if (sad.expiresAt <= now()) throw new SadExpiredError('SAD expired')
    return { authorisationId: sad.authorisationId, sad }
  }
  const found = await tokens.find(SAD)
  if (found === 'expired') throw new SadExpiredError('SAD expired')
  if (found === null || found === 'revoked' || found.authorisationId === null) {
    throw new InvalidParameterError('SAD')
  }
  const ownSad = found.clientId === caller.clientId && found.userId === caller.userId
  // Bound to a key or certificate, it is worth nothing in a request that does not prove it (S37, S38).
  if (found.jkt !== null && found.jkt !== caller.jkt) throw new InvalidParameterError('SAD')
  if (found.x5t !== null && found.x5t !== caller.x5t) throw new InvalidParameterError('SAD')
  if (!agrees(found.authorisationId) || !ownSad) throw new InvalidParameterError('SAD')
  return { authorisationId: found.authorisationId, sad: null }
}
