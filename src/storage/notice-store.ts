import type {
  AccountEvent,
  EventDetail,
  Notice,
  NoticeEntry,
  NoticeStore,
} from '../account/notice.js'
import type { AuditRecord } from '../audit/chain.js'
import { change, committed, insert, sql, type Database } from './database.js'

const CURSOR = 'notice-cursor'

export class DatabaseNoticeStore implements NoticeStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async cursor(): Promise<number | null> {
    const [row] = await this.#database.rows<{ value: string }>(
      sql`SELECT "value" FROM "Installation" WHERE "name" = ${CURSOR}`,
    )
    return row ? Number(row.value) : null
  }

  begin(seq: number): Promise<boolean> {
    return committed(this.#database, {
      changes: [insert('Installation', { name: CURSOR, value: String(seq) })],
    })
  }

  async head(): Promise<number> {
    const [newest] = await this.#database.rows<{ seq: number }>(
      sql`SELECT "seq" FROM "AuditRecord" ORDER BY "seq" DESC LIMIT 1`,
    )
    return newest?.seq ?? 0
  }

  records(seq: number, limit: number): Promise<AuditRecord[]> {
    return this.#database.rows<AuditRecord>(
      sql`SELECT * FROM "AuditRecord" WHERE "seq" > ${seq} ORDER BY "seq" LIMIT ${limit}`,
    )
  }

  advance(
    from: number,
    to: number,
    found: { events: readonly AccountEvent[]; notices: readonly Notice[] },
  ): Promise<boolean> {
    return committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "Installation" SET "value" = ${String(to)}
               WHERE "name" = ${CURSOR} AND "value" = ${String(from)}`,
          1,
        ),
        ...found.events.map(({ detail, ...event }) =>
          insert('AccountEvent', { ...event, detail: JSON.stringify(detail) }),
        ),
        ...found.notices.map(({ entries, ...notice }) =>
          insert('Notice', { ...notice, entries: JSON.stringify(entries) }),
        ),
      ],
    })
  }

  async due(now: Date, limit: number): Promise<Notice[]> {
    const rows = await this.#database.read.notice.findMany({
      where: { nextTryAt: { lte: now } },
      orderBy: { nextTryAt: 'asc' },
      take: limit,
    })
    return rows.map((row) => ({ ...row, entries: JSON.parse(row.entries) as NoticeEntry[] }))
  }

  claim({ id, tries }: Notice, until: Date): Promise<boolean> {
    return committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "Notice" SET "nextTryAt" = ${until}, "tries" = ${tries + 1}
               WHERE "id" = ${id} AND "tries" = ${tries}`,
          1,
        ),
      ],
    })
  }

  postpone({ id, tries }: Notice, until: Date): Promise<boolean> {
    return committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "Notice" SET "nextTryAt" = ${until} WHERE "id" = ${id} AND "tries" = ${tries + 1}`,
          1,
        ),
      ],
    })
  }

  remove({ id, tries }: Notice): Promise<boolean> {
    return committed(this.#database, {
      changes: [change(sql`DELETE FROM "Notice" WHERE "id" = ${id} AND "tries" = ${tries + 1}`, 1)],
    })
  }

  async newest(userId: string, limit: number): Promise<AccountEvent[]> {
    const rows = await this.#database.read.accountEvent.findMany({
      where: { userId },
      orderBy: { seq: 'desc' },
      take: limit,
    })
    return rows.map((row) => ({ ...row, detail: JSON.parse(row.detail) as EventDetail }))
  }

  async happenedSince(userId: string, event: string, since: Date): Promise<boolean> {
    const found = await this.#database.read.accountEvent.findFirst({
      where: { userId, event, at: { gt: since } },
    })
    return found !== null
  }

  async personOfTransaction(id: string): Promise<string | null> {
    const row = await this.#database.read.transaction.findUnique({
      where: { id },
      select: { userId: true },
    })
    return row?.userId ?? null
  }
}
