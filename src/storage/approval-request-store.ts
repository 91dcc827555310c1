import type { ApprovalRequest, ApprovalRequestStore } from '../activation/approval-request.js'
import { standing } from './activation-store.js'
import { change, committed, insert, sql, type Database } from './database.js'
import type { ApprovalRequestModel } from './prisma-client/models/ApprovalRequest.js'
import { insertTransaction, toTransaction } from './transaction-store.js'

export class DatabaseApprovalRequestStore implements ApprovalRequestStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  add(request: Parameters<ApprovalRequestStore['add']>[0]): Promise<boolean> {
    const { limit, forgetAfter, now } = request
    const { transaction, handleHash, factors } = request.approval
    const { id, userId, credentialId } = transaction
    return committed(this.#database, {
      changes: [
        change(
          sql`INSERT INTO "ApprovalRequest"
                ("transactionId", "handleHash", "userId", "credentialId", "factors", "expiresAt")
              SELECT ${id}, ${handleHash}, ${userId}, ${credentialId}, ${JSON.stringify(factors)}, ${forgetAfter}
               WHERE (SELECT COUNT(*) FROM "ApprovalRequest" r
                        JOIN "Transaction" t ON t."id" = r."transactionId"
                       WHERE r."credentialId" = ${credentialId}
                         AND t."state" = 'pending' AND t."expiresAt" > ${now}) < ${limit}`,
          1,
        ),
        insertTransaction(transaction),
      ],
      audit: request.audit,
    })
  }

  async find(transactionId: string): Promise<ApprovalRequest | null> {
    const { read } = this.#database
    return this.#complete(await read.approvalRequest.findUnique({ where: { transactionId } }))
  }

  async findByHandle(handleHash: string): Promise<ApprovalRequest | null> {
    const { read } = this.#database
    return this.#complete(await read.approvalRequest.findUnique({ where: { handleHash } }))
  }

  async listWaiting(userId: string, now: Date): Promise<ApprovalRequest[]> {
    const { read } = this.#database
    const rows = await read.approvalRequest.findMany({ where: { userId, expiresAt: { gt: now } } })
    const byId = new Map(rows.map((row) => [row.transactionId, row]))
    const transactions = await read.transaction.findMany({
      where: { id: { in: [...byId.keys()] }, state: 'pending', expiresAt: { gt: now } },
      orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
    })
    return transactions.flatMap((transaction) => {
      const row = byId.get(transaction.id)
      return row ? [{ ...toRequest(row), transaction: toTransaction(transaction) }] : []
    })
  }

  authorisationOf(transactionId: string): Promise<{ id: string; expiresAt: Date } | null> {
    return this.#database.read.authorisation.findUnique({
      where: { transactionId },
      select: { id: true, expiresAt: true },
    })
  }

  collect(request: Parameters<ApprovalRequestStore['collect']>[0]): Promise<boolean> {
    const { handleHash, sad, now } = request
    return committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "ApprovalRequest" SET "collectedAt" = ${now}
               WHERE "handleHash" = ${handleHash} AND "collectedAt" IS NULL
                 AND ${standing(sad.authorisationId, now)}`,
          1,
        ),
        insert('Sad', { ...sad }),
        change(
          sql`UPDATE "Authorisation" SET "expiresAt" = ${sad.expiresAt} WHERE "id" = ${sad.authorisationId}`,
          1,
        ),
      ],
      audit: request.audit,
    })
  }

  async #complete(row: ApprovalRequestModel | null): Promise<ApprovalRequest | null> {
    if (!row) return null
    const transaction = await this.#database.read.transaction.findUnique({
      where: { id: row.transactionId },
    })
    return transaction && { ...toRequest(row), transaction: toTransaction(transaction) }
  }
}

function toRequest({ handleHash, factors, collectedAt }: ApprovalRequestModel) {
  return { handleHash, factors: JSON.parse(factors) as string[], collectedAt }
}
