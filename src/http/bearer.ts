import type { Context } from 'koa'
import { ExpiredTokenError, InvalidTokenError, MalformedAuthorizationError } from '../errors.js'

export type Scope = 'service' | 'credential'

/** What an access token of ours stands for. */
export interface AccessToken {
  readonly clientId: string
  readonly userId: string
  readonly scope: Scope
  /** The authorisation a credential-scope token refers to. */
  readonly authorisationId: string | null
}

export interface AccessTokens {
  /** `revoked` also for those of disabled people and applications; null for unknown ones. */
  find(token: string): Promise<AccessToken | 'expired' | 'revoked' | null>
}

/**
 * @throws {MalformedAuthorizationError} @throws {InvalidTokenError} @throws {ExpiredTokenError}
 */
export async function requireBearer(ctx: Context, tokens: AccessTokens): Promise<AccessToken> {
  const match = /^Bearer +([\w~+/.-]+=*) *$/i.exec(ctx.get('authorization'))
  if (!match?.[1]) throw new MalformedAuthorizationError()
  const found = await tokens.find(match[1])
  if (found === 'expired' || found === 'revoked') throw new ExpiredTokenError(found)
  if (!found) throw new InvalidTokenError('unknown')
  return found
}
