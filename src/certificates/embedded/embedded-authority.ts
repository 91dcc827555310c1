import { randomBytes } from 'node:crypto'
import { SignatureWithheldError } from '../../errors.js'
import { certifyWith } from '../../keys/certify.js'
import { verifyDigest } from '../../keys/digest-verifier.js'
import type { KeyCustody } from '../../keys/key-custody.js'
import { digestOf } from '../../keys/digest.js'
import type {
  CertificateAuthority,
  IssuedCertificate,
  SubjectName,
} from '../certificate-authority.js'
import { NO_URLS, type CertificatePlan } from '../certificate-plan.js'
import type { ParsedCertificate } from '../certificate.js'
import { encodeName } from '../distinguished-name.js'
import { assembleCertificate, lintCertificate, type LintedCertificate } from '../lint.js'
import type { IssuedCertificateStore } from '../issued-certificates.js'
import type { CertificateProfile } from '../profiles.js'
import { encodeToBeSigned } from '../to-be-signed.js'
import type { AuthorityName, AuthorityRecord, AuthorityStore } from './authority-store.js'
import { ownAlgorithm } from '../algorithm-identifier.js'
import { checkedAuthority, type Authority } from './checked-authority.js'
import { DEFAULT_OWN_KEYS, type OwnKeys } from './own-key.js'
import { OCSP_PATH, PUBLISHED } from './published.js'

export interface EmbeddedAuthorityOptions {
  readonly custody: KeyCustody
  readonly store: AuthorityStore
  /** Where every certificate is on record before it is signed. */
  readonly issued: Pick<IssuedCertificateStore, 'register'>
  readonly now: () => Date
  readonly subject: { readonly organization: string; readonly country: string }
  /** Where the files of the authority and its OCSP responder are served; when absent certificates do not say. */
  readonly publicationUrl?: string
  /** What keys they get where there are none yet, and with which hashes they sign. */
  readonly keys?: Pick<OwnKeys, AuthorityName>
}

const MINUTE_SECONDS = 60
const DAY_SECONDS = 86_400
const ROOT_DAYS = 20 * 365
const ISSUING_DAYS = 10 * 365
const ANY_POLICY = '2.5.29.32.0'

/** A root and an issuing authority below it, whose keys live in key custody like everybody's. */
export class EmbeddedAuthority implements CertificateAuthority {
  readonly #options: EmbeddedAuthorityOptions
  readonly #root: Authority
  readonly #issuing: Authority

  private constructor(options: EmbeddedAuthorityOptions, root: Authority, issuing: Authority) {
    this.#options = options
    this.#root = root
    this.#issuing = issuing
  }

  /**
   * Takes up the authorities of the store, or makes them where there are none.
   * @throws {Error} when certificates and keys do not belong together
   */
  static async open(options: EmbeddedAuthorityOptions): Promise<EmbeddedAuthority> {
    const root = await openAuthority(options, 'root', null)
    const issuing = await openAuthority(options, 'issuing', root)
    return new EmbeddedAuthority(options, root, issuing)
  }

  /** DER. */
  get rootCertificate(): Buffer {
    return this.#root.certificate.der
  }

  /** Issuer first, DER. */
  get chain(): readonly Buffer[] {
    return [this.issuingCertificate, this.rootCertificate]
  }

  /** Whoever certifies, as services below it see it. */
  get issuing(): Authority {
    return this.#issuing
  }

  get root(): Authority {
    return this.#root
  }

  /** DER. */
  get issuingCertificate(): Buffer {
    return this.#issuing.certificate.der
  }

  async issue(request: {
    readonly keyId: string
    readonly publicKey: Buffer
    readonly subject: SubjectName
    readonly profile: CertificateProfile
    /** Its kind on record; the name of the profile when absent. */
    readonly recordedAs?: string
  }): Promise<IssuedCertificate> {
    const { custody, now, publicationUrl, issued } = this.#options
    const { keyId, publicKey, subject, profile, recordedAs = profile.name } = request
    const { email, ...name } = subject
    const issuer = this.#issuing.certificate
    const plan: CertificatePlan = {
      serialNumber: randomSerialNumber(),
      issuer: issuer.subjectName,
      subject: encodeName(name),
      ...validity(now(), profile.validitySeconds, issuer),
      publicKey: Buffer.from(publicKey),
      issuerPublicKey: issuer.publicKey,
      issuerAlgorithm: this.#issuing.algorithm,
      keyUsage: profile.keyUsage,
      authority: null,
      policyOids: profile.policyOid === undefined ? [] : [profile.policyOid],
      extendedKeyUsage: profile.extendedKeyUsage,
      extendedKeyUsageIsCritical: profile.extendedKeyUsageIsCritical,
      urls: urlsOf(publicationUrl, 'issuing', profile.revocation === 'checked'),
      ocspNoCheck: profile.revocation === 'unchecked',
      noRevocationAvailable: profile.revocation === 'unavailable',
      qcStatements: profile.qcStatements ?? null,
      email,
    }
    const linted = lintCertificate(encodeToBeSigned(plan), plan, issuer)
    await issued.register({
      serialNumber: plan.serialNumber.toString('hex').toUpperCase(),
      ...{ keyId, profile: recordedAs, issuedAt: now(), notAfter: plan.notAfter },
    })
    const certificate = await signCertificate(custody, linted, this.#issuing.keyId, keyId)
    return { certificate, chain: this.chain }
  }
}

async function openAuthority(
  options: EmbeddedAuthorityOptions,
  name: AuthorityName,
  issuer: Authority | null,
): Promise<Authority> {
  const { custody, store } = options
  const stored = await store.load(name)
  const { hash } = (options.keys ?? DEFAULT_OWN_KEYS)[name]
  if (stored !== null) return checkedAuthority(custody, name, stored, issuer, hash)
  const made = await makeAuthority(options, issuer).catch(async (error: unknown) => {
    // another replica may have been first, and the key process lets nobody certify a second one
    if ((await store.load(name)) === null) throw error
    return null
  })
  if (made) await store.save(name, made)
  const kept = await store.load(name)
  if (kept === null) throw new Error(`The ${name} authority could not be stored`)
  if (made && kept.keyId !== made.keyId) await custody.destroy(made.keyId)
  return checkedAuthority(custody, name, kept, issuer, hash)
}

async function makeAuthority(
  { custody, now, subject, publicationUrl, keys = DEFAULT_OWN_KEYS }: EmbeddedAuthorityOptions,
  issuer: Authority | null,
): Promise<AuthorityRecord> {
  const isRoot = issuer === null
  const { algorithm, hash } = keys[isRoot ? 'root' : 'issuing']
  const { keyId, publicKey } = await custody.generate(algorithm)
  const commonName = `${subject.organization} ${isRoot ? 'Root CA' : 'Issuing CA'}`
  const subjectName = encodeName({ ...subject, commonName })
  const plan: CertificatePlan = {
    serialNumber: randomSerialNumber(),
    issuer: issuer?.certificate.subjectName ?? subjectName,
    subject: subjectName,
    ...validity(
      now(),
      DAY_SECONDS * (isRoot ? ROOT_DAYS : ISSUING_DAYS),
      issuer?.certificate ?? null,
    ),
    publicKey,
    issuerPublicKey: issuer?.certificate.publicKey ?? publicKey,
    issuerAlgorithm: issuer?.algorithm ?? ownAlgorithm(algorithm, hash),
    keyUsage: ['keyCertSign', 'cRLSign'],
    authority: { pathLength: isRoot ? 1 : 0 },
    policyOids: isRoot ? [] : [ANY_POLICY],
    extendedKeyUsage: [],
    extendedKeyUsageIsCritical: false,
    // Who trusts the root does so on other grounds than what it says of itself.
    urls: isRoot ? NO_URLS : urlsOf(publicationUrl, 'root', true),
    ocspNoCheck: false,
    noRevocationAvailable: false,
    qcStatements: null,
    email: undefined,
  }
  try {
    const linted = lintCertificate(encodeToBeSigned(plan), plan, issuer?.certificate ?? null)
    const certificate = await signCertificate(custody, linted, issuer?.keyId ?? keyId, keyId)
    return { keyId, certificate }
  } catch (error) {
    await custody.destroy(keyId).catch(() => undefined) // the failure that counts is the first
    throw error
  }
}

async function signCertificate(
  custody: KeyCustody,
  linted: LintedCertificate,
  issuerKeyId: string,
  subjectKeyId: string,
): Promise<Buffer> {
  const { tbs } = linted
  const { issuerPublicKey, issuerAlgorithm: algorithm } = linted.plan
  const signature = await certifyWith(custody, { tbs, issuerKeyId, subjectKeyId, algorithm })
  const digest = digestOf(algorithm.hash, tbs)
  const good = await verifyDigest(issuerPublicKey, digest, signature, algorithm)
  if (!good) throw new SignatureWithheldError('A certificate signature does not verify')
  return assembleCertificate(linted, signature)
}

/** 16 bytes, so 126 random bits: the first is neither 0 nor makes the number negative. */
function randomSerialNumber(): Buffer {
  const serial = randomBytes(16)
  serial.writeUInt8((serial.readUInt8(0) & 0x7f) | 0x40, 0)
  return serial
}

/**
 * From a minute ago, for clocks that are slow; never outside the validity of the issuer. What is valid for
 * a minute or so begins at once.
 */
function validity(now: Date, seconds: number, issuer: ParsedCertificate | null) {
  const unit = seconds < DAY_SECONDS ? 1 : MINUTE_SECONDS
  const earlier = now.getTime() / 1000 - (unit === 1 ? 0 : MINUTE_SECONDS)
  const start = Math.floor(earlier / unit) * unit * 1000
  const notBefore = Math.max(start, issuer?.notBefore.getTime() ?? start)
  const end = start + seconds * 1000
  const notAfter = Math.min(end, issuer?.notAfter.getTime() ?? end)
  return { notBefore: new Date(notBefore), notAfter: new Date(notAfter) }
}

/** Where one finds what is said about certificates of that issuer. */
function urlsOf(base: string | undefined, issuer: AuthorityName, isChecked: boolean) {
  if (base === undefined) return NO_URLS
  const { certificate, crl } = PUBLISHED[issuer]
  return {
    crl: isChecked ? base + crl : null,
    // The issuing authority is listed by the root, whose key rests: there is no responder for it.
    ocsp: isChecked && issuer === 'issuing' ? base + OCSP_PATH : null,
    caIssuers: base + certificate,
  }
}
