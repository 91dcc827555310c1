import { createHash, randomBytes } from 'node:crypto'
import type { Secrets } from '../config/secrets.js'
import { hashIdentifier, type OAuthRecordStore } from './oauth-record.js'

/** A browser we sent to an identity provider, and what it has to come back with. */
export interface IdentityRequest {
  readonly provider: string
  /** The interaction it left from; its cookie ties the answer to the same browser. */
  readonly interaction: string
  readonly purpose: 'sign-in' | 'approval'
  /** Factors the signer gave before leaving. */
  readonly factors: readonly string[]
  readonly salt: string
  readonly codeVerifier: string
  /** ISO 8601. */
  readonly startedAt: string
  readonly fresh: boolean
}

const MODEL = 'IdentityRequest'

/** What waits for identity providers to answer: known by its state alone, good for one answer. */
export class IdentityRequests {
  readonly #records: OAuthRecordStore
  readonly #secrets: Secrets
  readonly #now: () => Date
  readonly #lifetimeSeconds: number

  constructor(parts: {
    records: OAuthRecordStore
    secrets: Secrets
    now: () => Date
    lifetimeSeconds: number
  }) {
    this.#records = parts.records
    this.#secrets = parts.secrets
    this.#now = parts.now
    this.#lifetimeSeconds = parts.lifetimeSeconds
  }

  /** @returns the state */
  async add(request: IdentityRequest): Promise<string> {
    const state = randomBytes(32).toString('base64url')
    const idHash = hashIdentifier(state)
    await this.#records.putOnce({
      ...{ model: MODEL, idHash, grantId: null, uidHash: null },
      payload: this.#secrets.seal(context(idHash), JSON.stringify(request)),
      expiresAt: new Date(this.#now().getTime() + this.#lifetimeSeconds * 1000),
    })
    return state
  }

  /** The request while it waits; null for any other state. */
  async find(state: string): Promise<IdentityRequest | null> {
    const idHash = hashIdentifier(state)
    const record = await this.#records.find(MODEL, idHash)
    if (!record || record.consumedAt || record.revokedAt) return null
    if (!record.expiresAt || record.expiresAt <= this.#now()) return null
    return JSON.parse(this.#secrets.unseal(context(idHash), record.payload)) as IdentityRequest
  }

  /** Of concurrent calls, exactly one gets true. */
  spend(state: string): Promise<boolean> {
    return this.#records.consume(MODEL, hashIdentifier(state), this.#now())
  }
}

/**
 * A nonce that stands for facts: whoever signs it signs for these, and after any change of them it is
 * another. Nobody can tell it, or the facts, without the salt (S22).
 */
export function boundNonce(salt: string, facts: readonly string[]): string {
  return createHash('sha256')
    .update(JSON.stringify([salt, ...facts]))
    .digest('base64url')
}

function context(idHash: string): string {
  return `identity-request ${idHash}`
}
