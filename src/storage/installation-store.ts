import { committed, insert, sql, type Database } from './database.js'

/** Facts written once about this database. */
export class InstallationStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async get(name: string): Promise<string | null> {
    const [row] = await this.#database.rows<{ value: string }>(
      sql`SELECT "value" FROM "Installation" WHERE "name" = ${name}`,
    )
    return row?.value ?? null
  }

  /** False when the fact was there before. */
  set(name: string, value: string): Promise<boolean> {
    return committed(this.#database, { changes: [insert('Installation', { name, value })] })
  }
}
