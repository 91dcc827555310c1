import { createHash, randomBytes } from 'node:crypto'
import { isIP } from 'node:net'
import type {
  AuthenticationResponseJSON,
  AuthenticatorTransport,
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
} from '@simplewebauthn/server'
import type { AuditLog } from '../audit/audit-log.js'
import { auditEvent, type AuditEvent } from '../audit/events.js'
import type { Secrets } from '../config/secrets.js'
import type { Accounts } from './accounts.js'
import { ENROLMENT_CODE } from './enrolment.js'
import { PasskeyRefusedError } from './passkey-refusal.js'
import type { User } from './user.js'

/** The public half of a key pair that a person's own device keeps. */
export interface Passkey {
  /** Credential id as the authenticator gave it, Base64url. */
  readonly id: string
  readonly userId: string
  readonly name: string
  /** COSE key, Base64url. */
  readonly publicKey: string
  /** Stays 0 with authenticators that do not count. */
  readonly counter: number
  readonly transports: readonly string[]
  readonly binding: string
  readonly createdAt: Date
  readonly lastUsedAt: Date | null
}

export interface PasskeyChallenge {
  /** SHA-256 of the challenge, Base64url. */
  readonly idHash: string
  readonly salt: string
  readonly expiresAt: Date
}

export interface PasskeyStore {
  find(id: string): Promise<Passkey | null>
  /** Oldest first. */
  list(userId: string): Promise<Passkey[]>
  addChallenge(challenge: PasskeyChallenge): Promise<void>
  findChallenge(idHash: string): Promise<PasskeyChallenge | null>
  /**
   * Uses up the challenge and moves the counter on, or neither. Of concurrent calls with one challenge,
   * exactly one gets `used`; `counted` when the counter has reached this value meanwhile.
   */
  use(use: {
    challengeHash: string
    passkey: Passkey
    counter: number
    at: Date
  }): Promise<'used' | 'spent' | 'counted'>
  /**
   * Uses up the challenge too, and the operator's code with outstanding authorisations (S29), if it was
   * by one. `taken` when somebody has this passkey already.
   */
  add(
    passkey: Passkey,
    uses: { challengeHash: string; codeHash: string | null },
    audit: readonly AuditEvent[],
  ): Promise<'added' | 'spent' | 'taken'>
  /** False when the person has no such passkey. */
  rename(userId: string, id: string, name: string): Promise<boolean>
  /** Ends outstanding authorisations of the person too (S29). False when there was none to remove. */
  remove(userId: string, id: string, at: Date, audit: readonly AuditEvent[]): Promise<boolean>
}

/** What a passkey is asked for; the answer is good for nothing else. */
export interface PasskeyPurpose {
  readonly purpose: 'sign-in' | 'approval' | 'enrolment'
  /** The application that asks; null on the person's own pages. */
  readonly clientId: string | null
  /** Everything the answer stands for: the challenge is made of it (S22). */
  readonly facts: readonly string[]
}

/** An answer found right. It counts once it is used up, which succeeds once. */
export interface ProvenPasskey {
  readonly user: User
  readonly passkeyId: string
  readonly spend: () => Promise<boolean>
}

/** What an answer was found to be before it was refused. */
interface Known {
  passkeyId: string | null
  ownerId: string | null
}

/** How long the browser waits for the person and their device. */
const PASSKEY_TIMEOUT_SECONDS = 120
/** More than anyone has devices. */
const MAX_PASSKEYS = 20
const MAX_NAME_LENGTH = 60

/** EdDSA, ES256 and RS256, in the order of preference (RFC 9053, RFC 8812). */
const ALGORITHMS = [-8, -7, -257]

/** The library that reads answers is large, and most processes never get one. */
const answers = () => import('./passkey-answer.js')

/** Passkeys (WebAuthn, level 3): the person's own device proves who is there, and for what. */
export class Passkeys {
  readonly #store: PasskeyStore
  readonly #accounts: Accounts
  readonly #secrets: Secrets
  readonly #audit: AuditLog
  readonly #now: () => Date
  readonly #origin: string
  readonly #rpId: string | null
  readonly #rpName: string
  readonly #lifetimeSeconds: number

  /** @param parts.lifetimeSeconds how long a page may wait before its question is answered */
  constructor(parts: {
    store: PasskeyStore
    accounts: Accounts
    secrets: Secrets
    audit: AuditLog
    now: () => Date
    baseUrl: string
    serviceName: string
    lifetimeSeconds: number
  }) {
    this.#store = parts.store
    this.#accounts = parts.accounts
    this.#secrets = parts.secrets
    this.#audit = parts.audit
    this.#now = parts.now
    const { origin, hostname } = new URL(parts.baseUrl)
    this.#origin = origin
    // Passkeys belong to names; browsers offer none at a bare address.
    this.#rpId = isIP(hostname.replace(/^\[(.*)\]$/, '$1')) === 0 ? hostname : null
    this.#rpName = parts.serviceName
    this.#lifetimeSeconds = parts.lifetimeSeconds
  }

  /** Those that are as they were enrolled. */
  async list(userId: string): Promise<Passkey[]> {
    const passkeys = await this.#store.list(userId)
    return passkeys.filter((each) => this.#isIntact(each))
  }

  async has(userId: string): Promise<boolean> {
    return (await this.list(userId)).length > 0
  }

  /**
   * A question for `navigator.credentials.get`.
   * @param userId whose passkeys may answer; null for anyone's
   * @returns null where there is nothing to ask: no passkey, or no host name to have one for
   */
  async ask(
    purpose: PasskeyPurpose,
    userId: string | null,
  ): Promise<PublicKeyCredentialRequestOptionsJSON | null> {
    if (this.#rpId === null) return null
    const passkeys = userId === null ? [] : await this.list(userId)
    if (userId !== null && passkeys.length === 0) return null
    return {
      challenge: await this.#newChallenge(purpose),
      rpId: this.#rpId,
      allowCredentials: passkeys.map(toDescriptor),
      userVerification: 'required',
      timeout: PASSKEY_TIMEOUT_SECONDS * 1000,
    }
  }

  /** A question for `navigator.credentials.create`; null where there is no host name, or enough passkeys. */
  async askToEnrol(
    user: User,
    purpose: PasskeyPurpose,
  ): Promise<PublicKeyCredentialCreationOptionsJSON | null> {
    const passkeys = await this.list(user.id)
    if (this.#rpId === null || passkeys.length >= MAX_PASSKEYS) return null
    return {
      challenge: await this.#newChallenge(purpose),
      rp: { id: this.#rpId, name: this.#rpName },
      user: { id: userHandle(user.id), name: user.username, displayName: user.displayName },
      pubKeyCredParams: ALGORITHMS.map((alg) => ({ type: 'public-key', alg })),
      excludeCredentials: passkeys.map(toDescriptor),
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      attestation: 'none',
      timeout: PASSKEY_TIMEOUT_SECONDS * 1000,
    }
  }

  /**
   * Checks the answer of a passkey, without using it up. What is refused is on record.
   * @param answer JSON as the browser made it
   * @param purpose what it must have been asked for, as things stand now
   * @param userId whose passkey it has to be; null for anyone's
   * @throws {PasskeyRefusedError}
   */
  async check(
    answer: string,
    purpose: PasskeyPurpose,
    userId: string | null,
  ): Promise<ProvenPasskey> {
    return this.#recordRefusal(purpose, userId, async (known) => {
      const { readAssertion, verifyAssertion } = await answers()
      const response = readAssertion(answer)
      const challenge = await this.#expectedChallenge(response.response.clientDataJSON, purpose)
      const passkey = await this.#store.find(response.id)
      if (!passkey) throw new PasskeyRefusedError('unknown', 'no such passkey')
      known.passkeyId = passkey.id
      const user = await this.#ownerOf(passkey, userId)
      known.ownerId = user.id
      rejectOtherHandle(response, user, userId === null)
      const counter = await verifyAssertion(response, passkey, this.#expectation(challenge))
      const challengeHash = hash(challenge)
      return {
        user,
        passkeyId: passkey.id,
        spend: () => this.#spend(purpose, { challengeHash, passkey, counter, at: this.#now() }),
      }
    })
  }

  /**
   * Adds the passkey a browser has made for the person.
   * @param request.codeHash of the operator's code that allows it; null after a fresh sign-in (S29)
   * @throws {PasskeyRefusedError}
   */
  async enrol(
    user: User,
    request: { answer: string; name: string; codeHash: string | null },
    purpose: PasskeyPurpose,
  ): Promise<void> {
    const { answer, name, codeHash } = request
    const proof = codeHash === null ? 'sign-in' : ENROLMENT_CODE
    await this.#recordRefusal(purpose, user.id, async () => {
      const { readAttestation, verifyAttestation } = await answers()
      const response = readAttestation(answer)
      const challenge = await this.#expectedChallenge(response.response.clientDataJSON, purpose)
      const expected = { ...this.#expectation(challenge), algorithms: ALGORITHMS }
      const { id, publicKey, counter } = await verifyAttestation(response, expected)
      const passkey = {
        ...{ id, publicKey, counter, name, userId: user.id, lastUsedAt: null },
        transports: response.response.transports ?? [],
        binding: this.#secrets.bind('passkey', id, user.id, publicKey),
        createdAt: this.#now(),
      }
      const event = auditEvent('factor.enrolled', {
        ...{ userId: user.id, factor: 'passkey', proof, passkeyId: id },
      })
      const outcome = await this.#store.add(passkey, { challengeHash: hash(challenge), codeHash }, [
        event,
      ])
      if (outcome === 'spent') throw new PasskeyRefusedError('expired', 'answered already')
      if (outcome === 'taken') throw new PasskeyRefusedError('taken', 'enrolled already')
    })
  }

  rename(userId: string, id: string, name: string): Promise<boolean> {
    return this.#store.rename(userId, id, name)
  }

  /**
   * For whoever has signed in with a second factor just now; ends their outstanding authorisations.
   * @returns false when the person has no such passkey
   */
  remove(userId: string, id: string): Promise<boolean> {
    return this.#store.remove(userId, id, this.#now(), [
      auditEvent('factor.removed', {
        ...{ userId, factor: 'passkey', proof: 'sign-in', passkeyId: id },
      }),
    ])
  }

  async #newChallenge({ facts }: PasskeyPurpose): Promise<string> {
    const salt = randomBytes(32).toString('base64url')
    const challenge = challengeFor(salt, facts)
    const expiresAt = new Date(this.#now().getTime() + this.#lifetimeSeconds * 1000)
    await this.#store.addChallenge({ idHash: hash(challenge), salt, expiresAt })
    return challenge
  }

  /** The challenge that was answered, made again from the facts as they are now. */
  async #expectedChallenge(clientDataJSON: string, { facts }: PasskeyPurpose): Promise<string> {
    const { readClientData } = await answers()
    const { challenge, crossOrigin } = readClientData(clientDataJSON)
    const asked = await this.#store.findChallenge(hash(challenge))
    if (!asked || asked.expiresAt <= this.#now()) {
      throw new PasskeyRefusedError('expired', 'challenge that nothing waits for')
    }
    if (challenge !== challengeFor(asked.salt, facts)) {
      throw new PasskeyRefusedError('refused', 'challenge of something else')
    }
    if (crossOrigin) throw new PasskeyRefusedError('refused', 'answered inside another site')
    return challenge
  }

  /** Whoever must not be told apart from nobody is refused alike. */
  async #ownerOf(passkey: Passkey, userId: string | null): Promise<User> {
    if (!this.#isIntact(passkey)) throw new PasskeyRefusedError('unknown', 'binding')
    if (userId !== null && passkey.userId !== userId) {
      throw new PasskeyRefusedError('unknown', 'another person’s passkey')
    }
    const user = await this.#accounts.find(passkey.userId)
    if (!user) throw new PasskeyRefusedError('unknown', 'account is disabled')
    return user
  }

  #expectation(challenge: string) {
    return { challenge, origin: this.#origin, rpId: this.#rpId ?? [] }
  }

  async #spend(purpose: PasskeyPurpose, use: Parameters<PasskeyStore['use']>[0]): Promise<boolean> {
    const outcome = await this.#store.use(use)
    if (outcome === 'used') return true
    const { id: passkeyId, userId } = use.passkey
    const why = outcome === 'spent' ? 'answered already' : `counter ${use.counter} came twice`
    await this.#append(purpose, { passkeyId, userId, why })
    return false
  }

  async #recordRefusal<T>(
    purpose: PasskeyPurpose,
    userId: string | null,
    attempt: (known: Known) => Promise<T>,
  ): Promise<T> {
    const known: Known = { passkeyId: null, ownerId: null }
    try {
      return await attempt(known)
    } catch (error) {
      if (!(error instanceof PasskeyRefusedError)) throw error
      // Only a copy can do that: its owner has to hear of it, wherever it was tried.
      const concerned = error.kind === 'cloned' ? known.ownerId : userId
      const { passkeyId } = known
      await this.#append(purpose, { passkeyId, userId: concerned, why: error.message })
      throw error
    }
  }

  #append(
    { purpose, clientId }: PasskeyPurpose,
    detail: { passkeyId: string | null; userId: string | null; why: string },
  ): Promise<void> {
    return this.#audit.append(auditEvent('passkey.refused', { purpose, clientId, ...detail }))
  }

  #isIntact({ id, userId, publicKey, binding }: Passkey): boolean {
    return this.#secrets.isBound(binding, 'passkey', id, userId, publicKey)
  }
}

/** What a person may call a passkey, or null. */
export function passkeyName(text: string): string | null {
  const name = text.replaceAll(/[\p{C}\p{Z}]+/gu, ' ').trim()
  return name === '' || name.length > MAX_NAME_LENGTH ? null : name
}

/** A challenge that stands for facts, and tells nobody which. */
function challengeFor(salt: string, facts: readonly string[]): string {
  return createHash('sha256')
    .update(JSON.stringify(['passkey', salt, ...facts]))
    .digest('base64url')
}

function hash(challenge: string): string {
  return createHash('sha256').update(challenge).digest('base64url')
}

/** By this the authenticator knows whose passkey it keeps. */
function userHandle(userId: string): string {
  return Buffer.from(userId).toString('base64url')
}

function toDescriptor({ id, transports }: Passkey) {
  return {
    id,
    type: 'public-key' as const,
    transports: [...transports] as AuthenticatorTransport[],
  }
}

/** Where the browser asked for anyone's passkey, it has to say whose it found (WebAuthn, 7.2). */
function rejectOtherHandle(
  { response }: AuthenticationResponseJSON,
  user: User,
  required: boolean,
): void {
  const given = response.userHandle
  if (given === undefined ? required : given !== userHandle(user.id)) {
    throw new PasskeyRefusedError('refused', 'user handle of someone else')
  }
}
