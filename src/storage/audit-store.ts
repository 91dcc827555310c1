import type { AuditLog } from '../audit/audit-log.js'
import type { AuditHead, AuditRecord } from '../audit/chain.js'
import type { AuditEvent } from '../audit/events.js'
import { readHead } from '../audit/head-file.js'
import type { Database } from './database.js'

const PAGE = 1000

export class DatabaseAuditLog implements AuditLog {
  readonly #database: Database
  readonly #headFile: string | null

  constructor(database: Database, headFile: string | null) {
    this.#database = database
    this.#headFile = headFile
  }

  async append(...events: readonly AuditEvent[]): Promise<void> {
    await this.#database.commit({ changes: [], audit: events })
  }

  async *read(fromSeq: number): AsyncIterable<AuditRecord> {
    for (let after = fromSeq - 1; ;) {
      const page = await this.#database.read.auditRecord.findMany({
        where: { seq: { gt: after } },
        orderBy: { seq: 'asc' },
        take: PAGE,
      })
      yield* page
      const last = page.at(-1)
      if (!last || page.length < PAGE) return
      after = last.seq
    }
  }

  knownHead(): AuditHead | null {
    return this.#headFile === null ? null : readHead(this.#headFile)
  }
}
