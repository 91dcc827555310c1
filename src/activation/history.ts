import type { HashAlgorithm } from '../keys/algorithms.js'
import type { Transaction } from '../transactions/transaction.js'
import type { AuthorisedDigest } from './authorisation.js'

/** Where a page of stories ends and the next begins. */
export interface Position {
  readonly createdAt: Date
  readonly id: string
}

/** One signature of a story: what was to be signed, and what became of it. */
export interface StoryItem {
  readonly label: string | null
  /** Null while a SCAL 1 signature is not tied to a digest. */
  readonly digest: Buffer | null
  /** Null while nobody agreed to it. */
  readonly state: AuthorisedDigest['state'] | null
}

/** A signing story as it lies in the ledger. */
export interface StoredStory {
  readonly transaction: Transaction
  /** Null while, or because, nobody agreed to it. */
  readonly authorisation: {
    readonly revokedAt: Date | null
    readonly expiresAt: Date
    /** How many of its signatures are in which state. */
    readonly counts: Readonly<Partial<Record<AuthorisedDigest['state'], number>>>
  } | null
  /** Only the first ones, or those that were asked for. */
  readonly items: readonly StoryItem[]
}

/** An approval that can still be used. */
export interface StandingApproval {
  readonly id: string
  readonly transactionId: string
  readonly clientId: string
  readonly credentialId: string
  readonly numSignatures: number
  readonly expiresAt: Date
}

export interface HistoryStore {
  /** Newest first; its cost does not grow with the stories before and after. */
  page(userId: string, before: Position | null, limit: number): Promise<StoredStory[]>
  /** With its items from `from` on; null for another person's as for none. */
  find(userId: string, id: string, from: number, limit: number): Promise<StoredStory | null>
  standing(userId: string, now: Date): Promise<StandingApproval[]>
}

export type StoryOutcome =
  | 'waiting'
  | 'unanswered'
  | 'rejected'
  | 'approved'
  | 'signed'
  | 'partly-signed'
  | 'unused'
  | 'ended'
  | 'failed'

/** A signing story as its signer wants to know it. */
export interface SignatureStory {
  readonly id: string
  readonly clientId: string
  readonly credentialId: string
  readonly description: string | null
  readonly hashAlgorithm: HashAlgorithm | null
  readonly numSignatures: number
  readonly createdAt: Date
  readonly outcome: StoryOutcome
  /** How many signatures were given out. */
  readonly signed: number
  readonly items: readonly StoryItem[]
}

const PAGE = 20
const ITEMS = 100

/** What was signed in a person's name, and what was asked of them. */
export class SignatureHistory {
  readonly #store: HistoryStore
  readonly #now: () => Date

  constructor(parts: { store: HistoryStore; now: () => Date }) {
    this.#store = parts.store
    this.#now = parts.now
  }

  /** One page, newest first, and where the next begins. */
  async page(
    userId: string,
    before: Position | null,
  ): Promise<{ stories: SignatureStory[]; next: Position | null }> {
    const found = await this.#store.page(userId, before, PAGE + 1)
    const stories = found.slice(0, PAGE).map((story) => this.#tell(story))
    const last = stories.at(-1)
    return { stories, next: found.length > PAGE && last ? last : null }
  }

  /** One story with its signatures from number `from` on; null when it is not this person's. */
  async find(
    userId: string,
    id: string,
    from: number,
  ): Promise<{ story: SignatureStory; next: number | null } | null> {
    const found = await this.#store.find(userId, id, from, ITEMS)
    if (!found) return null
    const story = this.#tell(found)
    const next = from + ITEMS
    return { story, next: next < story.numSignatures ? next : null }
  }

  /** Approvals that can still be used, soonest to expire first. */
  standing(userId: string): Promise<StandingApproval[]> {
    return this.#store.standing(userId, this.#now())
  }

  #tell({ transaction, authorisation, items }: StoredStory): SignatureStory {
    const { id, clientId, credentialId, description, hashAlgorithm } = transaction
    const { numSignatures, createdAt } = transaction
    return {
      ...{ id, clientId, credentialId, description, hashAlgorithm, numSignatures, createdAt },
      outcome: outcomeOf({ transaction, authorisation }, this.#now()),
      signed: authorisation?.counts.consumed ?? 0,
      items,
    }
  }
}

function outcomeOf(
  { transaction, authorisation }: Pick<StoredStory, 'transaction' | 'authorisation'>,
  now: Date,
): StoryOutcome {
  if (transaction.state === 'rejected') return 'rejected'
  if (!authorisation) return transaction.expiresAt > now ? 'waiting' : 'unanswered'
  const { consumed = 0, indeterminate = 0 } = authorisation.counts
  if (consumed > 0) return consumed < transaction.numSignatures ? 'partly-signed' : 'signed'
  if (indeterminate > 0) return 'failed'
  if (authorisation.revokedAt) return 'ended'
  return authorisation.expiresAt > now ? 'approved' : 'unused'
}
