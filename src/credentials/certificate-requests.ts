import { createHash, randomUUID } from 'node:crypto'
import { auditEvent, type AuditEvent } from '../audit/events.js'
import { parseCertificate } from '../certificates/certificate.js'
import { demandCertified } from '../certificates/certified.js'
import { encodeName } from '../certificates/distinguished-name.js'
import { requestCertificate } from '../certificates/proof-of-possession.js'
import type { Secrets } from '../config/secrets.js'
import { UnfitCertificateError } from '../errors.js'
import type { User, UserStore } from '../identity/user.js'
import type { KeyAlgorithm } from '../keys/algorithms.js'
import type { GeneratedKey, KeyCustody } from '../keys/key-custody.js'
import { newKeyId, type Custody } from '../keys/key-id.js'
import { boundFacts } from './binding.js'
import type { Credential } from './credential.js'
import { subjectOf, termsOf, type CredentialTerms } from './credential-terms.js'
import type { NewCredential } from './credentials.js'

/** A key that waits for somebody to bring its certificate; then it becomes a credential of the same name. */
export interface CertificateRequest {
  readonly id: string
  readonly keyId: string
  readonly keyAlgorithm: KeyAlgorithm
  readonly terms: CredentialTerms
  /** MAC over all of it: a key that was swapped is noticed (S17). */
  readonly binding: string
}

export interface CertificateRequestStore {
  /** The key is the request's from then on. */
  add(request: CertificateRequest, createdAt: Date, audit: readonly AuditEvent[]): Promise<void>
  /** With its key as the custody made it; null for one that is gone. */
  find(id: string): Promise<{ request: CertificateRequest; key: GeneratedKey } | null>
  /** The credential takes its place, and the key. Of concurrent calls, one gets true. */
  fulfil(
    credential: Credential,
    createdAt: Date,
    audit: readonly AuditEvent[],
    wrapped: string | null,
  ): Promise<boolean>
  /** The key is to be destroyed. False when it is gone. */
  withdraw(id: string, audit: readonly AuditEvent[]): Promise<boolean>
}

/** Keys whose certificates an operator gets elsewhere: a request goes out, a certificate comes back. */
export class CertificateRequests {
  readonly #store: CertificateRequestStore
  readonly #custody: KeyCustody
  readonly #keptIn: Custody
  readonly #secrets: Secrets
  readonly #now: () => Date

  constructor(parts: {
    readonly store: CertificateRequestStore
    readonly custody: KeyCustody
    readonly keptIn: Custody
    readonly secrets: Secrets
    readonly now: () => Date
  }) {
    this.#store = parts.store
    this.#custody = parts.custody
    this.#keptIn = parts.keptIn
    this.#secrets = parts.secrets
    this.#now = parts.now
  }

  /** Makes the key. @returns the name of the credential to come, and a PKCS#10 request, DER */
  async begin(wanted: NewCredential): Promise<{ id: string; csr: Buffer }> {
    const { user, algorithm: keyAlgorithm, custody = this.#keptIn } = wanted
    const terms = await termsOf(wanted)
    const { keyId, publicKey } = await this.#custody.generate(keyAlgorithm, newKeyId(custody))
    try {
      const subject = encodeName(subjectOf(user, wanted.ownerClientId !== undefined))
      const csr = await requestCertificate(this.#custody, keyId, { subject, publicKey })
      const id = randomUUID()
      const unbound = { id, keyId, keyAlgorithm, terms }
      const request = { ...unbound, binding: this.#secrets.bind(...requestFacts(unbound)) }
      const audit = [
        auditEvent('key.generated', { keyId, algorithm: keyAlgorithm }),
        auditEvent('certificate.requested', { credentialId: id, userId: user.id, keyId }),
      ]
      await this.#store.add(request, this.#now(), audit)
      return { id, csr }
    } catch (error) {
      await this.#custody.destroy(keyId)
      throw error
    }
  }

  /**
   * Makes the credential of a request and its certificate.
   * @param given the certificate with those above it, in any order, DER
   * @param anchors roots that the operator trusts, DER
   * @returns null when there is no such request (any more)
   * @throws {UnfitCertificateError}
   */
  async complete(
    id: string,
    user: User,
    given: readonly Buffer[],
    anchors: readonly Buffer[],
  ): Promise<Credential | null> {
    const found = await this.#store.find(id)
    if (!found || found.request.terms.userId !== user.id) return null
    const { request, key } = found
    if (!this.#secrets.isBound(request.binding, ...requestFacts(request))) {
      throw new UnfitCertificateError('its request was tampered with')
    }
    const publicKey = await this.#custody.publicKey(request.keyId)
    if (!publicKey) throw new UnfitCertificateError('its key is not in the token')
    const subject = subjectOf(user, request.terms.ownerClientId !== null)
    const certified = demandCertified(given, { publicKey, subject, anchors, now: this.#now() })
    const unbound = {
      ...request.terms,
      ...{ id, keyId: request.keyId, keyAlgorithm: request.keyAlgorithm },
      certificates: [certified.certificate, ...certified.chain],
      status: 'enabled' as const,
      lockedUntil: null,
    }
    const credential = { ...unbound, binding: this.#secrets.bind(...boundFacts(unbound)) }
    const { serialNumber, subject: name } = parseCertificate(certified.certificate)
    const sha256 = createHash('sha256').update(certified.certificate).digest('hex')
    const audit = [
      auditEvent('certificate.imported', { serialNumber, subject: name, sha256 }),
      auditEvent('credential.created', { credentialId: id, userId: user.id, keyId: key.keyId }),
    ]
    const wrapped = await this.#boundKey({ ...key, publicKey }, id, user.id)
    const fulfilled = await this.#store.fulfil(credential, this.#now(), audit, wrapped)
    return fulfilled ? credential : null
  }

  /** Whose key it is; null when there is no such request, or its owner is not active any more. */
  async ownerOf(id: string, users: Pick<UserStore, 'find'>): Promise<User | null> {
    const found = await this.#store.find(id)
    const user = found && (await users.find(found.request.terms.userId))
    return user?.disabledAt ? null : user
  }

  /** False when there is none. */
  async withdraw(id: string, reason: string): Promise<boolean> {
    const event = auditEvent('certificate-request.withdrawn', { credentialId: id, reason })
    return this.#store.withdraw(id, [event])
  }

  async #boundKey(key: GeneratedKey, credentialId: string, userId: string): Promise<string | null> {
    const { wrapped } = key
    if (wrapped === undefined) return null
    if (!this.#custody.bind) throw new Error('A wrapped key that nobody binds')
    return this.#custody.bind({ ...key, wrapped }, { credentialId, userId })
  }
}

/** In the order in which they are bound. */
function requestFacts({ id, keyId, keyAlgorithm, terms }: Omit<CertificateRequest, 'binding'>) {
  return ['certificate-request', id, keyId, keyAlgorithm, JSON.stringify(terms)]
}
