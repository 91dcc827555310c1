import type { WrappedKeyRecord, WrappedKeyStore } from '../keys/hsm-wrapped.js'
import { sql, type Database } from './database.js'
import { wrappedKeyRecord, type StoredWrappedKey } from './wrapped-key.js'

export class DatabaseWrappedKeyStore implements WrappedKeyStore {
  readonly #database: Pick<Database, 'rows'>

  constructor(database: Pick<Database, 'rows'>) {
    this.#database = database
  }

  async find(keyId: string): Promise<WrappedKeyRecord | null> {
    const [row] = await this.#database.rows<StoredWrappedKey>(sql`
      SELECT k."publicKey", k."wrapped", c."id" AS "credentialId", c."userId"
        FROM "HsmKey" k LEFT JOIN "Credential" c ON c."keyId" = k."keyId"
       WHERE k."keyId" = ${keyId} AND k."wrapped" IS NOT NULL`)
    return wrappedKeyRecord(row)
  }
}
