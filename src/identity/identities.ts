import { randomBytes, randomUUID } from 'node:crypto'
import type { AuditLog } from '../audit/audit-log.js'
import { auditEvent, type AuditEvent } from '../audit/events.js'
import type { Secrets } from '../config/secrets.js'
import type { Accounts } from './accounts.js'
import { UNKNOWN_USER_HASH } from './password.js'
import type { NewUser, User } from './user.js'
import type { VerifiedIdentity } from './verified-identity.js'

/** The link between a person's account and who they are to an identity provider. */
export interface Identity {
  readonly issuer: string
  readonly subject: string
  readonly userId: string
  readonly binding: string
}

export interface IdentityStore {
  find(issuer: string, subject: string): Promise<Identity | null>
  list(userId: string): Promise<Identity[]>
  /**
   * False when the identity is linked already, or the account to another of that issuer.
   * @param codeHash of the operator's code that allows it, which is used up; false when it was before
   */
  add(
    identity: Identity,
    codeHash: string | null,
    at: Date,
    audit: readonly AuditEvent[],
  ): Promise<boolean>
  /** Account and link together, or neither: of concurrent first sign-ins, exactly one gets true. */
  enrol(user: NewUser, identity: Identity, at: Date, audit: readonly AuditEvent[]): Promise<boolean>
  /** Ends outstanding authorisations of the person too (S29). False when there was none to remove. */
  remove(userId: string, issuer: string, at: Date, audit: readonly AuditEvent[]): Promise<boolean>
}

export type Owner =
  | { readonly outcome: 'known'; readonly user: User }
  /** Nobody's yet. */
  | { readonly outcome: 'unknown' }
  /** The account is disabled, or the link is not as it was made. */
  | { readonly outcome: 'barred'; readonly why: string }

/** Whose account an identity opens. People are told apart by issuer and subject, and by nothing else (S26). */
export class Identities {
  readonly #store: IdentityStore
  readonly #accounts: Accounts
  readonly #secrets: Secrets
  readonly #audit: AuditLog
  readonly #now: () => Date

  constructor(parts: {
    store: IdentityStore
    accounts: Accounts
    secrets: Secrets
    audit: AuditLog
    now: () => Date
  }) {
    this.#store = parts.store
    this.#accounts = parts.accounts
    this.#secrets = parts.secrets
    this.#audit = parts.audit
    this.#now = parts.now
  }

  async ownerOf({ issuer, subject }: VerifiedIdentity): Promise<Owner> {
    const identity = await this.#store.find(issuer, subject)
    if (!identity) return { outcome: 'unknown' }
    if (!this.#isIntact(identity)) return { outcome: 'barred', why: 'binding' }
    const user = await this.#accounts.find(identity.userId)
    return user ? { outcome: 'known', user } : { outcome: 'barred', why: 'account is disabled' }
  }

  /** The issuers at which this person can prove who they are. */
  async issuersOf(userId: string): Promise<string[]> {
    const identities = await this.#store.list(userId)
    return identities.filter((each) => this.#isIntact(each)).map(({ issuer }) => issuer)
  }

  /**
   * @param codeHash of the operator's code, where nothing else proves the owner of the account
   * @returns false when either side is linked elsewhere already, or the code was used
   */
  link(
    { provider, issuer, subject }: VerifiedIdentity,
    userId: string,
    codeHash: string | null,
  ): Promise<boolean> {
    return this.#store.add(this.#bound(issuer, subject, userId), codeHash, this.#now(), [
      auditEvent('identity.linked', { userId, provider, issuer, subject }),
    ])
  }

  /**
   * Makes an account for someone who was never here, under the name the provider vouches for. It has
   * no password: the identity is the way in.
   * @returns null when someone else was first
   */
  async enrol(
    verified: VerifiedIdentity,
    { given, family }: NonNullable<VerifiedIdentity['name']>,
  ): Promise<User | null> {
    const { provider, issuer, subject, email, assertion } = verified
    const id = randomUUID()
    const username = `${provider}-${randomBytes(6).toString('hex')}`
    const user: NewUser = {
      ...{ id, username, email, phone: null },
      ...{ givenName: given, surname: family, displayName: `${given} ${family}` },
      ...{ country: null, otpAtSignIn: false, lang: null, totpSecret: null },
      passwordHash: UNKNOWN_USER_HASH,
    }
    const identity = this.#bound(issuer, subject, id)
    const enrolled = await this.#store.enrol(user, identity, this.#now(), [
      auditEvent('user.added', { userId: id, username }),
      auditEvent('identity.enrolled', {
        ...{ userId: id, username, provider, issuer, subject, assertion },
      }),
    ])
    return enrolled ? this.#accounts.find(id) : null
  }

  /** Puts on record that a person authenticated at a provider, and what for. */
  recordAuthentication(
    identity: VerifiedIdentity,
    context: { userId: string; clientId: string; transactionId: string | null },
  ): Promise<void> {
    const { provider, issuer, subject, authenticatedAt, acr, amr, assertion } = identity
    return this.#audit.append(
      auditEvent('identity.authenticated', {
        ...context,
        ...{ provider, issuer, subject, authenticatedAt, acr, assertion },
        amr: [...amr],
      }),
    )
  }

  #bound(issuer: string, subject: string, userId: string): Identity {
    const binding = this.#secrets.bind('identity', issuer, subject, userId)
    return { issuer, subject, userId, binding }
  }

  #isIntact({ issuer, subject, userId, binding }: Identity): boolean {
    return this.#secrets.isBound(binding, 'identity', issuer, subject, userId)
  }
}
