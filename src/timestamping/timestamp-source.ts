import type { HashAlgorithm } from '../keys/algorithms.js'

/** Where timestamps come from: our own authority, or others. */
export interface TimestampSource {
  /**
   * A `TimeStampToken` (DER) over the digest, its certificates inside.
   * @param nonce content octets of a positive INTEGER in DER, which come back in the token; ours to choose, or none, when absent
   * @throws {TimestampUnavailableError} when no authority gives a token that holds
   */
  timestamp(digest: Buffer, hash: HashAlgorithm, nonce?: Buffer): Promise<Buffer>
}
