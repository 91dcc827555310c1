import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3'
import { PrismaClient } from '../prisma-client/client.js'

/** A client whose connection may read only: the database itself refuses it a write. */
export function readingClient(file: string): PrismaClient {
  return new PrismaClient({ adapter: new ReadingSqliteFactory({ url: `file:${file}` }) })
}

class ReadingSqliteFactory extends PrismaBetterSqlite3 {
  override async connect(): ReturnType<PrismaBetterSqlite3['connect']> {
    const connection = await super.connect()
    await connection.executeScript('PRAGMA synchronous = FULL; PRAGMA query_only = ON;')
    return connection
  }
}
