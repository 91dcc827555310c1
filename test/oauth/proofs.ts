import { createHash, randomUUID } from 'node:crypto'
import {
  exportJWK,
  generateKeyPair,
  SignJWT,
  type CryptoKey,
  type JWK,
  type JWTPayload,
} from 'jose'
import type { Rssp, TestClient } from '../support/rssp.js'

export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

export interface TestKey {
  readonly privateKey: CryptoKey
  /** As registered, with its name and use. */
  readonly jwk: JWK
  /** As proofs bring it along. */
  readonly bare: JWK
  readonly alg: string
}

export async function testKey(alg = 'ES256'): Promise<TestKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const bare = await exportJWK(publicKey)
  return { privateKey, bare, jwk: { ...bare, kid: randomUUID(), alg }, alg }
}

/** A member to set, or to leave out. */
export type Changes = Record<string, unknown>

function changed(members: Changes, changes: Changes): JWTPayload {
  const all = Object.entries({ ...members, ...changes })
  return Object.fromEntries(all.filter(([, value]) => value !== null))
}

/** A client assertion (RFC 7523) as it should be, but for the changes. */
export function assertion(
  rssp: Rssp,
  client: TestClient,
  key: TestKey,
  changes: Changes = {},
  header: Changes = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  const { client_id } = client
  const claims = {
    ...{ iss: client_id, sub: client_id, aud: rssp.services.config.baseUrl },
    ...{ jti: randomUUID(), iat: now, exp: now + 60 },
  }
  return new SignJWT(changed(claims, changes))
    .setProtectedHeader({ alg: key.alg, ...(key.jwk.kid ? { kid: key.jwk.kid } : {}), ...header })
    .sign(key.privateKey)
}

export function asserted(client_assertion: string): Record<string, string> {
  return { client_assertion, client_assertion_type: ASSERTION_TYPE }
}

/** A DPoP proof (RFC 9449) as it should be, but for the changes. */
export async function dpopProof(
  key: TestKey,
  target: { url: string; method?: string; accessToken?: string; now?: Date },
  changes: Changes = {},
  header: Changes = {},
): Promise<string> {
  const { url, method = 'POST', accessToken, now = new Date() } = target
  const claims = {
    ...{ htm: method, htu: url, jti: randomUUID(), iat: Math.floor(now.getTime() / 1000) },
    ...(accessToken === undefined
      ? {}
      : { ath: createHash('sha256').update(accessToken).digest('base64url') }),
  }
  return new SignJWT(changed(claims, changes))
    .setProtectedHeader({ alg: key.alg, typ: 'dpop+jwt', jwk: key.bare, ...header })
    .sign(key.privateKey)
}
