import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import type { HashAlgorithm } from '../keys/algorithms.js'

/** So much is hashed at a time; others have their turn in between. */
const PIECE = 1024 * 1024

/** Without a copy of what may be as large as all there is room for, and without standing in anybody's way. */
export async function contentDigest(bytes: Buffer, { name }: HashAlgorithm): Promise<Buffer> {
  const hash = createHash(name)
  for (let at = 0; at < bytes.length; at += PIECE) {
    if (at > 0) await setImmediate()
    hash.update(bytes.subarray(at, at + PIECE))
  }
  return hash.digest()
}
