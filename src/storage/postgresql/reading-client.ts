import { PrismaPg } from '@prisma/adapter-pg'
import type pg from 'pg'
import type { PrismaClient as AnyPrismaClient } from '../prisma-client/client.js'
import { PrismaClient } from './prisma-client/client.js'

/** A client that reads by the pool. @param schema that of the tables, which Prisma puts before each name */
export function readingClient(
  pool: pg.Pool,
  schema: string,
  statementNameGenerator: (query: { sql: string }) => string,
): AnyPrismaClient {
  const adapter = new PrismaPg(pool, { schema, statementNameGenerator })
  // Generated for each provider from the same models: what they ask differs, what they offer does not.
  return new PrismaClient({ adapter }) as unknown as AnyPrismaClient
}
