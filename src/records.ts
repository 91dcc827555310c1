import type { Config } from './config/schema.js'
import { Secrets } from './config/secrets.js'
import type { Logger } from './observability/logger.js'
import type { Observation } from './observability/observation.js'
import { accountClient } from './oauth/account-client.js'
import { DatabaseAuditLog } from './storage/audit-store.js'
import { DatabaseClientStore } from './storage/client-store.js'
import { DatabaseCredentialStore } from './storage/credential-store.js'
import type { Database } from './storage/database.js'
import { bindEarlierRows, NEVER } from './storage/earlier-rows.js'
import { DatabaseEnrolmentStore } from './storage/enrolment-store.js'
import { FencedDatabase } from './storage/fenced-database.js'
import { GuardedDatabase } from './storage/guarded-database.js'
import { DatabaseIdentityStore } from './storage/identity-store.js'
import { InstallationStore } from './storage/installation-store.js'
import { openDatabase } from './storage/open-database.js'
import { DatabaseUserStore } from './storage/user-store.js'

interface RecordsOverrides {
  /** Whether the log may be another than the head file remembers; none is kept then. */
  readonly withoutHead?: boolean
  readonly now?: () => Date
  /** For servers, which are looked at from outside. */
  readonly observation?: Observation
  readonly logger?: Logger
}

export type Records = Awaited<ReturnType<typeof openRecords>>

/**
 * The database and what stands in it: enough for administration that touches no key, which therefore
 * loads nothing of the server.
 */
export async function openRecords(config: Config, overrides: RecordsOverrides = {}) {
  const { observation, logger } = overrides
  const now = overrides.now ?? (() => new Date())
  const secrets = Secrets.read(config.secretsFile)
  const headFile = overrides.withoutHead ? null : (config.auditHeadFile ?? null)
  const opened = await openDatabase({
    url: config.database,
    connections: config.databaseConnections,
    headFile,
    now,
    ...(observation ? { observer: observation.metrics } : {}),
    ...(logger ? { log: logger } : {}),
  })
  const fenced = new FencedDatabase(opened)
  const mostWaiting = config.overload.commitsWaiting
  const guarded = observation ? new GuardedDatabase(fenced, { ...observation, mostWaiting }) : null
  const database: Database = guarded ?? fenced
  const installation = new InstallationStore(database)
  // A restored database is looked at first; whoever serves from it binds what is in it.
  const unboundUntil = overrides.withoutHead
    ? NEVER
    : await bindEarlierRows({ database, installation, secrets, now })
  return {
    config,
    now,
    secrets,
    database,
    unboundUntil,
    installation,
    audit: new DatabaseAuditLog(database, headFile),
    users: new DatabaseUserStore(database, secrets, now),
    clients: new DatabaseClientStore(database, secrets, now, [accountClient(config)]),
    credentialStore: new DatabaseCredentialStore(database),
    identityStore: new DatabaseIdentityStore(database, secrets),
    enrolmentStore: new DatabaseEnrolmentStore(database, secrets),
    canWrite: async () => guarded === null || (await guarded.canWrite()),
    close: () => database.close(),
  }
}
