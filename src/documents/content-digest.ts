import { createHash } from 'node:crypto'
import type { HashAlgorithm } from '../keys/algorithms.js'

/** From here on the digest is made beside the event loop. */
const LARGE = 1024 * 1024

export async function contentDigest(bytes: Buffer, { name }: HashAlgorithm): Promise<Buffer> {
  if (bytes.length < LARGE) return createHash(name).update(bytes).digest()
  const algorithm = name.replace('sha', 'SHA-')
  return Buffer.from(await crypto.subtle.digest(algorithm, bytes as Buffer<ArrayBuffer>))
}
