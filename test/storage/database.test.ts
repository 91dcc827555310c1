import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PostgresqlDatabase } from '../../src/storage/postgresql/postgresql-database.js'
import { SqliteDatabase } from '../../src/storage/sqlite/sqlite-database.js'
import { newPostgresDatabase } from '../support/postgresql.js'
import { describeDatabase } from './contract.js'

const now = () => new Date()

describeDatabase('SQLite', async (headFile) => {
  const folder = mkdtempSync(join(tmpdir(), 'openrssp-storage-'))
  const file = join(folder, 'test.db')
  const database = await SqliteDatabase.open({ file, headFile, now })
  return {
    database,
    another: (options) => SqliteDatabase.open({ file, headFile: null, now, ...options }),
    async close() {
      await database.close()
      rmSync(folder, { recursive: true })
    },
  }
})

describeDatabase('PostgreSQL', async (headFile) => {
  const own = await newPostgresDatabase()
  const { url } = own
  const database = await PostgresqlDatabase.open({ url, headFile, now })
  return {
    database,
    another: (options) => PostgresqlDatabase.open({ url, headFile: null, now, ...options }),
    async close() {
      await database.close()
      await own.drop()
    },
  }
})
