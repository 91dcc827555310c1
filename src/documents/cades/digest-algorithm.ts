import { AlgorithmIdentifier } from 'pkijs'
import type { HashAlgorithm } from '../../keys/algorithms.js'
import { encoded } from './der-encoding.js'

/** AlgorithmIdentifier, DER, without parameters. @see RFC 5754, 2 */
export function digestAlgorithmIdentifier(hash: HashAlgorithm): Buffer {
  return encoded(new AlgorithmIdentifier({ algorithmId: hash.oid }).toSchema())
}
