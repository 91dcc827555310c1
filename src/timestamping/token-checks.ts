import { buildPath, PathCertificate } from '../certificates/path.js'
import type { HashAlgorithm } from '../keys/algorithms.js'
import { TimestampToken } from './timestamp-token.js'

const TIME_STAMPING = '1.3.6.1.5.5.7.3.8'

/** What a token has to say, and who may say it. */
export interface TokenDemands {
  readonly hash: HashAlgorithm
  readonly digest: Buffer
  /** Content octets of an INTEGER. */
  readonly nonce: Buffer
  /** Null where any will do. */
  readonly policy: string | null
  readonly anchors: readonly PathCertificate[]
  readonly now: Date
  /** How far the clock of the authority may be from ours, besides the accuracy it declares. */
  readonly toleranceSeconds: number
}

/**
 * Checks what an authority has answered: that it is about what was asked, of now, and signed by a key that a
 * trusted authority certifies for timestamps and nothing else (S105).
 * @throws {Error} saying what does not hold
 */
export function checkToken(der: Buffer, demands: TokenDemands): TimestampToken {
  const token = TimestampToken.parse(der)
  const { hash, digest, nonce, policy, anchors } = demands
  if (token.hashOid !== hash.oid || !token.digest.equals(digest)) {
    throw new Error('It is over another digest')
  }
  if (!token.nonce || !isSameNumber(token.nonce, nonce)) throw new Error('Its nonce is another')
  if (policy !== null && token.policy !== policy) throw new Error('Its policy is another')
  rejectOtherTime(token, demands)
  const der509 = token.signerCertificate()
  if (!der509) throw new Error('The certificate of its signer is not inside')
  token.rejectForged(der509)
  const signer = new PathCertificate(der509)
  rejectOtherUse(signer)
  const others = token.certificates.map((each) => new PathCertificate(each))
  if (!buildPath(signer, others, anchors, token.time)) {
    throw new Error('Its signer is not certified by anybody who is trusted')
  }
  return token
}

/** @see RFC 3161, 2.3: the one use, and critical */
export function rejectOtherUse(signer: PathCertificate): void {
  const { oids = [], isCritical = false } = signer.extendedKeyUsage ?? {}
  if (oids.length !== 1 || oids[0] !== TIME_STAMPING || !isCritical) {
    throw new Error('The key of its signer is not for timestamps alone')
  }
}

function rejectOtherTime({ time, accuracyMilliseconds }: TimestampToken, demands: TokenDemands) {
  const off = Math.abs(time.getTime() - demands.now.getTime())
  if (off <= demands.toleranceSeconds * 1000 + accuracyMilliseconds) return
  throw new Error(`Its time is ${Math.round(off / 1000)} seconds off`)
}

/** Zeros in front do not count. */
function isSameNumber(a: Buffer, b: Buffer): boolean {
  const digits = (bytes: Buffer) => bytes.toString('hex').replace(/^0+/, '')
  return digits(a) === digits(b)
}
