import { createHash, timingSafeEqual } from 'node:crypto'
import { bytesOf, childrenOf, readElement } from '../certificates/asn1.js'
import { problem, remark, type Finding } from './findings.js'

/** The rules under which somebody says to have signed, by their name and their digest. */
export interface NamedPolicy {
  /** An OID in figures, or a URI. */
  readonly identifier: string
  /** Null where the signature does not say which text of these rules it means. */
  readonly digest: { readonly hash: string; readonly value: Buffer } | null
  /** The text, where it came along (signature-policy-store). */
  readonly stored: Buffer | null
  /** What of a text is hashed before anything else is tried, such as after transforms. @throws {Error} */
  readonly transformed?: (text: Buffer) => Buffer
}

export type ClaimedPolicy = NamedPolicy | 'implied' | 'unreadable'

/** What we know of policies, and how much a name says that we do not know. */
export interface PolicyRules {
  readonly texts: readonly { readonly identifier: string; readonly text: Buffer }[]
  /** What becomes of signatures under a policy whose text is not at hand. */
  readonly unknown: 'undecided' | 'remark'
}

export const NO_POLICIES: PolicyRules = { texts: [], unknown: 'undecided' }

const LONGEST_NAME = 200

/** Names are compared without what only says that they are OIDs. */
export function policyIdentifier(name: string): string {
  return name.trim().replace(/^urn:oid:/i, '')
}

/**
 * Whether the text of the policy is here, and the one that was meant (EN 319 102-1, 5.2.4). What it demands is
 * for people to read.
 */
export function policyFindings(policy: ClaimedPolicy | null, rules: PolicyRules): Finding[] {
  if (policy === null) return []
  if (policy === 'implied') return [remark('policy-implied')]
  if (policy === 'unreadable') return [problem('POLICY_PROCESSING_ERROR', 'policy-unreadable')]
  const { digest, stored } = policy
  const name = policy.identifier.slice(0, LONGEST_NAME)
  const known = rules.texts.filter(({ identifier }) => identifier === policy.identifier)
  // What came along is worth something only where the signature says which text it means.
  const texts = [...known.map(({ text }) => text), ...(stored && digest ? [stored] : [])]
  if (texts.length === 0) {
    return rules.unknown === 'remark'
      ? [remark('policy-unknown', name)]
      : [problem('SIGNATURE_POLICY_NOT_AVAILABLE', 'policy-unknown', name)]
  }
  return digest === null || texts.some((text) => isMeant(policy, text))
    ? [remark('policy-known', name)]
    : [problem('POLICY_PROCESSING_ERROR', 'policy-other-text', name)]
}

function isMeant({ digest, transformed }: NamedPolicy, text: Buffer): boolean {
  if (digest === null) return false
  const ways = [transformed ?? ((bytes: Buffer) => bytes), infoOf]
  return ways.some((way) => {
    try {
      const actual = createHash(digest.hash).update(way(text)).digest()
      return actual.length === digest.value.length && timingSafeEqual(actual, digest.value)
    } catch {
      return false // not of that kind
    }
  })
}

/** Of a policy in ASN.1, all but the outer header and the digest at its end. @see RFC 3125, 3.1 */
function infoOf(text: Buffer): Buffer {
  const [algorithm, info] = childrenOf(readElement(text))
  return Buffer.concat([bytesOf(algorithm), bytesOf(info)])
}
