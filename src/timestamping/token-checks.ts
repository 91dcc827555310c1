import { soundPath, useFlaws, type TrustAnchors } from '../certificates/certificate-path.js'
import { weakHash, weakness } from '../certificates/algorithm-policy.js'
import { isNamedBy } from '../certificates/path-constraints.js'
import type { FlawCode } from '../certificates/flaws.js'
import type { HashAlgorithm } from '../keys/algorithms.js'
import { readTimestampToken, type TimestampToken } from './timestamp-token.js'

/** What a token has to say, and who may say it. */
export interface TokenDemands {
  readonly hash: HashAlgorithm
  readonly digest: Buffer
  /** Content octets of an INTEGER. */
  readonly nonce: Buffer
  /** Null where any will do. */
  readonly policy: string | null
  readonly anchors: TrustAnchors
  readonly now: Date
  /** How far the clock of the authority may be from ours, and how coarse the accuracy it declares. */
  readonly toleranceSeconds: number
}

/** For the log of the operator. */
const WORDS: Readonly<Partial<Record<FlawCode, string>>> = {
  'signature-broken': 'Its signature does not verify',
  'content-changed': 'Its signed digest is of something else',
  'other-certificate-named': 'It names another certificate than that of its signer',
  'certificate-not-named': 'It does not name the certificate of its signer',
  'attributes-missing': 'A signed attribute is missing, is there twice, or has not one value',
}

/**
 * Checks what an authority has answered: that it is about what was asked, of now, and signed by a key that a
 * trusted authority certifies for timestamps and nothing else (S105).
 * @throws {Error} saying what does not hold
 */
export function checkToken(der: Buffer, demands: TokenDemands): TimestampToken {
  const token = readTimestampToken(der)
  const { hash, digest, nonce, policy, anchors } = demands
  const { authority, method, time } = token
  if (token.hash !== hash.name || !token.imprint.equals(digest)) {
    throw new Error('It is over another digest')
  }
  if (!token.nonce || !isSameNumber(token.nonce, nonce)) throw new Error('Its nonce is another')
  if (policy !== null && token.policy !== policy) throw new Error('Its policy is another')
  rejectInexact(token, demands)
  rejectOtherTime(token, demands)
  if (!authority || !method) throw new Error('The certificate of its signer is not inside')
  const [flaw] = token.flaws
  if (flaw) throw new Error(WORDS[flaw.code] ?? `It does not hold: ${flaw.code} ${flaw.about}`)
  const weak = weakHash(token.hash, time) ?? weakness(method, authority.key, time)
  if (weak !== null) throw new Error(`${weak} is too weak`)
  if (useFlaws(authority, 'timestamp').length > 0) {
    throw new Error('The key of its signer is not for timestamps alone')
  }
  if (token.authorityName !== null && !isNamedBy(authority, token.authorityName)) {
    throw new Error('It names another authority than its signer')
  }
  const { certificates } = token.material
  if (!soundPath(authority, certificates, anchors, { time, use: 'timestamp' })) {
    throw new Error('Its signer is not certified by anybody who is trusted')
  }
  return token
}

/** Of a time that is given or taken a week, any time would be right. */
function rejectInexact(token: TimestampToken, { toleranceSeconds }: TokenDemands): void {
  const seconds = token.accuracyMilliseconds / 1000
  if (seconds <= toleranceSeconds) return
  throw new Error(`Its time is not exact enough: give or take ${seconds} seconds`)
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
