import type { Accounts } from '../identity/accounts.js'
import type { Identities } from '../identity/identities.js'
import type { Passkeys } from '../identity/passkeys.js'
import type { Throttle } from '../identity/throttle.js'
import type { User } from '../identity/user.js'
import {
  InvalidParameterError,
  RefusedRequestError,
  TooManyRequestsError,
  TooManySignaturesError,
} from '../errors.js'
import type { KeyAlgorithm } from '../keys/algorithms.js'
import type { Custody } from '../keys/key-id.js'
import { isOnTheFly, type ApprovalFactor, type Credential } from './credential.js'
import {
  MOST_CREDENTIALS,
  type CredentialHolder,
  type Credentials,
  type NewCredential,
} from './credentials.js'
import type { CredentialCreationRequest } from './management-request.js'

export interface NewCredentialPolicy {
  readonly allowed: boolean
  readonly algorithm: KeyAlgorithm
  readonly multisign: number
  /** Most that stand at a time, of one person. */
  readonly perPerson: number
  readonly perPersonPerHour: number
  readonly perApplicationPerHour: number
  /** Where keys are kept, when not as everywhere. */
  readonly custody?: Custody
  /** How long one for a single session waits for its owner to agree, when an application had it made. */
  readonly oneTimeWaitSeconds: number
  /** Kinds of signature that a signer without a credential for them gets one-time credentials for. */
  readonly onTheFly: readonly string[]
}

const HOUR_SECONDS = 3600

/** Claims of OpenID Connect for what is on record of a person. */
const CLAIMS = {
  sub: ({ id }: User) => id,
  given_name: ({ givenName }: User) => givenName,
  family_name: ({ surname }: User) => surname,
  email: ({ email }: User) => email,
} as const

/** Credentials that applications make and end for a person who agreed to just that (CSC API v2.2, 11.4 and 11.5). */
export class ManagedCredentials {
  readonly #credentials: Credentials
  readonly #accounts: Accounts
  readonly #passkeys: Pick<Passkeys, 'has'>
  readonly #identities: Pick<Identities, 'issuersOf'>
  readonly #throttle: Pick<Throttle, 'allow' | 'windowEnd'>
  readonly #policy: NewCredentialPolicy
  readonly #now: () => Date
  /** OID that certificates of signers claim; null for none. */
  readonly #certificatePolicy: string | null
  /** OID by which credentials for one signing session are asked for; null when nobody gets any. */
  readonly #oneTimePolicy: string | null
  readonly #decideWithinSeconds: number

  /** @param parts.decideWithinSeconds how long a person has who is asked to approve */
  constructor(parts: {
    credentials: Credentials
    accounts: Accounts
    passkeys: Pick<Passkeys, 'has'>
    identities: Pick<Identities, 'issuersOf'>
    throttle: Pick<Throttle, 'allow' | 'windowEnd'>
    policy: NewCredentialPolicy
    now: () => Date
    certificatePolicy: string | null
    oneTimePolicy: string | null
    decideWithinSeconds: number
  }) {
    this.#credentials = parts.credentials
    this.#accounts = parts.accounts
    this.#passkeys = parts.passkeys
    this.#identities = parts.identities
    this.#throttle = parts.throttle
    this.#policy = parts.policy
    this.#now = parts.now
    this.#certificatePolicy = parts.certificatePolicy
    this.#oneTimePolicy = parts.oneTimePolicy
    this.#decideWithinSeconds = parts.decideWithinSeconds
  }

  /**
   * Whether the person can have another one, for a request like this.
   * @returns by what its owner will approve signatures
   * @throws {InvalidParameterError} @throws {RefusedRequestError}
   */
  async rejectUnfit(
    request: CredentialCreationRequest | null,
    user: User,
  ): Promise<ApprovalFactor> {
    const { certificatePolicy, subjectData = {} } = request ?? {}
    const offered = [undefined, this.#certificatePolicy, this.#oneTimePolicy]
    const known = offered.includes(certificatePolicy)
    if (!known || contradicts(subjectData, user)) {
      throw new InvalidParameterError('credentialCreationRequest')
    }
    return this.#rejectUnfitSigner(user)
  }

  async #rejectUnfitSigner(user: User): Promise<ApprovalFactor> {
    const standing = (await this.#credentials.list(user.id)).filter(
      ({ status }) => status !== 'revoked',
    )
    if (standing.length >= this.#policy.perPerson) {
      throw new RefusedRequestError(MOST_CREDENTIALS)
    }
    const factor = await this.#approvalFactorOf(user)
    if (!factor) throw new RefusedRequestError('The signer has no second authentication factor')
    return factor
  }

  /** As `rejectUnfit`, for a person by their identifier. */
  async rejectUnfitFor(
    request: CredentialCreationRequest,
    userId: string,
  ): Promise<ApprovalFactor> {
    return this.rejectUnfit(request, await this.#person(userId))
  }

  /**
   * Counts one more for the person and for the application: tokens make few keys a second.
   * @throws {TooManyRequestsError}
   */
  async demandQuota({ userId, clientId }: CredentialHolder): Promise<void> {
    const { perPersonPerHour, perApplicationPerHour } = this.#policy
    const demand = async (key: string, limit: number) => {
      if (await this.#throttle.allow(key, limit, HOUR_SECONDS)) return
      const end = await this.#throttle.windowEnd(key)
      const seconds = end ? (end.getTime() - this.#now().getTime()) / 1000 : HOUR_SECONDS
      throw new TooManyRequestsError(Math.max(1, Math.ceil(seconds)))
    }
    await demand(`new credential ${userId}`, perPersonPerHour)
    await demand(`new credential by ${clientId}`, perApplicationPerHour)
  }

  /**
   * Makes the key and has it certified for the person as they are on record (S16); for a single session,
   * once they have agreed to it.
   * @throws what `rejectUnfit` throws
   */
  async create(request: CredentialCreationRequest, userId: string): Promise<Credential> {
    const user = await this.#person(userId)
    const approvalFactor = await this.rejectUnfit(request, user)
    if (!this.#isOneTime(request)) {
      return this.#credentials.create(this.#wanted('Signing', user, approvalFactor))
    }
    const wanted = this.#wanted('One-time', user, approvalFactor)
    return this.#credentials.createToCome(wanted, this.#policy.oneTimeWaitSeconds)
  }

  /** Whether a signer who has no credential for that kind of signature gets one as they sign. */
  makesOnTheFly(signatureQualifier: string): boolean {
    return this.#policy.onTheFly.includes(signatureQualifier)
  }

  /**
   * For somebody who is asked for a signature of that kind and has no credential for it: one for these
   * signatures alone, whose key and certificate come when they agree.
   * @throws {TooManySignaturesError} @throws {RefusedRequestError} @throws {TooManyRequestsError}
   */
  async createOnTheFly(
    request: {
      readonly signatureQualifier: string
      readonly numSignatures: number
      readonly clientId: string
    },
    user: User,
  ): Promise<Credential> {
    const { signatureQualifier, numSignatures, clientId } = request
    if (numSignatures > this.#policy.multisign) throw new TooManySignaturesError('multisign')
    const approvalFactor = await this.#rejectUnfitSigner(user)
    await this.demandQuota({ userId: user.id, clientId })
    const wanted = this.#wanted('One-time', user, approvalFactor)
    return this.#credentials.createToCome(
      { ...wanted, signatureQualifier },
      this.#decideWithinSeconds,
    )
  }

  /** Its owner does not want to sign: nobody waits for it any more. */
  async giveUpOnTheFly(credentialId: string): Promise<void> {
    const credential = await this.#credentials.find(credentialId)
    if (credential && isOnTheFly(credential))
      await this.#credentials.delete(credentialId, 'rejected', null)
  }

  #wanted(kind: 'Signing' | 'One-time', user: User, approvalFactor: ApprovalFactor): NewCredential {
    const { algorithm, multisign, perPerson: most, custody } = this.#policy
    return {
      ...{ user, algorithm, multisign, most, approvalFactor, awaited: true },
      ...(custody === undefined ? {} : { custody }),
      description: `${kind} key of ${user.displayName}`.slice(0, 255),
      SCAL: '2',
      pin: null,
    }
  }

  #isOneTime({ certificatePolicy }: CredentialCreationRequest): boolean {
    const policy = certificatePolicy ?? this.#certificatePolicy
    return policy !== this.#certificatePolicy && policy === this.#oneTimePolicy
  }

  async #person(userId: string): Promise<User> {
    const user = await this.#accounts.find(userId)
    if (!user) throw new InvalidParameterError('credentialCreationRequest')
    return user
  }

  async #approvalFactorOf({ id }: User): Promise<ApprovalFactor | null> {
    if (await this.#accounts.hasAuthenticator(id)) return 'otp'
    if (await this.#passkeys.has(id)) return 'passkey'
    return (await this.#identities.issuersOf(id)).length > 0 ? 'id-bb' : null
  }
}

/** Claims that are not known to us are ignored, those that are have to agree. */
function contradicts(claims: Readonly<Record<string, unknown>>, user: User): boolean {
  return Object.entries(CLAIMS).some(([name, known]) => {
    const claimed = claims[name]
    return claimed !== undefined && claimed !== null && claimed !== known(user)
  })
}
