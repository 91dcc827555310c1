import { ValidationDataUnavailableError } from '../errors.js'
import type { RevocationSource } from './own-revocation.js'
import type { TrustAnchors } from './certificate-path.js'
import { readCrl } from './crl.js'
import {
  EXTENDED_KEY_USAGES,
  isAuthority,
  isIssuedBy,
  isSelfIssued,
  isUnchecked,
  knownCertificate,
  type KnownCertificate,
} from './known-certificate.js'
import { readOcspResponse } from './ocsp-response.js'
import type { RevocationAnswer } from './revocation-answer.js'
import type { Fetched, RevocationClient } from './revocation-client.js'
import { freshAnswer } from './revocation-records.js'

/** What proves for years that certificates were good, each DER; every one is there once. */
export interface GatheredData {
  readonly certificates: readonly Buffer[]
  readonly crls: readonly Buffer[]
  readonly ocspResponses: readonly Buffer[]
}

export interface ValidationDataOptions {
  readonly client: Pick<RevocationClient, 'issuers' | 'ocsp' | 'crl'>
  /** Certificates that are trusted whatever they say, and end what is gathered; as they are now. */
  readonly anchors: () => TrustAnchors
  /** Of our own authority, without a request; null where there is none. */
  readonly own: RevocationSource | null
  readonly now: () => Date
}

/** Certificates for which data are gathered in one go: of strangers' chains there is an end. */
const MOST_CERTIFICATES = 24

/** Gathers what is needed to validate certificates later, when nobody can be asked any more. */
export class ValidationDataSource {
  readonly #options: ValidationDataOptions

  constructor(options: ValidationDataOptions) {
    this.#options = options
  }

  /**
   * All of it: chains up to an anchor, and for every certificate but those that need none an OCSP response,
   * or else a CRL, which says that it is good.
   * @throws {ValidationDataUnavailableError} when something cannot be had, or is revoked
   */
  async validationData(certificates: readonly Buffer[]): Promise<GatheredData> {
    const gathering = new Gathering(this.#options, certificates)
    await gathering.finish()
    const [problem] = gathering.problems
    if (problem) throw new ValidationDataUnavailableError(problem)
    return gathering.found
  }

  /** As much of it as can be had, also what says that certificates are revoked: for those who judge. */
  async whatThereIs(certificates: readonly Buffer[]): Promise<GatheredData> {
    const gathering = new Gathering(this.#options, certificates)
    await gathering.finish()
    return gathering.found
  }
}

/** One errand: certificates lead to issuers and to responders, which are certificates, too. */
class Gathering {
  readonly problems: string[] = []
  readonly #options: ValidationDataOptions
  readonly #anchors: TrustAnchors
  readonly #pool: KnownCertificate[] = []
  /** Their responses bring their certificates along. */
  readonly #responders: KnownCertificate[] = []
  readonly #crls = new Map<string, Buffer>()
  readonly #ocspResponses = new Map<string, Buffer>()
  readonly #done = new Set<KnownCertificate>()

  constructor(options: ValidationDataOptions, certificates: readonly Buffer[]) {
    this.#options = options
    this.#anchors = options.anchors()
    for (const der of certificates) {
      try {
        this.#add(knownCertificate(der))
      } catch {
        this.problems.push('what was given is no certificate')
      }
    }
  }

  get found(): GatheredData {
    return {
      certificates: this.#pool.map(({ der }) => der),
      crls: [...this.#crls.values()],
      ocspResponses: [...this.#ocspResponses.values()],
    }
  }

  async finish(): Promise<void> {
    for (let next = this.#take(); next; next = this.#take()) {
      this.#done.add(next)
      if (this.#done.size > MOST_CERTIFICATES)
        return void this.problems.push('the chain has no end')
      await this.#lookInto(next)
    }
  }

  #take(): KnownCertificate | undefined {
    return [...this.#pool, ...this.#responders].find((each) => !this.#done.has(each))
  }

  #add(certificate: KnownCertificate, to: KnownCertificate[] = this.#pool): void {
    const known = [...this.#pool, ...to]
    if (!known.some(({ fingerprint }) => fingerprint === certificate.fingerprint))
      to.push(certificate)
  }

  async #lookInto(certificate: KnownCertificate): Promise<void> {
    if (this.#anchors.has(certificate)) return
    const issuer = await this.#issuerOf(certificate)
    if (!issuer) {
      this.#note(certificate, 'its issuer is not known')
      return
    }
    this.#add(issuer)
    if (isUnchecked(certificate)) return
    const failures: string[] = []
    for (const way of this.#waysFor(certificate)) {
      try {
        const answer = await way(certificate, issuer)
        if (!answer) continue
        if (answer.revoked) this.#note(certificate, 'it is revoked')
        if (answer.signer !== issuer) this.#add(answer.signer, this.#responders)
        return
      } catch (error) {
        failures.push((error as Error).message)
      }
    }
    this.#note(certificate, failures.join('; ') || 'nobody tells whether it is revoked')
  }

  /** Among those at hand, else where the certificate says; the trusted ones first. */
  async #issuerOf(certificate: KnownCertificate): Promise<KnownCertificate | null> {
    const issued = (each: KnownCertificate) =>
      each.fingerprint !== certificate.fingerprint &&
      isAuthority(each) &&
      isIssuedBy(certificate, each)
    const known = [...this.#anchors.all, ...this.#pool].find(issued)
    if (known) return known
    if (isSelfIssued(certificate)) return null
    return (await this.#options.client.issuers(certificate)).find(issued) ?? null
  }

  /** Of responders a CRL first: of itself a responder says nothing that counts. */
  #waysFor(certificate: KnownCertificate): Way[] {
    const ways = [this.#ownOcsp, this.#ownCrl, this.#ocsp, this.#crl]
    const isResponder =
      certificate.extendedKeyUsage?.includes(EXTENDED_KEY_USAGES.ocspSigning) === true
    return isResponder ? [this.#ownCrl, this.#crl] : ways
  }

  readonly #ownOcsp: Way = async (certificate, issuer) => {
    const now = this.#options.now()
    // Said after the signature and its timestamp were made, it proves the most.
    const bytes = await this.#options.own?.ocspResponse(certificate.der, now)
    if (!bytes) return null
    const answer = freshAnswer(readOcspResponse(bytes), { certificate, issuer, time: now })
    return this.#keep(this.#ocspResponses, { bytes, answer })
  }

  readonly #ownCrl: Way = async (certificate, issuer) => {
    const bytes = await this.#options.own?.crl(certificate.der)
    if (!bytes) return null
    const answer = freshAnswer(readCrl(bytes), { certificate, issuer, time: this.#options.now() })
    return this.#keep(this.#crls, { bytes, answer })
  }

  readonly #ocsp: Way = async (certificate, issuer) => {
    return this.#keep(this.#ocspResponses, await this.#options.client.ocsp(certificate, issuer))
  }

  readonly #crl: Way = async (certificate, issuer) => {
    return this.#keep(this.#crls, await this.#options.client.crl(certificate, issuer))
  }

  #keep(kind: Map<string, Buffer>, { bytes, answer }: Fetched): RevocationAnswer {
    kind.set(bytes.toString('latin1'), bytes)
    return answer
  }

  #note({ subject }: KnownCertificate, why: string): void {
    this.problems.push(`${subject}: ${why}`)
  }
}

/** Null when it knows nothing of such a certificate. @throws {Error} when what it says does not hold */
type Way = (
  certificate: KnownCertificate,
  issuer: KnownCertificate,
) => Promise<RevocationAnswer | null>
