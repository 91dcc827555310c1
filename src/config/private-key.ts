import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** A private key from a file: PEM, or a JWK as JSON. */
export function readPrivateKey(file: string): { key: KeyObject; keyId: string | null } {
  const text = readFileSync(file, 'utf8').trim()
  if (!text.startsWith('{')) return { key: createPrivateKey(text), keyId: null }
  const jwk = JSON.parse(text) as { kid?: unknown }
  const key = createPrivateKey({ key: jwk, format: 'jwk' })
  return { key, keyId: typeof jwk.kid === 'string' ? jwk.kid : null }
}

/** What keeps the file's key from the use, or null. Says nothing of the file's content. */
export function privateKeyProblem(file: string, use: 'signing' | 'decryption'): string | null {
  let key: KeyObject
  try {
    ;({ key } = readPrivateKey(file))
  } catch {
    return `${file} does not hold a private key as PEM or JWK`
  }
  const { modulusLength = 0 } = key.asymmetricKeyDetails ?? {}
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return modulusLength >= 2048 ? null : `${file} holds an RSA key of less than 2048 bits`
    case 'ec':
      return null
    case 'ed25519':
      return use === 'signing' ? null : `${file} holds a key that cannot decrypt`
    case 'x25519':
      return use === 'decryption' ? null : `${file} holds a key that cannot sign`
    default:
      return `${file} holds a key of a kind that is not used here`
  }
}
