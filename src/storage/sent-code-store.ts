import type { AuditEvent } from '../audit/events.js'
import type { CodePurpose, SentCode, SentCodeStore } from '../identity/sent-codes.js'
import { change, committed, insert, sql, sweep, type Database } from './database.js'

/** More than can be sent for one purpose while one of them lasts. */
const RECENT = 12
/** Expired codes are kept this long, to tell an old code from a wrong one. */
const KEEP_SECONDS = 3600

export class DatabaseSentCodeStore implements SentCodeStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async add(purpose: CodePurpose, code: SentCode, audit: readonly AuditEvent[]): Promise<void> {
    const { credentialId, clientId, factor, binding } = purpose
    const outdated = new Date(code.sentAt.getTime() - KEEP_SECONDS * 1000)
    await this.#database.commit({
      changes: [
        sweep(
          sql`UPDATE "SentCode" SET "spentAt" = ${code.sentAt}
               WHERE "credentialId" = ${credentialId} AND "clientId" = ${clientId}
                 AND "factor" = ${factor} AND "binding" = ${binding} AND "spentAt" IS NULL`,
        ),
        sweep(sql`DELETE FROM "SentCode" WHERE "expiresAt" < ${outdated}`),
        insert('SentCode', { ...purpose, ...code }),
      ],
      audit,
    })
  }

  recent({ credentialId, clientId, factor, binding }: CodePurpose): Promise<SentCode[]> {
    return this.#database.read.sentCode.findMany({
      where: { credentialId, clientId, factor, binding },
      orderBy: { sentAt: 'desc' },
      take: RECENT,
    })
  }

  spend(id: string, at: Date): Promise<boolean> {
    return committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "SentCode" SET "spentAt" = ${at}
               WHERE "id" = ${id} AND "spentAt" IS NULL AND "expiresAt" > ${at}`,
          1,
        ),
      ],
    })
  }
}
