import { fromBER, Integer, Sequence } from 'asn1js'
import type { HashAlgorithm } from './algorithms.js'
import type { PublicKey } from './certificate.js'
import type { Bytes } from './encoding.js'

/**
 * Whether `signature` is one over `content` by the key. Hashes the content anew: nothing of what was
 * sent to the server, or came from it, is taken for granted.
 */
export async function verify(
  publicKey: PublicKey,
  hash: HashAlgorithm,
  content: Bytes,
  signature: Bytes,
): Promise<boolean> {
  if (publicKey.kind === 'RSA') {
    const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: hash.name }
    const key = await crypto.subtle.importKey('spki', publicKey.spki, algorithm, false, ['verify'])
    return crypto.subtle.verify(algorithm.name, key, signature, content)
  }
  const raw = rawEcdsaSignature(signature, publicKey.curve.bytes)
  if (!raw) return false
  const algorithm = { name: 'ECDSA', namedCurve: publicKey.curve.name }
  const key = await crypto.subtle.importKey('spki', publicKey.spki, algorithm, false, ['verify'])
  return crypto.subtle.verify({ name: 'ECDSA', hash: hash.name }, key, raw, content)
}

/**
 * WebCrypto wants r ‖ s, each as long as the field; the service sends the DER form of certificates
 * and CMS. Null when it is not that.
 * @see RFC 3279, 2.2.3 (Ecdsa-Sig-Value)
 */
export function rawEcdsaSignature(der: Bytes, size: number): Bytes | null {
  const { offset, result } = fromBER(der)
  if (offset !== der.length || !(result instanceof Sequence)) return null
  const [r, s, ...more] = result.valueBlock.value
  if (!(r instanceof Integer) || !(s instanceof Integer) || more.length > 0) return null
  const raw = new Uint8Array(2 * size)
  for (const [index, integer] of [r, s].entries()) {
    const bytes = withoutLeadingZeros(integer.valueBlock.valueHexView)
    if (bytes.length > size) return null
    raw.set(bytes, (index + 1) * size - bytes.length)
  }
  return raw
}

function withoutLeadingZeros(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte) => byte !== 0)
  return first === -1 ? bytes.subarray(0, 0) : bytes.subarray(first)
}

/** A copy with one bit turned, and where. An empty content gets a byte. */
export function tamper(content: Bytes): { content: Bytes; at: number } {
  if (content.length === 0) return { content: Uint8Array.of(0x21), at: 0 }
  const copy = content.slice()
  const at = Math.floor(copy.length / 2)
  copy[at] = (copy[at] ?? 0) ^ 1
  return { content: copy, at }
}
