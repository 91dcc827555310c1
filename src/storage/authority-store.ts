import type { AuthorityStore } from '../certificates/embedded/authority-store.js'
import { committed, insert, type Database } from './database.js'
import { ownKey } from './key-store.js'

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
    // The first record of a name stays: whoever lost the race loads the winner's.
    const changes = [insert('AuthorityKey', { name, ...record }), ownKey(record.keyId, null)]
    await committed(this.#database, { changes })
  }
}
