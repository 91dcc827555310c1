import type { CodePurpose, SentCode, SentCodeStore } from '../identity/sent-codes.js'
import { change, committed, insert, sql, sweep, type Database } from './database.js'

export class DatabaseSentCodeStore implements SentCodeStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async add(purpose: CodePurpose, code: SentCode): Promise<void> {
    const { credentialId, clientId, factor } = purpose
    await this.#database.commit({
      changes: [
        sweep(
          sql`UPDATE "SentCode" SET "spentAt" = ${code.sentAt}
               WHERE "credentialId" = ${credentialId} AND "clientId" = ${clientId}
                 AND "factor" = ${factor} AND "spentAt" IS NULL`,
        ),
        insert('SentCode', { ...purpose, ...code }),
      ],
    })
  }

  newest(purpose: CodePurpose): Promise<SentCode | null> {
    return this.#database.read.sentCode.findFirst({
      where: { ...purpose, spentAt: null },
      orderBy: { sentAt: 'desc' },
    })
  }

  spend(id: string, at: Date): Promise<boolean> {
    return committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "SentCode" SET "spentAt" = ${at} WHERE "id" = ${id} AND "spentAt" IS NULL`,
          1,
        ),
      ],
    })
  }
}
