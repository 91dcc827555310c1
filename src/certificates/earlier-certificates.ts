import { auditEvent, type AuditEvent } from '../audit/events.js'
import { parseCertificate, type ParsedCertificate } from './certificate.js'
import type { NewCertificate } from './issued-certificates.js'
import type { Revocation } from './revocation.js'

/** A credential whose certificate is not on record. */
export interface UnregisteredCertificate {
  readonly credentialId: string
  readonly keyId: string
  /** DER. */
  readonly certificate: Buffer
  readonly revocation: Revocation | null
}

export interface EarlierCertificateStore {
  /** In the order of the credentials' names. */
  listUnregistered(after: string, most: number): Promise<readonly UnregisteredCertificate[]>
  registerEarlier(certificate: NewCertificate, revocation: Revocation | null): Promise<void>
  /** Serial numbers of certificates for signers that are no credential's: what was begun there failed. */
  listUnowned(issuedAfter: Date, issuedBefore: Date): Promise<readonly string[]>
  revoke(
    serialNumber: string,
    revocation: Revocation,
    audit: readonly AuditEvent[],
  ): Promise<boolean>
}

const PAGE = 200
const HOUR_MS = 3600_000
/** Issuing takes seconds. */
const UNOWNED_MS = HOUR_MS
/** And whoever is to clean up is away for days at most. */
const LOOK_BACK_MS = 7 * 24 * HOUR_MS
/** While a release is rolled out, the one before may issue certificates without a record. */
const LOOK_FOR_MS = 2 * HOUR_MS

/** Puts on record what was issued without: by releases that kept no record, and for keys that came to nothing. */
export class EarlierCertificates {
  readonly #store: EarlierCertificateStore
  readonly #issuer: ParsedCertificate
  readonly #now: () => Date
  readonly #lookUntil: number

  constructor(parts: {
    readonly store: EarlierCertificateStore
    readonly issuer: ParsedCertificate
    readonly now: () => Date
  }) {
    this.#store = parts.store
    this.#issuer = parts.issuer
    this.#now = parts.now
    this.#lookUntil = performance.now() + LOOK_FOR_MS
  }

  async reconcile(stopping?: AbortSignal): Promise<void> {
    await this.#revokeUnowned()
    if (performance.now() > this.#lookUntil) return
    for (let after = ''; !stopping?.aborted;) {
      const page = await this.#store.listUnregistered(after, PAGE)
      for (const each of page) {
        after = each.credentialId
        await this.#register(each)
      }
      if (page.length < PAGE) return
    }
  }

  async #revokeUnowned(): Promise<void> {
    const at = this.#now()
    const [after, before] = [LOOK_BACK_MS, UNOWNED_MS].map((ms) => new Date(at.getTime() - ms))
    if (!after || !before) return
    const reason = 'cessationOfOperation'
    for (const serialNumber of await this.#store.listUnowned(after, before)) {
      const event = auditEvent('certificate.revoked', { serialNumber, reason })
      await this.#store.revoke(serialNumber, { at, reason }, [event])
    }
  }

  async #register({ keyId, certificate, revocation }: UnregisteredCertificate): Promise<void> {
    const { issuerName, serialNumber, notBefore, notAfter } = parseCertificate(certificate)
    if (!issuerName.equals(this.#issuer.subjectName)) return // issued by others
    const facts = { serialNumber, keyId, profile: 'signer', issuedAt: notBefore, notAfter }
    await this.#store.registerEarlier(facts, revocation)
  }
}
