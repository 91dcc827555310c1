import { createPublicKey, verify, type KeyObject } from 'node:crypto'
import type { HashName } from '../algorithms.js'

/** One key is used for a long time, and parsing it costs as much as using it. */
const KEYS_KEPT = 100
const keys = new Map<string, KeyObject>()

/**
 * Whether the signature over a message that is at hand was made with the private half of the key, by PKCS#1
 * v1.5 or as a DER ECDSA-Sig-Value. It is found out in a thread, while this one goes on. Malformed is `false`.
 */
export function verifyMessage(
  publicKeySpki: Buffer,
  message: Buffer,
  signature: Buffer,
  hash: HashName,
): Promise<boolean> {
  return new Promise((resolve) => {
    try {
      const key = { key: keyOf(publicKeySpki), dsaEncoding: 'der' as const }
      verify(hash, message, key, signature, (error, good) => resolve(error === null && good))
    } catch {
      resolve(false)
    }
  })
}

function keyOf(spki: Buffer): KeyObject {
  const name = spki.toString('latin1')
  const known = keys.get(name)
  if (known) return known
  if (keys.size >= KEYS_KEPT) keys.clear()
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' })
  keys.set(name, key)
  return key
}
