import { createHash, randomUUID } from 'node:crypto'
import {
  exportJWK,
  generateKeyPair,
  importJWK,
  SignJWT,
  type CryptoKey,
  type JWK,
  type JWTPayload,
} from 'jose'
import type { Json } from './exchange.js'

export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const ASSERTION_SECONDS = 60

/** Members to set, or with null to leave out. */
function changed(members: Json, changes: Json): JWTPayload {
  const all = Object.entries({ ...members, ...changes })
  return Object.fromEntries(all.filter(([, value]) => value !== null))
}

function seconds(time: Date): number {
  return Math.floor(time.getTime() / 1000)
}

/** A client assertion (RFC 7523 §3) as it should be, but for the changes. */
export async function clientAssertion(
  { client_id, key }: { client_id: string; key: JWK },
  { audience, now }: { audience: string; now: Date },
  changes: Json = {},
): Promise<string> {
  const { alg = 'ES256', kid } = key
  const claims = {
    ...{ iss: client_id, sub: client_id, aud: audience, jti: randomUUID() },
    ...{ iat: seconds(now), exp: seconds(now) + ASSERTION_SECONDS },
  }
  return new SignJWT(changed(claims, changes))
    .setProtectedHeader({ alg, ...(kid === undefined ? {} : { kid }) })
    .sign(await importJWK(key, alg))
}

/** An `account_token` (CSC v2.0.0.2 §8.4.1) as it should be, but for the changes. */
export function accountToken(
  { client_id, secret }: { client_id: string; secret: string },
  { sub, now }: { sub: string; now: Date },
  changes: Json = {},
  key: Uint8Array = createHash('sha256').update(secret).digest(),
): Promise<string> {
  const claims = { sub, iat: seconds(now), jti: randomUUID(), azp: client_id }
  return new SignJWT(changed(claims, changes))
    .setProtectedHeader({ typ: 'JWT', alg: 'HS256' })
    .sign(key)
}

/** What a DPoP proof is for. */
export interface Proven {
  readonly url: string
  readonly accessToken?: string
  readonly now: Date
}

/** The key of an application that proves with each request that it holds it (RFC 9449). */
export class DpopKey {
  readonly #alg: string
  readonly #private: CryptoKey
  readonly publicJwk: JWK

  private constructor(alg: string, privateKey: CryptoKey, publicJwk: JWK) {
    this.#alg = alg
    this.#private = privateKey
    this.publicJwk = publicJwk
  }

  static async make(alg: string): Promise<DpopKey> {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
    return new DpopKey(alg, privateKey, await exportJWK(publicKey))
  }

  privateJwk(): Promise<JWK> {
    return exportJWK(this.#private)
  }

  /** A proof as it should be, but for the changes. */
  proof({ url, accessToken, now }: Proven, changes: Json = {}, header: Json = {}): Promise<string> {
    const ath =
      accessToken === undefined
        ? {}
        : { ath: createHash('sha256').update(accessToken).digest('base64url') }
    const claims = { htm: 'POST', htu: url, jti: randomUUID(), iat: seconds(now), ...ath }
    return new SignJWT(changed(claims, changes))
      .setProtectedHeader({ alg: this.#alg, typ: 'dpop+jwt', jwk: this.publicJwk, ...header })
      .sign(this.#private)
  }
}
