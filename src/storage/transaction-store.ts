import type { AuditEvent } from '../audit/events.js'
import { hashAlgorithmByOid } from '../keys/algorithms.js'
import type { Transaction, TransactionItem, TransactionStore } from '../transactions/transaction.js'
import { change, committed, insert, sql, type Change, type Database } from './database.js'
import { modelReader, type Stored } from './model-reader.js'
import type { TransactionModel } from './prisma-client/models/Transaction.js'

const readTransaction = modelReader<TransactionModel>({ createdAt: 'date', expiresAt: 'date' })

export class DatabaseTransactionStore implements TransactionStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  add(transaction: Transaction, audit: readonly AuditEvent[]): Promise<boolean> {
    return committed(this.#database, { changes: [insertTransaction(transaction)], audit })
  }

  async find(id: string): Promise<Transaction | null> {
    const [row] = await this.#database.rows<Stored<TransactionModel>>(
      sql`SELECT * FROM "Transaction" WHERE "id" = ${id}`,
    )
    return row ? toTransaction(readTransaction(row)) : null
  }

  reject(id: string, audit: readonly AuditEvent[]): Promise<boolean> {
    return committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "Transaction" SET "state" = 'rejected' WHERE "id" = ${id} AND "state" = 'pending'`,
          1,
        ),
      ],
      audit,
    })
  }
}

export function toTransaction(row: TransactionModel): Transaction {
  const items = JSON.parse(row.items) as StoredItem[]
  return {
    ...row,
    state: row.state as Transaction['state'],
    hashAlgorithm: row.hashAlgorithm === null ? null : hashAlgorithmByOid(row.hashAlgorithm),
    items: items.map(({ digest, ...item }) => ({ ...item, digest: Buffer.from(digest, 'base64') })),
  }
}

type StoredItem = Omit<TransactionItem, 'digest'> & { readonly digest: string }

export function insertTransaction({ items, hashAlgorithm, ...row }: Transaction): Change {
  const stored = items.map(({ digest, ...item }): StoredItem => {
    return { digest: digest.toString('base64'), ...item }
  })
  return insert('Transaction', {
    ...row,
    grantId: row.grantId ?? null,
    hashAlgorithm: hashAlgorithm?.oid ?? null,
    items: JSON.stringify(stored),
  })
}
