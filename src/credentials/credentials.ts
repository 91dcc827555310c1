import { createHash, randomUUID } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { auditEvent } from '../audit/events.js'
import type { AuditLog } from '../audit/audit-log.js'
import type { CertificateAuthority } from '../certificates/certificate-authority.js'
import {
  expiredSubject,
  keyAndValidity,
  parseCertificate,
  type KeyAndValidity,
  type ParsedCertificate,
} from '../certificates/certificate.js'
import type { CertificateProfile } from '../certificates/profiles.js'
import type { FinalReason } from '../certificates/revocation.js'
import type { Secrets } from '../config/secrets.js'
import {
  CertificateExpiredError,
  CredentialDisabledError,
  CredentialLockedError,
  RefusedRequestError,
} from '../errors.js'
import type { User } from '../identity/user.js'
import type { KeyAlgorithm } from '../keys/algorithms.js'
import type { GeneratedKey, KeyCustody } from '../keys/key-custody.js'
import { newKeyId, type Custody, type KeyOwner } from '../keys/key-id.js'
import type { KeyPool } from '../keys/key-pool.js'
import type { AuthObject } from './auth-object.js'
import { boundFacts } from './binding.js'
import { subjectOf, termsOf } from './credential-terms.js'
import type { ApprovalFactor, Credential, CredentialStore, Suspender } from './credential.js'

export const MOST_CREDENTIALS = 'The signer has the highest number of credentials already'

export interface NewCredential {
  readonly user: User
  readonly algorithm: KeyAlgorithm
  readonly description: string
  readonly SCAL: '1' | '2'
  readonly multisign: number
  readonly pin: string | null
  /** Most that its owner may have at a time; any number when absent. */
  readonly most?: number
  /** On our own pages; a one-time code when absent. */
  readonly approvalFactor?: ApprovalFactor
  readonly signatureQualifier?: string
  /** For seals: the application that may use it with a token of its own. */
  readonly ownerClientId?: string
  /** For one signing session: its certificate is short, and its key goes when the session ends. */
  readonly oneTime?: boolean
  /** Where its key is kept; as the deployment has it when absent. */
  readonly custody?: Custody
  /** Whether somebody waits for it: then it gets a key that was made ahead, if there is one. */
  readonly awaited?: boolean
  /** How the signer agrees; on our own pages when absent. */
  readonly explicit?: {
    readonly objects: readonly AuthObject[]
    readonly expression: string | null
  }
}

const PAST_AT_ONCE = 100

/** Who asks: an application for a person or, when `userId` is empty, for itself and the seals it owns. */
export interface CredentialHolder {
  readonly clientId: string
  readonly userId: string
}

export class Credentials {
  readonly #store: CredentialStore
  readonly #custody: KeyCustody
  readonly #keptIn: Custody
  readonly #pool: Pick<KeyPool, 'take'> | null
  readonly #authority: CertificateAuthority
  readonly #profiles: Readonly<Record<'signer' | 'seal' | 'oneTime', CertificateProfile>>
  readonly #secrets: Secrets
  readonly #audit: AuditLog
  readonly #now: () => Date

  constructor(parts: {
    store: CredentialStore
    custody: KeyCustody
    /** Where keys are kept when a request does not say. */
    keptIn?: Custody
    /** Keys made ahead. */
    pool?: Pick<KeyPool, 'take'>
    authority: CertificateAuthority
    profiles: Readonly<Record<'signer' | 'seal' | 'oneTime', CertificateProfile>>
    secrets: Secrets
    audit: AuditLog
    now: () => Date
  }) {
    this.#store = parts.store
    this.#custody = parts.custody
    this.#keptIn = parts.keptIn ?? 'resident'
    this.#pool = parts.pool ?? null
    this.#authority = parts.authority
    this.#profiles = parts.profiles
    this.#secrets = parts.secrets
    this.#audit = parts.audit
    this.#now = parts.now
  }

  /** The credential, unless it is unknown or its link to its owner and key was tampered with. */
  async find(id: string): Promise<Credential | null> {
    const credential = await this.#store.find(id)
    if (!credential || credential.status === 'deleted') return null
    if (this.#isIntact(credential)) return credential
    await this.#audit.append(auditEvent('credential.refused', { credentialId: id, why: 'binding' }))
    return null
  }

  /** The credential, if it is theirs who ask: a stranger's is as good as unknown. */
  async findFor({ clientId, userId }: CredentialHolder, id: string): Promise<Credential | null> {
    const credential = await this.find(id)
    const isTheirs =
      userId === '' ? credential?.ownerClientId === clientId : credential?.userId === userId
    return isTheirs ? credential : null
  }

  async list(userId: string): Promise<Credential[]> {
    return (await this.#store.list(userId)).filter(
      (credential) => credential.status !== 'deleted' && this.#isIntact(credential),
    )
  }

  /** What an application may use with a token of its own, of those in that name. */
  async listOwned(clientId: string, userId: string): Promise<Credential[]> {
    return (await this.list(userId)).filter(({ ownerClientId }) => ownerClientId === clientId)
  }

  listAll(): Promise<Credential[]> {
    return this.#store.listAll()
  }

  /** Makes the key in the token, has it certified and puts both on record; a failure leaves no key behind. */
  async create(request: NewCredential): Promise<Credential> {
    const key = await this.#newKey(request)
    try {
      const { user, ownerClientId, oneTime = false } = request
      const isSeal = ownerClientId !== undefined
      const issued = await this.#authority.issue({
        keyId: key.keyId,
        publicKey: key.publicKey,
        profile: this.#profiles[isSeal ? 'seal' : oneTime ? 'oneTime' : 'signer'],
        subject: subjectOf(user, isSeal),
      })
      const id = randomUUID()
      const certificates = [issued.certificate, ...issued.chain]
      const unbound = {
        ...(await termsOf(request)),
        ...{ id, keyId: key.keyId, keyAlgorithm: request.algorithm, certificates },
        status: 'enabled' as const,
        lockedUntil: null,
        ...(oneTime ? { endsAt: keyAndValidity(issued.certificate).notAfter } : {}),
      }
      const credential = { ...unbound, binding: this.#secrets.bind(...boundFacts(unbound)) }
      const wrapped = await this.#boundKey(key, { credentialId: id, userId: user.id })
      const parsed = parseCertificate(issued.certificate)
      const most = request.most ?? null
      const audit = [
        auditEvent('key.generated', { keyId: key.keyId, algorithm: request.algorithm }),
        auditEvent('certificate.issued', {
          serialNumber: parsed.serialNumber,
          subject: parsed.subject,
          sha256: createHash('sha256').update(issued.certificate).digest('hex'),
        }),
        auditEvent('credential.created', { credentialId: id, userId: user.id, keyId: key.keyId }),
      ]
      const added = await this.#store.add(credential, most, this.#now(), audit, wrapped)
      if (!added) throw new RefusedRequestError(MOST_CREDENTIALS)
      return credential
    } catch (error) {
      await this.#custody.destroy(key.keyId)
      throw error
    }
  }

  async #newKey({ algorithm, custody = this.#keptIn, awaited }: NewCredential) {
    const ready = awaited === true ? await this.#pool?.take(algorithm, custody) : null
    return ready ?? this.#custody.generate(algorithm, newKeyId(custody))
  }

  /** What the database keeps of a wrapped key; null for one that stays in the token. */
  async #boundKey({ keyId, publicKey, wrapped }: GeneratedKey, owner: KeyOwner) {
    if (wrapped === undefined) return null
    if (!this.#custody.bind) throw new Error('A wrapped key that nobody binds')
    return this.#custody.bind({ keyId, publicKey, wrapped }, owner)
  }

  /** Stops signing until it is resumed; authorisations end at once, also while a call is under way. */
  suspend(id: string, by: Suspender, reason: string): Promise<boolean> {
    const event = auditEvent('credential.suspended', { credentialId: id, reason })
    return this.#store.suspend(id, by, this.#now(), [event])
  }

  /** False also when the signer wants to resume what the operator suspended. */
  resume(id: string, by: Suspender, reason: string): Promise<boolean> {
    const event = auditEvent('credential.resumed', { credentialId: id, reason })
    return this.#store.resume(id, by, this.#now(), [event])
  }

  /** Ends the credential for good: authorisations end at once, then the key is destroyed. */
  async revoke(
    id: string,
    reason: string,
    certificateReason: FinalReason = 'unspecified',
  ): Promise<boolean> {
    const credential = await this.#store.find(id)
    if (!credential) return false
    const event = auditEvent('credential.revoked', { credentialId: id, reason })
    if (!(await this.#store.revoke(id, this.#now(), certificateReason, [event]))) return false
    await this.#destroyKey(credential)
    return true
  }

  /**
   * At its owner's wish: authorisations end at once, then the key is destroyed (S18). It is not listed any more.
   * @param certificateReason why its certificate is revoked; null when it is not
   */
  async delete(
    id: string,
    reason: string,
    certificateReason: FinalReason | null,
  ): Promise<boolean> {
    const credential = await this.find(id)
    if (!credential) return false
    const event = auditEvent('credential.deleted', { credentialId: id, reason })
    const deleted = await this.#store.delete(id, this.#now(), certificateReason, [event])
    if (!deleted) return false
    // The key of a revoked one is gone already.
    if (credential.status !== 'revoked') await this.#destroyKey(credential)
    return true
  }

  /**
   * Whether it may be approved in that transaction. One that is for one session is so once, for good (S14).
   */
  async beginSession({ id, endsAt }: Credential, transactionId: string): Promise<boolean> {
    return !endsAt || this.#store.claimSession(id, transactionId)
  }

  /** Its session is over: the key is destroyed at once. The others have none. */
  async endSession({ id, endsAt }: Credential): Promise<void> {
    if (endsAt) await this.delete(id, 'session ended', null)
  }

  /** Ends those of sessions that were given up, or that a crash cut off. */
  async endPast(stopping?: AbortSignal): Promise<void> {
    for (;;) {
      const ids = await this.#store.listEnded(this.#now(), PAST_AT_ONCE)
      let ended = 0
      for (const id of ids) {
        if (stopping?.aborted) return
        if (await this.delete(id, 'time over', null)) ended += 1
      }
      // Those that cannot be ended, such as tampered ones, come again next time, not at once.
      if (ended === 0 || ids.length < PAST_AT_ONCE) return
    }
  }

  async #destroyKey({ id: credentialId, keyId }: Credential): Promise<void> {
    await this.#custody.destroy(keyId)
    await this.#audit.append(auditEvent('key.destroyed', { keyId, credentialId }))
  }

  /** Puts on record that an application wanted signatures of this credential it had no right to (S79). */
  async noteRefusedUse(credential: Credential, by: CredentialHolder, why: string): Promise<void> {
    const { clientId, userId } = by
    const event = { clientId, userId, credentialId: credential.id, why }
    await this.#audit.append(auditEvent('signature.refused', event))
  }

  /** @throws {CredentialDisabledError} also while it is suspended */
  rejectDisabled({ status }: Credential): void {
    if (status !== 'enabled') throw new CredentialDisabledError('Credential is disabled')
  }

  /** @throws {CredentialDisabledError} @throws {CertificateExpiredError} before and after validity */
  rejectUnusable(credential: Credential): void {
    this.rejectDisabled(credential)
    if (certificateStatus(credential, this.#now()) !== 'valid') {
      throw new CertificateExpiredError(expiredSubject(signingCertificate(credential)))
    }
  }

  /** @throws {CredentialLockedError} after too many wrong factors, for a while */
  rejectLocked(credential: Credential): void {
    if (this.lockEnd(credential)) throw new CredentialLockedError('locked')
  }

  /** When it can be authorised again after too many wrong factors; null while it can. */
  lockEnd({ lockedUntil }: Credential): Date | null {
    return lockedUntil && lockedUntil > this.#now() ? lockedUntil : null
  }

  isUsable(credential: Credential): boolean {
    return credential.status === 'enabled' && certificateStatus(credential, this.#now()) === 'valid'
  }

  #isIntact(credential: Credential): boolean {
    return this.#secrets.isBound(credential.binding, ...boundFacts(credential))
  }
}

/** The end-entity certificate, DER. */
export function leaf(credential: Credential): Buffer {
  const [certificate] = credential.certificates
  if (!certificate) throw new Error(`Credential ${credential.id} has no certificate`)
  return certificate
}

const parsed = new WeakMap<Credential, ParsedCertificate>()

/** The end-entity certificate, read once for each credential that was looked up. */
export function signingCertificate(credential: Credential): ParsedCertificate {
  let certificate = parsed.get(credential)
  if (!certificate) {
    certificate = parseCertificate(leaf(credential))
    parsed.set(credential, certificate)
  }
  return certificate
}

/** Certificates are small, and signers sign more than once. */
const KEPT = 10_000
const kept = new LRUCache<string, KeyAndValidity>({ max: KEPT })

/** Key and validity of the end-entity certificate. */
export function signingKey(credential: Credential): KeyAndValidity {
  const der = leaf(credential)
  const name = der.toString('latin1')
  let facts = kept.get(name)
  if (!facts) {
    facts = keyAndValidity(der)
    kept.set(name, facts)
  }
  return facts
}

/** Subject and serial number of the end-entity certificate, as `signingCertificate` has them. */
export function namesOf(
  credential: Credential,
): Pick<ParsedCertificate, 'subject' | 'serialNumber'> {
  const { subject, serialNumber } = signingKey(credential)
  return subject === null ? signingCertificate(credential) : { subject, serialNumber }
}

/** `cert.status` of the CSC API at that moment. */
export function certificateStatus(
  credential: Credential,
  now: Date,
): 'valid' | 'expired' | 'revoked' | 'suspended' {
  if (credential.status === 'revoked' || credential.status === 'suspended') return credential.status
  const { notBefore, notAfter } = signingKey(credential)
  return now >= notBefore && now <= notAfter ? 'valid' : 'expired'
}
