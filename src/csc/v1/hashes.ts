import { HASH_ALGORITHMS, hashAlgorithmByLength } from '../../keys/algorithms.js'
import { decodeBase64 } from '../../keys/base64.js'

/**
 * The OID of the algorithm that digests were made with, which v1 names when signing only: their length
 * tells. Undefined when there is no digest to judge by; a length that fits none is left to the rule
 * that refuses it.
 */
export function impliedHashAlgorithm(hashes: readonly unknown[]): string | undefined {
  const [first] = hashes
  const digest = typeof first === 'string' ? decodeBase64(first) : null
  if (!digest) return undefined
  return (hashAlgorithmByLength(digest.length) ?? HASH_ALGORITHMS.sha256).oid
}

/** `hash` of v1, as v2 takes it. */
export function asHashes(hash: readonly unknown[] | undefined) {
  return hash && { hashes: hash, hashAlgorithmOID: impliedHashAlgorithm(hash) }
}
