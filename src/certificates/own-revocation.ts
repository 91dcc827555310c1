import { parseCertificate, type ParsedCertificate } from './certificate.js'
import type { AuthorityName } from './embedded/authority-store.js'
import type { OcspResponder } from './ocsp/responder.js'
import type { RevocationLists } from './revocation-lists.js'

/** Revocation data of certificates that this very service issued, had without a request over the network. */
export interface RevocationSource {
  /**
   * The current `OCSPResponse`, whole, DER; null for certificates of others, and for those below the root,
   * for which there is a list.
   * @param since what was said before that second is not enough
   */
  ocspResponse(certificate: Buffer, since?: Date): Promise<Buffer | null>
  /** The current `CertificateList` of its issuer, DER; null for certificates of others. */
  crl(certificate: Buffer): Promise<Buffer | null>
}

/** What the embedded authority says of its certificates now: what its URLs would answer. */
export class OwnRevocation implements RevocationSource {
  readonly #responder: Pick<OcspResponder, 'current'>
  readonly #lists: Pick<RevocationLists, 'current'>
  readonly #authorities: readonly (readonly [AuthorityName, ParsedCertificate])[]

  constructor(parts: {
    readonly responder: Pick<OcspResponder, 'current'>
    readonly lists: Pick<RevocationLists, 'current'>
    readonly root: ParsedCertificate
    readonly issuing: ParsedCertificate
  }) {
    this.#responder = parts.responder
    this.#lists = parts.lists
    this.#authorities = [
      ['root', parts.root],
      ['issuing', parts.issuing],
    ]
  }

  ocspResponse(certificate: Buffer, since?: Date): Promise<Buffer | null> {
    return this.#responder.current(parseCertificate(certificate), since)
  }

  async crl(certificate: Buffer): Promise<Buffer | null> {
    const { issuerName } = parseCertificate(certificate)
    const [name] =
      this.#authorities.find(([, { subjectName }]) => subjectName.equals(issuerName)) ?? []
    return name === undefined ? null : (await this.#lists.current(name)).bytes
  }
}
