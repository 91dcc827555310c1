import type { Config } from './config/schema.js'
import { Secrets } from './config/secrets.js'
import { accountClient } from './oauth/account-client.js'
import { DatabaseAuditLog } from './storage/audit-store.js'
import { DatabaseClientStore } from './storage/client-store.js'
import { DatabaseCredentialStore } from './storage/credential-store.js'
import type { Database } from './storage/database.js'
import { DatabaseEnrolmentStore } from './storage/enrolment-store.js'
import { DatabaseIdentityStore } from './storage/identity-store.js'
import { InstallationStore } from './storage/installation-store.js'
import { SqliteDatabase } from './storage/sqlite/sqlite-database.js'
import { DatabaseUserStore } from './storage/user-store.js'

export type Records = Awaited<ReturnType<typeof openRecords>>

/**
 * The database and what stands in it: enough for administration that touches no key, which therefore
 * loads nothing of the server.
 */
export async function openRecords(config: Config, overrides: { readonly now?: () => Date } = {}) {
  const now = overrides.now ?? (() => new Date())
  const secrets = Secrets.read(config.secretsFile)
  const headFile = config.auditHeadFile ?? null
  const database: Database = await SqliteDatabase.open({
    file: config.database.slice('file:'.length),
    headFile,
    now,
  })
  return {
    config,
    now,
    secrets,
    database,
    audit: new DatabaseAuditLog(database, headFile),
    users: new DatabaseUserStore(database, secrets, now),
    clients: new DatabaseClientStore(database, secrets, now, [accountClient(config)]),
    credentialStore: new DatabaseCredentialStore(database),
    identityStore: new DatabaseIdentityStore(database),
    enrolmentStore: new DatabaseEnrolmentStore(database, secrets),
    installation: new InstallationStore(database),
    close: () => database.close(),
  }
}
