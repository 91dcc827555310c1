import { hash } from 'node:crypto'
import type { HashAlgorithm } from './algorithms.js'

/** The digest of octets that are at hand as a whole: a hash object would take as long again as the hashing. */
export function digestOf({ name }: Pick<HashAlgorithm, 'name'>, octets: Uint8Array): Buffer {
  return Buffer.from(hash(name, octets, 'binary'), 'latin1')
}
