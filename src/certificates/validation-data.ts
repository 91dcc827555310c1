import { ValidationDataUnavailableError } from '../errors.js'
import type { RevocationSource } from './own-revocation.js'
import { PathCertificate } from './path.js'
import type { RevocationClient } from './revocation-client.js'
import { readCrl, readOcsp, type RevocationStatement } from './revocation-statement.js'

/** What proves for years that certificates were good, each DER; every one is there once. */
export interface GatheredData {
  readonly certificates: readonly Buffer[]
  readonly crls: readonly Buffer[]
  readonly ocspResponses: readonly Buffer[]
}

export interface ValidationDataOptions {
  readonly client: Pick<RevocationClient, 'issuers' | 'ocsp' | 'crl'>
  /** Certificates that are trusted whatever they say, and end what is gathered; as they are now. */
  readonly anchors: () => readonly PathCertificate[]
  /** Of our own authority, without a request; null where there is none. */
  readonly own: RevocationSource | null
  readonly now: () => Date
}

const OCSP_SIGNING = '1.3.6.1.5.5.7.3.9'
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
  readonly #anchors: readonly PathCertificate[]
  readonly #pool: PathCertificate[] = []
  /** Their responses bring their certificates along. */
  readonly #responders: PathCertificate[] = []
  readonly #crls = new Map<string, Buffer>()
  readonly #ocspResponses = new Map<string, Buffer>()
  readonly #done = new Set<PathCertificate>()

  constructor(options: ValidationDataOptions, certificates: readonly Buffer[]) {
    this.#options = options
    this.#anchors = options.anchors()
    for (const der of certificates) {
      try {
        this.#add(new PathCertificate(der))
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

  #take(): PathCertificate | undefined {
    return [...this.#pool, ...this.#responders].find((each) => !this.#done.has(each))
  }

  #add(certificate: PathCertificate, to: PathCertificate[] = this.#pool): void {
    const known = [...this.#pool, ...to]
    if (!known.some((each) => each.equals(certificate))) to.push(certificate)
  }

  #isAnchor(certificate: PathCertificate): boolean {
    return this.#anchors.some((anchor) => anchor.equals(certificate))
  }

  async #lookInto(certificate: PathCertificate): Promise<void> {
    if (this.#isAnchor(certificate)) return
    const issuer = await this.#issuerOf(certificate)
    if (!issuer) {
      this.#note(certificate, 'its issuer is not known')
      return
    }
    this.#add(issuer)
    if (certificate.isUnchecked) return
    const failures: string[] = []
    for (const way of this.#waysFor(certificate)) {
      try {
        const statement = await way(certificate, issuer)
        if (!statement) continue
        if (statement.isRevoked) this.#note(certificate, 'it is revoked')
        if (statement.responder) this.#add(statement.responder, this.#responders)
        return
      } catch (error) {
        failures.push((error as Error).message)
      }
    }
    this.#note(certificate, failures.join('; ') || 'nobody tells whether it is revoked')
  }

  /** Among those at hand, else where the certificate says; the trusted ones first. */
  async #issuerOf(certificate: PathCertificate): Promise<PathCertificate | null> {
    const issued = (each: PathCertificate) => certificate.isIssuedBy(each)
    const known = [...this.#anchors, ...this.#pool].find(
      (each) => !each.equals(certificate) && issued(each),
    )
    if (known) return known
    if (certificate.isSelfIssued) return null
    return (await this.#options.client.issuers(certificate)).find(issued) ?? null
  }

  /** Of responders a CRL first: of itself a responder says nothing that counts. */
  #waysFor(certificate: PathCertificate): Way[] {
    const ways = [this.#ownOcsp, this.#ownCrl, this.#ocsp, this.#crl]
    const isResponder = certificate.extendedKeyUsage?.oids.includes(OCSP_SIGNING) === true
    return isResponder ? [this.#ownCrl, this.#crl] : ways
  }

  readonly #ownOcsp: Way = async (certificate, issuer) => {
    const now = this.#options.now()
    // Said after the signature and its timestamp were made, it proves the most.
    const bytes = await this.#options.own?.ocspResponse(certificate.der, now)
    if (!bytes) return null
    const statement = readOcsp(bytes, { certificate, issuer, now })
    return this.#keep(this.#ocspResponses, { bytes, statement })
  }

  readonly #ownCrl: Way = async (certificate, issuer) => {
    const bytes = await this.#options.own?.crl(certificate.der)
    if (!bytes) return null
    const statement = readCrl(bytes, { certificate, issuer, now: this.#options.now() })
    return this.#keep(this.#crls, { bytes, statement })
  }

  readonly #ocsp: Way = async (certificate, issuer) => {
    return this.#keep(this.#ocspResponses, await this.#options.client.ocsp(certificate, issuer))
  }

  readonly #crl: Way = async (certificate, issuer) => {
    return this.#keep(this.#crls, await this.#options.client.crl(certificate, issuer))
  }

  #keep(
    kind: Map<string, Buffer>,
    { bytes, statement }: { bytes: Buffer; statement: RevocationStatement },
  ): RevocationStatement {
    kind.set(bytes.toString('latin1'), bytes)
    return statement
  }

  #note({ parsed }: PathCertificate, why: string): void {
    this.problems.push(`${parsed.subject}: ${why}`)
  }
}

/** Null when it knows nothing of such a certificate. @throws {Error} when what it says does not hold */
type Way = (
  certificate: PathCertificate,
  issuer: PathCertificate,
) => Promise<RevocationStatement | null>
