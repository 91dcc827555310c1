import { createHash } from 'node:crypto'
import { jwtVerify } from 'jose'

const MAX_AGE_SECONDS = 300
const CLOCK_SKEW_SECONDS = 60

/** What of an `account_token` was proved (CSC API v2, 8.4.1). */
export interface AccountToken {
  /** The application's own name for the person. */
  readonly sub: string
  readonly jti: string
  /** Until when a replay has to be recognised. */
  readonly forgetAfter: Date
}

/**
 * Verifies an `account_token`: HS256 whatever its header says, the key being the 32 bytes of
 * SHA-256(client_secret), made for this client and fresh. Replay is for the caller to refuse.
 * @throws when anything is wrong
 */
export async function verifyAccountToken(
  token: string,
  client: { id: string; secret: string },
  now: Date,
): Promise<AccountToken> {
  const key = createHash('sha256').update(client.secret).digest()
  const { payload } = await jwtVerify(token, key, {
    algorithms: ['HS256'],
    typ: 'JWT',
    requiredClaims: ['sub', 'iat', 'jti', 'azp'],
    maxTokenAge: MAX_AGE_SECONDS,
    clockTolerance: CLOCK_SKEW_SECONDS,
    currentDate: now,
  })
  const { sub, jti, azp } = payload
  if (azp !== client.id) throw new Error('account_token is for another client')
  if (typeof sub !== 'string' || typeof jti !== 'string')
    throw new Error('account_token is malformed')
  const lifetime = (MAX_AGE_SECONDS + 2 * CLOCK_SKEW_SECONDS) * 1000
  return { sub, jti, forgetAfter: new Date(now.getTime() + lifetime) }
}
