import type { AuthorityStore } from '../certificates/embedded/authority-store.js'
import { insert, type Database } from './database.js'

type Name = Parameters<AuthorityStore['load']>[0]

export class DatabaseAuthorityStore implements AuthorityStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async load(name: Name): Promise<{ keyId: string; certificate: Buffer } | null> {
    const row = await this.#database.read.authorityKey.findUnique({ where: { name } })
    return row ? { keyId: row.keyId, certificate: Buffer.from(row.certificate) } : null
  }

  async save(name: Name, record: { keyId: string; certificate: Buffer }): Promise<void> {
    await this.#database.commit({ changes: [insert('AuthorityKey', { name, ...record })] })
  }
}
