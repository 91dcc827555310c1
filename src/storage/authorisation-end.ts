import { raw } from 'sql-template-tag'
import { sql, sweep, type Change } from './database.js'

const COLUMNS = { user: 'userId', credential: 'credentialId', client: 'clientId' } as const

/**
 * Ends all that was agreed to by a person, with a credential or for an application: no token, SAD or
 * signature that is being made comes to anything from then on.
 */
export function endAuthorisations(of: keyof typeof COLUMNS, id: string, at: Date): Change {
  return sweep(
    sql`UPDATE "Authorisation" SET "revokedAt" = ${at}
         WHERE ${raw(`"${COLUMNS[of]}"`)} = ${id} AND "revokedAt" IS NULL`,
  )
}
