import { createHash, randomUUID } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { auditEvent, type AuditEvent } from '../audit/events.js'
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
import { custodyOf, newKeyId, type Custody, type KeyOwner } from '../keys/key-id.js'
import type { KeyPool } from '../keys/key-pool.js'
import type { AuthObject } from './auth-object.js'
import { boundFacts } from './binding.js'
import { subjectOf, termsOf } from './credential-terms.js'
import {
  isOnTheFly,
  isToCome,
  type ApprovalFactor,
  type Credential,
  type CredentialStore,
  type Suspender,
} from './credential.js'

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
    const credential = await this.#findEver(id)
    return credential?.status === 'deleted' ? null : credential
  }

  async #findEver(id: string): Promise<Credential | null> {
    const credential = await this.#store.find(id)
    if (!credential || this.#isIntact(credential)) return credential
    await this.#audit.append(auditEvent('credential.refused', { credentialId: id, why: 'binding' }))
    return null
  }

  /**
   * The credential, if it is theirs who ask: a stranger's is as good as unknown.
   * @param orGone also one that was deleted, for whoever may be asking again for what it signed
   */
  async findFor(
    { clientId, userId }: CredentialHolder,
    id: string,
    orGone = false,
  ): Promise<Credential | null> {
    const credential = orGone ? await this.#findEver(id) : await this.find(id)
    const isTheirs =
      userId === '' ? credential?.ownerClientId === clientId : credential?.userId === userId
    return isTheirs ? credential : null
  }

  /** Those that applications and their owner can choose from: what is for one session is that one’s. */
  async list(userId: string): Promise<Credential[]> {
    return (await this.#store.list(userId)).filter((credential) => {
      const isTaken = isOnTheFly(credential) || Boolean(credential.session)
      return credential.status !== 'deleted' && !isTaken && this.#isIntact(credential)
    })
  }

  /** Ids of all a person ever had, in the order of the list; with an application, of what is its own. */
  async listEver(userId: string, clientId: string | null): Promise<string[]> {
    const ever = await this.#store.list(userId)
    return ever
      .filter(({ ownerClientId }) => clientId === null || ownerClientId === clientId)
      .map(({ id }) => id)
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
      const { user, ownerClientId, algorithm: keyAlgorithm } = request
      const kind = ownerClientId === undefined ? 'signer' : 'seal'
      const id = randomUUID()
      const unbound = {
        ...(await termsOf(request)),
        ...{ id, keyId: key.keyId, keyAlgorithm },
        certificates: await this.#certify(key, kind, user),
        status: 'enabled' as const,
        lockedUntil: null,
      }
      const credential = this.#bind(unbound)
      const wrapped = await this.#boundKey(key, { credentialId: id, userId: user.id })
      const most = request.most ?? null
      const audit = [
        ...madeEvents(credential),
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

  /**
   * One for a single signing session, as yet without key and certificate: `beginSession` makes them.
   * @param waitsSeconds how long its owner has to agree to that session
   * @throws {RefusedRequestError} when they have the highest number already
   */
  async createToCome(request: NewCredential, waitsSeconds: number): Promise<Credential> {
    const { user, algorithm: keyAlgorithm, custody = this.#keptIn, most = null } = request
    const now = this.#now()
    const id = randomUUID()
    const credential = this.#bind({
      ...(await termsOf(request)),
      ...{ id, keyId: newKeyId(custody), keyAlgorithm, certificates: [] },
      status: 'enabled' as const,
      lockedUntil: null,
      endsAt: new Date(now.getTime() + waitsSeconds * 1000),
    })
    const event = auditEvent('credential.promised', { credentialId: id, userId: user.id })
    const added = await this.#store.addToCome(credential, most, now, [event])
    if (!added) throw new RefusedRequestError(MOST_CREDENTIALS)
    return credential
  }

  /** @returns DER, leaf first */
  async #certify(
    { keyId, publicKey }: GeneratedKey,
    kind: 'signer' | 'seal' | 'oneTime',
    user: User,
  ): Promise<Buffer[]> {
    const subject = subjectOf(user, kind === 'seal')
    const profile = this.#profiles[kind]
    const issued = await this.#authority.issue({ keyId, publicKey, profile, subject })
    return [issued.certificate, ...issued.chain]
  }

  #bind(unbound: Omit<Credential, 'binding'>): Credential {
    return { ...unbound, binding: this.#secrets.bind(...boundFacts(unbound)) }
  }

  async #newKey({
    algorithm,
    custody = this.#keptIn,
    awaited,
  }: Pick<NewCredential, 'algorithm' | 'custody' | 'awaited'>) {
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
    // The key of a revoked one is gone already, one that was to come never had any.
    if (credential.status !== 'revoked') await this.#destroyKey(credential)
    return true
  }

  /**
   * Whether its owner, who has just agreed to that transaction, may sign with it. One that is for one
   * session is so once, for good (S14): now its key is made, and certified for them as they are on record.
   * What fails leaves it as it was.
   * @throws {HsmUnavailableError} @throws {CertificateUnavailableError}
   */
  async beginSession(credential: Credential, transactionId: string, owner: User): Promise<boolean> {
    const { id, userId, keyAlgorithm: algorithm, endsAt } = credential
    if (!endsAt) return true
    // Releases before this one made key and certificate beforehand.
    if (!isToCome(credential)) return this.#store.claimSession(id, transactionId)
    if (owner.id !== userId) throw new Error('Somebody else agreed to a session')
    const custody = custodyOf(credential.keyId)
    const key = await this.#newKey({ algorithm, custody, awaited: true })
    let begun = false
    try {
      const certificates = await this.#certify(key, 'oneTime', owner)
      const session = this.#bind({
        ...credential,
        ...{ keyId: key.keyId, certificates, session: transactionId },
        endsAt: endOf(certificates),
      })
      const wrapped = await this.#boundKey(key, { credentialId: id, userId })
      const audit = [
        ...madeEvents(session),
        auditEvent('credential.created', { credentialId: id, userId, keyId: key.keyId }),
      ]
      begun = await this.#store.beginSession(session, this.#now(), audit, wrapped)
      return begun
    } finally {
      if (!begun) await this.#custody.destroy(key.keyId)
    }
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

  async #destroyKey(credential: Credential): Promise<void> {
    if (isToCome(credential)) return
    const { id: credentialId, keyId } = credential
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

  /**
   * Whether it can be agreed to sign with it.
   * @throws {CredentialDisabledError} @throws {CertificateExpiredError} before and after validity
   */
  rejectUnusable(credential: Credential): void {
    this.rejectDisabled(credential)
    if (isReady(credential, this.#now())) return
    if (isToCome(credential)) throw new CredentialDisabledError('Its time is over')
    throw new CertificateExpiredError(expiredSubject(signingCertificate(credential)))
  }

  /** @throws what `rejectUnusable` throws, also while it is to come */
  rejectUnableToSign(credential: Credential): void {
    this.rejectUnusable(credential)
    if (isToCome(credential)) throw new CredentialDisabledError('Its session has not begun')
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
    return isUsableAt(credential, this.#now())
  }

  #isIntact(credential: Credential): boolean {
    return this.#secrets.isBound(credential.binding, ...boundFacts(credential))
  }
}

/** What is on record of a key that was made and certified just now. */
function madeEvents({ keyId, keyAlgorithm: algorithm, certificates }: Credential): AuditEvent[] {
  const [certificate = Buffer.alloc(0)] = certificates
  const { serialNumber, subject } = parseCertificate(certificate)
  const sha256 = createHash('sha256').update(certificate).digest('hex')
  return [
    auditEvent('key.generated', { keyId, algorithm }),
    auditEvent('certificate.issued', { serialNumber, subject, sha256 }),
  ]
}

function endOf([certificate = Buffer.alloc(0)]: readonly Buffer[]): Date {
  return keyAndValidity(certificate).notAfter
}

/** Whether it can be agreed to sign with it. */
export function isUsableAt(credential: Credential, now: Date): boolean {
  return credential.status === 'enabled' && isReady(credential, now)
}

/** Its certificate is valid, or will be issued when its owner agrees in time. */
function isReady(credential: Credential, now: Date): boolean {
  if (!isToCome(credential)) return certificateStatus(credential, now) === 'valid'
  return credential.endsAt instanceof Date && credential.endsAt > now
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

/** Subject and serial number of the end-entity certificate, as `signingCertificate` has them; null while it is to come. */
export function namesOf(
  credential: Credential,
): Pick<ParsedCertificate, 'subject' | 'serialNumber'> | null {
  if (isToCome(credential)) return null
  const { subject, serialNumber } = signingKey(credential)
  return subject === null ? signingCertificate(credential) : { subject, serialNumber }
}

/** `cert.status` of the CSC API at that moment; null while there is no certificate. */
export function certificateStatus(
  credential: Credential,
  now: Date,
): 'valid' | 'expired' | 'revoked' | 'suspended' | null {
  if (isToCome(credential)) return null
  if (credential.status === 'revoked' || credential.status === 'suspended') return credential.status
  const { notBefore, notAfter } = signingKey(credential)
  return now >= notBefore && now <= notAfter ? 'valid' : 'expired'
}
