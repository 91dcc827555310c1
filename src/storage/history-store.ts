import type {
  HistoryStore,
  Position,
  StandingApproval,
  StoredStory,
  StoryItem,
} from '../activation/history.js'
import type { AuthorisedDigest } from '../activation/authorisation.js'
import type { Database } from './database.js'
import { toTransaction } from './transaction-store.js'

/** How many signatures of a story a page of stories shows. */
const FIRST_ITEMS = 5

export class DatabaseHistoryStore implements HistoryStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async page(userId: string, before: Position | null, limit: number): Promise<StoredStory[]> {
    const rows = await this.#database.read.transaction.findMany({
      where: {
        userId,
        ...(before
          ? {
              OR: [
                { createdAt: { lt: before.createdAt } },
                { createdAt: before.createdAt, id: { lt: before.id } },
              ],
            }
          : {}),
      },
      orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
      take: limit,
    })
    return this.#stories(rows, 0, FIRST_ITEMS)
  }

  async find(userId: string, id: string, from: number, limit: number): Promise<StoredStory | null> {
    const row = await this.#database.read.transaction.findUnique({ where: { id, userId } })
    return row ? ((await this.#stories([row], from, limit))[0] ?? null) : null
  }

  standing(userId: string, now: Date): Promise<StandingApproval[]> {
    return this.#database.read.authorisation.findMany({
      where: {
        ...{ userId, revokedAt: null, expiresAt: { gt: now } },
        digests: { some: { state: { in: ['authorised', 'released', 'reserved'] } } },
      },
      orderBy: { expiresAt: 'asc' },
      take: 100,
    })
  }

  async #stories(
    rows: readonly Parameters<typeof toTransaction>[0][],
    from: number,
    limit: number,
  ): Promise<StoredStory[]> {
    const { read } = this.#database
    const transactionIds = rows.map(({ id }) => id)
    const authorisations = await read.authorisation.findMany({
      where: { transactionId: { in: transactionIds } },
    })
    const ids = authorisations.map(({ id }) => id)
    const [counts, digests] = await Promise.all([
      read.authorisedDigest.groupBy({
        by: ['authorisationId', 'state'],
        where: { authorisationId: { in: ids } },
        _count: true,
      }),
      read.authorisedDigest.findMany({
        where: { authorisationId: { in: ids }, position: { gte: from, lt: from + limit } },
        orderBy: { position: 'asc' },
      }),
    ])
    return rows.map((row) => {
      const transaction = toTransaction(row)
      const authorisation = authorisations.find(({ transactionId }) => transactionId === row.id)
      if (!authorisation) {
        const items = transaction.items.slice(from, from + limit)
        return {
          transaction,
          authorisation: null,
          items: items.map((item) => ({ ...item, state: null })),
        }
      }
      const { id, revokedAt, expiresAt } = authorisation
      const states = counts.filter(({ authorisationId }) => authorisationId === id)
      return {
        transaction,
        authorisation: {
          ...{ revokedAt, expiresAt },
          counts: Object.fromEntries(states.map(({ state, _count }) => [state, _count])),
        },
        items: digests
          .filter(({ authorisationId }) => authorisationId === id)
          .map(({ position, digest, state }): StoryItem => {
            const bytes = digest === null ? null : Buffer.from(digest, 'base64')
            const agreed = transaction.items[position]
            // After an extension, another digest may stand in its place.
            const label = bytes && agreed?.digest.equals(bytes) ? agreed.label : null
            return { label, digest: bytes, state: state as AuthorisedDigest['state'] }
          }),
      }
    })
  }
}
