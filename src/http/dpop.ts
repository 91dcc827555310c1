import { createHash, timingSafeEqual } from 'node:crypto'
import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify } from 'jose'
import type { Context } from 'koa'
import { InvalidDpopProofError } from '../errors.js'

/** Of applications' assertions and proofs: asymmetric ones alone, so that no key is a shared secret. */
export const PROOF_ALGORITHMS = ['ES256', 'PS256', 'RS256', 'EdDSA'] as const

/** Proofs are for one moment; clocks may differ by as much (RFC 9449, 11.1). */
const MAX_AGE_SECONDS = 300

/** What a DPoP proof proved, but for its having been used before. */
export interface DpopProof {
  /** SHA-256 thumbprint of its key. */
  readonly jkt: string
  readonly jti: string
  /** As the proof has it, whatever it is. */
  readonly nonce: unknown
  /** Until when a replay has to be recognised. */
  readonly forgetAfter: Date
}

/**
 * Verifies the DPoP proof of a request: its own signature, and that it is for this method, address,
 * moment and access token (RFC 9449, 4.3).
 * @throws {InvalidDpopProofError}
 */
export async function verifyDpopProof(
  ctx: Context,
  expected: { accessToken: string; baseUrl: string; now: Date },
): Promise<DpopProof> {
  const proofs = ctx.req.headersDistinct['dpop'] ?? []
  const [proof] = proofs
  if (proof === undefined || proofs.length !== 1) throw new InvalidDpopProofError('one is needed')
  const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, {
    algorithms: [...PROOF_ALGORITHMS],
    typ: 'dpop+jwt',
    requiredClaims: ['htm', 'htu', 'iat', 'jti', 'ath'],
    maxTokenAge: MAX_AGE_SECONDS,
    clockTolerance: MAX_AGE_SECONDS,
    currentDate: expected.now,
  }).catch((cause: unknown) => {
    throw new InvalidDpopProofError('JWT', { cause })
  })
  const { htm, htu, ath, jti, iat = 0 } = payload
  const age = expected.now.getTime() / 1000 - iat
  if (Math.abs(age) > MAX_AGE_SECONDS) throw new InvalidDpopProofError('iat')
  if (htm !== ctx.method) throw new InvalidDpopProofError('htm')
  if (!isSameAddress(htu, `${expected.baseUrl}${ctx.originalUrl}`)) {
    throw new InvalidDpopProofError('htu')
  }
  if (!isHashOf(ath, expected.accessToken)) throw new InvalidDpopProofError('ath')
  if (typeof jti !== 'string' || jti === '') throw new InvalidDpopProofError('jti')
  if (!protectedHeader.jwk) throw new InvalidDpopProofError('jwk')
  return {
    jkt: await calculateJwkThumbprint(protectedHeader.jwk),
    jti,
    nonce: payload['nonce'],
    forgetAfter: new Date((iat + 2 * MAX_AGE_SECONDS) * 1000),
  }
}

/** Without query and fragment, and normalised as RFC 3986 has it. */
function isSameAddress(htu: unknown, address: string): boolean {
  if (typeof htu !== 'string' || !URL.canParse(htu) || !URL.canParse(address)) return false
  const [one, other] = [new URL(htu), new URL(address)]
  return one.origin === other.origin && one.pathname === other.pathname
}

function isHashOf(ath: unknown, accessToken: string): boolean {
  if (typeof ath !== 'string') return false
  const expected = Buffer.from(createHash('sha256').update(accessToken).digest('base64url'))
  const given = Buffer.from(ath)
  return given.length === expected.length && timingSafeEqual(given, expected)
}
