import type { KeyCustody } from '../../keys/key-custody.js'
import type {
  CertificateAuthority,
  IssuedCertificate,
  SubjectName,
} from '../certificate-authority.js'
import { demandCertified } from '../certified.js'
import { encodeName } from '../distinguished-name.js'
import type { CertificateProfile } from '../profiles.js'
import { requestCertificate } from '../proof-of-possession.js'

/** How one kind of certification authority is asked. */
export interface Enrolment {
  /**
   * @param request PKCS#10, DER
   * @param name unique among our requests, for authorities that want one
   * @returns certificates in any order, DER: the one that was asked for, and some of those above it
   * @throws {CertificateUnavailableError} when it gives none
   */
  enrol(request: Buffer, name: string): Promise<readonly Buffer[]>
}

/** A certification authority of others. It is believed nothing: what it gives is compared with what was asked for. */
export class RemoteAuthority implements CertificateAuthority {
  readonly #enrolment: Enrolment
  readonly #custody: KeyCustody
  readonly #anchors: readonly Buffer[]
  readonly #now: () => Date

  constructor(parts: {
    readonly enrolment: Enrolment
    readonly custody: KeyCustody
    /** Roots under which its certificates are, DER. */
    readonly anchors: readonly Buffer[]
    readonly now: () => Date
  }) {
    this.#enrolment = parts.enrolment
    this.#custody = parts.custody
    this.#anchors = parts.anchors
    this.#now = parts.now
  }

  /** @throws {CertificateUnavailableError} @throws {UnfitCertificateError} */
  async issue(request: {
    readonly keyId: string
    readonly publicKey: Buffer
    readonly subject: SubjectName
    readonly profile: CertificateProfile
  }): Promise<IssuedCertificate> {
    const { keyId, publicKey, subject, profile } = request
    const asked = { subject: encodeName(subject), publicKey }
    const csr = await requestCertificate(this.#custody, keyId, asked)
    const given = await this.#enrolment.enrol(csr, keyId)
    const [anchors, now] = [this.#anchors, this.#now()]
    return demandCertified(given, { publicKey, subject, profile, anchors, now })
  }
}
