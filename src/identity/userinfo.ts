import { compactDecrypt, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose'
import type { OwnKey } from './id-bb-keys.js'
import { IdentityRefusedError } from './verified-identity.js'

/** Nothing with PKCS #1 v1.5 padding, no shared secrets, no passwords. */
const KEY_MANAGEMENT = [
  ...['RSA-OAEP', 'RSA-OAEP-256', 'RSA-OAEP-384', 'RSA-OAEP-512'],
  ...['ECDH-ES', 'ECDH-ES+A128KW', 'ECDH-ES+A256KW'],
]
const CONTENT_ENCRYPTION = ['A128GCM', 'A256GCM', 'A128CBC-HS256', 'A256CBC-HS512']

export interface UserinfoRules {
  readonly form: 'json' | 'signed' | 'encrypted'
  readonly issuer: string
  readonly clientId: string
  readonly algorithms: readonly string[]
  readonly keys: JWTVerifyGetKey
  readonly decryptionKey: OwnKey | null
  readonly toleranceSeconds: number
  readonly now: Date
}

/**
 * The claims of a userinfo answer that comes in exactly the form agreed on: an unsigned one where
 * a signed one is due is not a weaker answer but none.
 * @throws {IdentityRefusedError}
 */
export async function readUserinfo(
  answer: { contentType: string; body: string },
  rules: UserinfoRules,
): Promise<Record<string, unknown>> {
  const mediaType = answer.contentType.split(';')[0]?.trim().toLowerCase()
  const expected = rules.form === 'json' ? 'application/json' : 'application/jwt'
  if (mediaType !== expected) {
    throw new IdentityRefusedError('refused', `userinfo is not ${expected}`)
  }
  if (rules.form === 'json') return parseObject(answer.body)
  const outer = answer.body.trim()
  const jws = rules.form === 'encrypted' ? await decrypt(outer, rules.decryptionKey) : outer
  return verify(jws, rules)
}

async function decrypt(jwe: string, own: OwnKey | null): Promise<string> {
  if (own === null) throw new IdentityRefusedError('refused', 'userinfo: no key to decrypt with')
  try {
    const { plaintext } = await compactDecrypt(jwe, own.key, {
      keyManagementAlgorithms: KEY_MANAGEMENT,
      contentEncryptionAlgorithms: CONTENT_ENCRYPTION,
    })
    return new TextDecoder().decode(plaintext)
  } catch {
    throw new IdentityRefusedError('refused', 'userinfo cannot be decrypted')
  }
}

async function verify(jws: string, rules: UserinfoRules): Promise<JWTPayload> {
  let payload: JWTPayload
  try {
    const verified = await jwtVerify(jws, rules.keys, {
      algorithms: [...rules.algorithms],
      clockTolerance: rules.toleranceSeconds,
      currentDate: rules.now,
    })
    payload = verified.payload
  } catch (error) {
    const { code = 'not a signed JWT' } = error as { code?: string }
    throw new IdentityRefusedError('refused', `userinfo signature: ${code}`)
  }
  // Both are recommended, not demanded (OpenID Connect Core, 5.3.2); what is there must be right.
  if (payload.iss !== undefined && payload.iss !== rules.issuer) {
    throw new IdentityRefusedError('refused', 'userinfo iss')
  }
  if (payload.aud !== undefined && ![payload.aud].flat().includes(rules.clientId)) {
    throw new IdentityRefusedError('refused', 'userinfo aud')
  }
  return payload
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>
    }
  } catch {
    // Answered below, like any other text that is no object.
  }
  throw new IdentityRefusedError('refused', 'userinfo is not a JSON object')
}
