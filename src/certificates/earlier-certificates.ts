import { setTimeout as pause } from 'node:timers/promises'
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

/** What was found among the next few of many, and after which of them to go on; null at the end. */
export interface Found<Each, Place> {
  readonly found: readonly Each[]
  readonly next: Place | null
}

/** A certificate's place in the order of issuing. */
export interface IssuingPlace {
  readonly issuedAt: Date
  readonly serialNumber: string
}

export interface EarlierCertificateStore {
  /** Looks at so many credentials, in the order of their names. */
  findUnregistered(after: string, most: number): Promise<Found<UnregisteredCertificate, string>>
  registerEarlier(certificate: NewCertificate, revocation: Revocation | null): Promise<void>
  /**
   * Looks at so many certificates for signers. Found are serial numbers of those that are no credential's:
   * what was begun there failed.
   */
  findUnowned(after: IssuingPlace, before: Date, most: number): Promise<Found<string, IssuingPlace>>
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
  readonly #page: number

  /** @param parts.page how many of them are looked at together */
  constructor(parts: {
    readonly store: EarlierCertificateStore
    readonly issuer: ParsedCertificate
    readonly now: () => Date
    readonly page?: number
  }) {
    this.#store = parts.store
    this.#issuer = parts.issuer
    this.#now = parts.now
    this.#page = parts.page ?? PAGE
    this.#lookUntil = performance.now() + LOOK_FOR_MS
  }

  async reconcile(stopping?: AbortSignal): Promise<void> {
    await this.#revokeUnowned(stopping)
    if (performance.now() > this.#lookUntil) return
    let after: string | null = ''
    while (after !== null && !stopping?.aborted) {
      const begun = performance.now()
      const { found, next } = await this.#store.findUnregistered(after, this.#page)
      for (const each of found) await this.#register(each)
      if (next !== null) await leaveRoom(begun, stopping)
      after = next
    }
  }

  async #revokeUnowned(stopping?: AbortSignal): Promise<void> {
    const at = this.#now()
    const before = new Date(at.getTime() - UNOWNED_MS)
    const reason = 'cessationOfOperation'
    const issuedAt = new Date(at.getTime() - LOOK_BACK_MS)
    let after: IssuingPlace | null = { issuedAt, serialNumber: '' }
    while (after !== null && !stopping?.aborted) {
      const begun = performance.now()
      const { found, next } = await this.#store.findUnowned(after, before, this.#page)
      for (const serialNumber of found) {
        const event = auditEvent('certificate.revoked', { serialNumber, reason })
        await this.#store.revoke(serialNumber, { at, reason }, [event])
      }
      if (next !== null) await leaveRoom(begun, stopping)
      after = next
    }
  }

  async #register({ keyId, certificate, revocation }: UnregisteredCertificate): Promise<void> {
    const { issuerName, serialNumber, notBefore, notAfter } = parseCertificate(certificate)
    if (!issuerName.equals(this.#issuer.subjectName)) return // issued by others
    const facts = { serialNumber, keyId, profile: 'signer', issuedAt: notBefore, notAfter }
    await this.#store.registerEarlier(facts, revocation)
  }
}

/** Signers come first: nothing is done here for nine times as long as a page among very many took. */
async function leaveRoom(begun: number, stopping?: AbortSignal): Promise<void> {
  const took = performance.now() - begun
  await pause(took * 9, undefined, stopping ? { signal: stopping } : {}).catch(() => undefined)
}
