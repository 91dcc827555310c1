/** Bits of the key usage extension that we set. @see RFC 5280, 4.2.1.3 */
export const KEY_USAGE_BITS = {
  digitalSignature: 0,
  contentCommitment: 1,
  keyCertSign: 5,
  cRLSign: 6,
} as const

export type KeyUsage = keyof typeof KEY_USAGE_BITS

/**
 * What people learn of revocation: `checked` at the URLs in the certificate, `unchecked` because nobody
 * asks (id-pkix-ocsp-nocheck, for OCSP responders), `unavailable` because it ends before anybody could
 * ask (id-ce-noRevAvail).
 */
export type Revocation = 'checked' | 'unchecked' | 'unavailable'

/** What a qualified certificate states. @see EN 319 412-5 */
export interface QcStatements {
  /** Issued as a qualified certificate of the EU. */
  readonly compliance: boolean
  /** The key is in a qualified signature creation device. */
  readonly sscd: boolean
  readonly type: 'esign' | 'eseal' | null
  /** PKI disclosure statements: HTTPS URLs, by ISO 639-1 language. */
  readonly disclosures: readonly { readonly url: string; readonly language: string }[]
}

export interface CertificateProfileSettings {
  /** For logs and configuration: `signer`, `seal`, `one-time`, `tsa`, `ocsp`. */
  readonly name: string
  /** One of the two says for how long. */
  readonly validityDays?: number | undefined
  readonly validitySeconds?: number | undefined
  readonly keyUsage: readonly KeyUsage[]
  /** Certificate policy the certificates claim. */
  readonly policyOid?: string | undefined
  /** OIDs of extended key usages. */
  readonly extendedKeyUsage?: readonly string[] | undefined
  readonly extendedKeyUsageIsCritical?: boolean | undefined
  /** `checked` when absent. */
  readonly revocation?: Revocation | undefined
  readonly qcStatements?: QcStatements | undefined
}

class CheckedProfile {
  protected readonly checked = true // no object that merely looks alike passes for a profile
  readonly name: string
  readonly validitySeconds: number
  readonly keyUsage: readonly KeyUsage[]
  readonly policyOid: string | undefined
  readonly extendedKeyUsage: readonly string[]
  readonly extendedKeyUsageIsCritical: boolean
  readonly revocation: Revocation
  readonly qcStatements: QcStatements | undefined
  constructor(settings: CertificateProfileSettings) {
    this.name = settings.name
    this.validitySeconds = settings.validitySeconds ?? (settings.validityDays ?? 0) * DAY_SECONDS
    this.keyUsage = [...settings.keyUsage]
    this.policyOid = settings.policyOid
    this.extendedKeyUsage = [...(settings.extendedKeyUsage ?? [])]
    this.extendedKeyUsageIsCritical = settings.extendedKeyUsageIsCritical ?? false
    this.revocation = settings.revocation ?? 'checked'
    this.qcStatements = settings.qcStatements
  }
}

/** What certificates of one kind have in common; always of end entities, never of authorities. */
export type CertificateProfile = CheckedProfile

const OID = /^[0-2](?:\.(?:0|[1-9]\d*)){2,}$/
const DAY_SECONDS = 86_400
const LONGEST_VALIDITY_DAYS = 3_650
/** Longer than that, people want to know whether it was revoked. @see EN 319 412-1, 5.2 */
const LONGEST_UNREVOKED_SECONDS = DAY_SECONDS

/** @throws {Error} naming everything that is wrong with the settings */
export function certificateProfile(settings: CertificateProfileSettings): CertificateProfile {
  const { name, keyUsage, policyOid, extendedKeyUsage = [] } = settings
  const problems = []
  if (!/^[a-z][a-z-]*$/.test(name)) problems.push('name')
  problems.push(...validityProblems(settings))
  if (!isEndEntityUsage(keyUsage)) problems.push('keyUsage')
  if (policyOid !== undefined && !OID.test(policyOid)) problems.push('policyOid')
  const repeats = new Set(extendedKeyUsage).size !== extendedKeyUsage.length
  if (repeats || !extendedKeyUsage.every((oid) => OID.test(oid))) problems.push('extendedKeyUsage')
  if (isServicePurposeAmiss(settings)) problems.push('extendedKeyUsage')
  if (settings.extendedKeyUsageIsCritical === true && extendedKeyUsage.length === 0) {
    problems.push('extendedKeyUsageIsCritical')
  }
  if (!isUsefulRevocation(settings)) problems.push('revocation')
  if (settings.qcStatements && !areQcStatements(settings.qcStatements)) {
    problems.push('qcStatements')
  }
  if (problems.length > 0) throw new Error(`Certificate profile ${name}: ${problems.join(', ')}`)
  return new CheckedProfile(settings)
}

function validityProblems({ validityDays, validitySeconds }: CertificateProfileSettings): string[] {
  const isOne = (value: number | undefined, most: number) =>
    value === undefined || (Number.isInteger(value) && value >= 1 && value <= most)
  return [
    ...(isOne(validityDays, LONGEST_VALIDITY_DAYS) ? [] : ['validityDays']),
    ...(isOne(validitySeconds, LONGEST_VALIDITY_DAYS * DAY_SECONDS) ? [] : ['validitySeconds']),
    ...((validityDays === undefined) === (validitySeconds === undefined) ? ['validity'] : []),
  ]
}

function isEndEntityUsage(keyUsage: readonly KeyUsage[]): boolean {
  const allowed = keyUsage.every((usage) =>
    ['digitalSignature', 'contentCommitment'].includes(usage),
  )
  return allowed && keyUsage.length > 0 && new Set(keyUsage).size === keyUsage.length
}

export const TIME_STAMPING = '1.3.6.1.5.5.7.3.8'
export const OCSP_SIGNING = '1.3.6.1.5.5.7.3.9'

/** Whoever else had them could answer for the authority, or tell the time. */
const SERVICE_PURPOSES: Readonly<Record<string, string>> = {
  tsa: TIME_STAMPING,
  ocsp: OCSP_SIGNING,
}

/** Timestamps demand that of the key alone, and critically (RFC 3161, 2.3); OCSP is kept apart alike. */
function isServicePurposeAmiss(settings: CertificateProfileSettings): boolean {
  const { name, extendedKeyUsage = [], extendedKeyUsageIsCritical = false } = settings
  const purposes = Object.values(SERVICE_PURPOSES).filter((oid) => extendedKeyUsage.includes(oid))
  const [purpose] = purposes
  if (purpose === undefined) return false
  const isLax = purpose === TIME_STAMPING && !extendedKeyUsageIsCritical
  return extendedKeyUsage.length > 1 || SERVICE_PURPOSES[name] !== purpose || isLax
}

function isUsefulRevocation(settings: CertificateProfileSettings): boolean {
  const { revocation = 'checked', validitySeconds, validityDays = 0, extendedKeyUsage } = settings
  const seconds = validitySeconds ?? validityDays * DAY_SECONDS
  if (revocation === 'unavailable') return seconds <= LONGEST_UNREVOKED_SECONDS
  return revocation === 'checked' || extendedKeyUsage?.[0] === OCSP_SIGNING
}

function areQcStatements({ compliance, sscd, type, disclosures }: QcStatements): boolean {
  const areDisclosures = disclosures.every(
    ({ url, language }) => /^https:\/\/[!-~]+$/.test(url) && /^[a-z]{2}$/.test(language),
  )
  // A qualified certificate says what for, and where its terms are in English (EN 319 412-5, 4.3.4).
  const isComplete = type !== null && disclosures.some(({ language }) => language === 'en')
  const saysSomething = compliance || type !== null || disclosures.length > 0
  return areDisclosures && saysSomething && (!compliance || isComplete) && (compliance || !sscd)
}

/** Persons who sign documents: the key commits to content and does nothing else. */
export const SIGNER_SETTINGS = {
  name: 'signer',
  validityDays: 730,
  keyUsage: ['contentCommitment'],
} as const satisfies CertificateProfileSettings

export const SIGNER_PROFILE = certificateProfile(SIGNER_SETTINGS)

/** Organisations that seal. */
export const SEAL_SETTINGS = {
  name: 'seal',
  validityDays: 730,
  keyUsage: ['contentCommitment'],
} as const satisfies CertificateProfileSettings

/** A key for one signing session, gone before anybody could ask for revocation. */
export const ONE_TIME_SETTINGS = {
  name: 'one-time',
  validitySeconds: 60,
  keyUsage: ['contentCommitment'],
  revocation: 'unavailable',
} as const satisfies CertificateProfileSettings

/** The timestamping service. @see RFC 3161, 2.3 and EN 319 422, 6 */
export const TSA_SETTINGS = {
  name: 'tsa',
  validityDays: 1_826,
  keyUsage: ['digitalSignature'],
  extendedKeyUsage: [TIME_STAMPING],
  extendedKeyUsageIsCritical: true,
} as const satisfies CertificateProfileSettings

/** A delegated OCSP responder. @see RFC 6960, 4.2.2.2 */
export const OCSP_SETTINGS = {
  name: 'ocsp',
  validityDays: 90,
  keyUsage: ['digitalSignature'],
  extendedKeyUsage: [OCSP_SIGNING],
  revocation: 'unchecked',
} as const satisfies CertificateProfileSettings
