/** Bits of the key usage extension that we set. @see RFC 5280, 4.2.1.3 */
export const KEY_USAGE_BITS = {
  digitalSignature: 0,
  contentCommitment: 1,
  keyCertSign: 5,
  cRLSign: 6,
} as const

export type KeyUsage = keyof typeof KEY_USAGE_BITS

export interface CertificateProfileSettings {
  /** For logs and configuration: `signer`, later `seal`, `one-time`, `tsa`, `ocsp`. */
  readonly name: string
  readonly validityDays: number
  readonly keyUsage: readonly KeyUsage[]
  /** Certificate policy the certificates claim. */
  readonly policyOid?: string | undefined
  /** OIDs of extended key usages. */
  readonly extendedKeyUsage?: readonly string[] | undefined
}

class CheckedProfile {
  protected readonly checked = true // no object that merely looks alike passes for a profile
  readonly name: string
  readonly validityDays: number
  readonly keyUsage: readonly KeyUsage[]
  readonly policyOid: string | undefined
  readonly extendedKeyUsage: readonly string[]
  constructor(settings: CertificateProfileSettings) {
    this.name = settings.name
    this.validityDays = settings.validityDays
    this.keyUsage = [...settings.keyUsage]
    this.policyOid = settings.policyOid
    this.extendedKeyUsage = [...(settings.extendedKeyUsage ?? [])]
  }
}

/** What certificates of one kind have in common; always of end entities, never of authorities. */
export type CertificateProfile = CheckedProfile

const OID = /^[0-2](?:\.(?:0|[1-9]\d*)){2,}$/
const LONGEST_VALIDITY_DAYS = 3_650

/** @throws {Error} naming everything that is wrong with the settings */
export function certificateProfile(settings: CertificateProfileSettings): CertificateProfile {
  const { name, validityDays, keyUsage, policyOid, extendedKeyUsage = [] } = settings
  const problems = []
  if (!/^[a-z][a-z-]*$/.test(name)) problems.push('name')
  const inRange = validityDays >= 1 && validityDays <= LONGEST_VALIDITY_DAYS
  if (!Number.isInteger(validityDays) || !inRange) problems.push('validityDays')
  if (!isEndEntityUsage(keyUsage)) problems.push('keyUsage')
  if (policyOid !== undefined && !OID.test(policyOid)) problems.push('policyOid')
  const repeats = new Set(extendedKeyUsage).size !== extendedKeyUsage.length
  if (repeats || !extendedKeyUsage.every((oid) => OID.test(oid))) problems.push('extendedKeyUsage')
  if (problems.length > 0) throw new Error(`Certificate profile ${name}: ${problems.join(', ')}`)
  return new CheckedProfile(settings)
}

function isEndEntityUsage(keyUsage: readonly KeyUsage[]): boolean {
  const allowed = keyUsage.every((usage) =>
    ['digitalSignature', 'contentCommitment'].includes(usage),
  )
  return allowed && keyUsage.length > 0 && new Set(keyUsage).size === keyUsage.length
}

/** Persons who sign documents: the key commits to content and does nothing else. */
export const SIGNER_PROFILE = certificateProfile({
  name: 'signer',
  validityDays: 730,
  keyUsage: ['contentCommitment'],
})
