import type { AuditEvent } from '../audit/events.js'
import type {
  DepositLimits,
  DepositStore,
  KeptDocument,
  ListedDocument,
  WantedDocument,
  WantedDocuments,
} from '../documents/deposits.js'
import { change, committed, sql, sweep, type Database, type Statement } from './database.js'
import { modelReader, type Stored } from './model-reader.js'
import type { DepositedDocumentModel } from './prisma-client/models/DepositedDocument.js'

const readDocument = modelReader<DepositedDocumentModel>({ expiresAt: 'date' })

export class DatabaseDepositStore implements DepositStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  add(
    document: KeptDocument,
    limits: DepositLimits,
    now: Date,
    audit: readonly AuditEvent[],
  ): Promise<boolean> {
    const { id, clientId, userId, sha256, sha384, sha512 } = document
    const { label, content, size, expiresAt } = document
    const here = sql`FROM "DepositedDocument" WHERE "clientId" = ${clientId} AND "expiresAt" > ${now}`
    return committed(this.#database, {
      changes: [
        sweep(
          sql`DELETE FROM "DepositedDocument"
               WHERE "clientId" = ${clientId} AND "userId" = ${userId} AND "sha256" = ${sha256}`,
        ),
        change(
          sql`INSERT INTO "DepositedDocument"
                ("id", "clientId", "userId", "sha256", "sha384", "sha512", "label", "content", "size", "expiresAt")
              SELECT ${id}, ${clientId}, ${userId}, ${sha256}, ${sha384}, ${sha512}, ${label}, ${content}, ${size}, ${expiresAt}
               WHERE (SELECT COUNT(*) ${here}) < ${limits.documents}
                 AND (SELECT COALESCE(SUM("size"), 0) ${here}) <= ${limits.bytes - size}`,
          1,
        ),
      ],
      audit,
    })
  }

  async list(wanted: WantedDocuments, now: Date): Promise<ListedDocument[]> {
    const { clientId, userId, hash, digests } = wanted
    const rows = await this.#database.read.depositedDocument.findMany({
      where: {
        ...{ clientId, userId: { in: [userId, ''] }, expiresAt: { gt: now } },
        [hash]: { in: [...digests] },
      },
      omit: { content: true },
      orderBy: { userId: 'asc' },
    })
    return rows.map((row) => ({ ...row, size: Number(row.size), digest: row[hash] }))
  }

  async find(wanted: WantedDocument, now: Date): Promise<KeptDocument | null> {
    const { clientId, userId } = wanted
    const [row] = await this.#database.rows<Stored<DepositedDocumentModel>>(
      sql`SELECT * FROM "DepositedDocument"
           WHERE "clientId" = ${clientId} AND ${isOf(wanted)}
             AND "userId" IN (${userId}, '') AND "expiresAt" > ${now}
           ORDER BY "userId" DESC, "expiresAt" DESC LIMIT 1`,
    )
    return row ? readDocument(row) : null
  }
}

function isOf({ hash, digest }: WantedDocument): Statement {
  switch (hash) {
    case 'sha256':
      return sql`"sha256" = ${digest}`
    case 'sha384':
      return sql`"sha384" = ${digest}`
    case 'sha512':
      return sql`"sha512" = ${digest}`
  }
}
