import type { AuditEvent } from '../audit/events.js'
import type {
  DepositLimits,
  DepositStore,
  KeptDocument,
  ListedDocument,
  WantedDocument,
  WantedDocuments,
} from '../documents/deposits.js'
import { change, committed, listOf, sql, sweep, type Database, type Statement } from './database.js'
import { modelReader, type Stored } from './model-reader.js'
import type { DepositedDocumentModel } from './prisma-client/models/DepositedDocument.js'

const readDocument = modelReader<DepositedDocumentModel>({ expiresAt: 'date' })
const readListed = modelReader<Omit<DepositedDocumentModel, 'content'>>({ expiresAt: 'date' })

const COLUMNS = { sha256: sql`"sha256"`, sha384: sql`"sha384"`, sha512: sql`"sha512"` } as const

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

  remove(wanted: WantedDocument, now: Date, audit: readonly AuditEvent[]): Promise<boolean> {
    const { clientId, userId } = wanted
    return committed(this.#database, {
      changes: [
        change(
          sql`DELETE FROM "DepositedDocument"
               WHERE "clientId" = ${clientId} AND "userId" = ${userId} AND ${isOf(wanted)}
                 AND "expiresAt" > ${now}`,
          1,
        ),
      ],
      audit,
    })
  }

  async list(wanted: WantedDocuments, now: Date): Promise<ListedDocument[]> {
    const { clientId, userId, hash, digests } = wanted
    if (digests.length === 0) return []
    const rows = await this.#database.rows<Stored<Omit<DepositedDocumentModel, 'content'>>>(
      sql`SELECT "id", "clientId", "userId", "sha256", "sha384", "sha512", "label", "size", "expiresAt"
            FROM "DepositedDocument"
           WHERE "clientId" = ${clientId} AND ${COLUMNS[hash]} IN (${listOf(digests)})
             AND "userId" IN (${userId}, '') AND "expiresAt" > ${now}
           ORDER BY "userId"`,
    )
    return rows.map((row) => ({ ...readListed(row), digest: row[hash] }))
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
  return sql`${COLUMNS[hash]} = ${digest}`
}
