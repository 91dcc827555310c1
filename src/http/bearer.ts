import type { Context } from 'koa'
import {
  DpopRequiredError,
  ExpiredTokenError,
  InvalidDpopProofError,
  InvalidTokenError,
  MalformedAuthorizationError,
} from '../errors.js'
import { verifyDpopProof, type DpopProof } from './dpop.js'

/** `client` is scope `service` of an application for itself: it acts for no person. */
export type Scope = 'service' | 'credential' | 'client'

/** What an access token of ours stands for. */
export interface AccessToken {
  readonly clientId: string
  /** Empty with scope `client`. */
  readonly userId: string
  readonly scope: Scope
  /** The authorisation a credential-scope token refers to. */
  readonly authorisationId: string | null
  /** Thumbprint of the key whose holder alone may use it (DPoP); null when anyone may. */
  readonly jkt: string | null
}

export interface AccessTokens {
  /** `revoked` also for those of disabled people and applications; null for unknown ones. */
  find(token: string): Promise<AccessToken | 'expired' | 'revoked' | null>
  /** False when the proof was used before: of concurrent calls, exactly one gets true. */
  spendProof(proof: DpopProof): Promise<boolean>
}

/**
 * The token of a request, as `Bearer` or, when it is bound to a key, as `DPoP` with a proof.
 * @throws {MalformedAuthorizationError} @throws {InvalidTokenError} @throws {ExpiredTokenError}
 * @throws {DpopRequiredError} @throws {InvalidDpopProofError}
 */
export async function requireBearer(
  ctx: Context,
  tokens: AccessTokens,
  server: { baseUrl: string; now: Date },
): Promise<AccessToken> {
  const match = /^(Bearer|DPoP) +([\w~+/.-]+=*) *$/i.exec(ctx.get('authorization'))
  const [, scheme = '', accessToken] = match ?? []
  if (!accessToken) throw new MalformedAuthorizationError()
  const found = await tokens.find(accessToken)
  if (found === 'expired' || found === 'revoked') throw new ExpiredTokenError(found)
  if (!found) throw new InvalidTokenError('unknown')
  if (scheme.toLowerCase() === 'bearer') {
    if (found.jkt !== null) throw new DpopRequiredError('bound token as bearer')
    return found
  }
  if (found.jkt === null) throw new InvalidTokenError('not bound to a key')
  const proof = await verifyDpopProof(ctx, { accessToken, ...server })
  if (proof.jkt !== found.jkt) throw new InvalidDpopProofError('other key')
  if (!(await tokens.spendProof(proof))) throw new InvalidDpopProofError('used before')
  return found
}
