import { RefusedRequestError } from '../errors.js'
import { decodeBase64 } from '../keys/base64.js'

/** @throws {RefusedRequestError} in the words of the CSC API when one is not Base64 text */
export function decodeHashes(hashes: readonly unknown[]): Buffer[] {
  return hashes.map((hash) => {
    const digest = typeof hash === 'string' ? decodeBase64(hash) : null
    if (!digest) throw new RefusedRequestError('Invalid Base64 hash string parameter')
    return digest
  })
}
