/**
 * Runs a command with a PostgreSQL server to test on, named in OPENRSSP_TEST_POSTGRESQL: a private one on
 * a free port, whose data goes with it, or the one in OPENRSSP_DATABASE_URL.
 */
import { spawn } from 'node:child_process'
import { isPostgresql } from '../src/config/database-url.js'
import { dropTestDatabases, PrivatePostgres } from '../test/support/postgresql.js'

const { OPENRSSP_DATABASE_URL: named = '', ...environment } = process.env
const given = isPostgresql(named) ? named : null
const [command = 'true', ...commandArguments] = process.argv.slice(2)
const server = given ? null : await PrivatePostgres.start()
const url = given ?? server?.url ?? ''
const child = spawn(command, commandArguments, {
  stdio: 'inherit',
  env: { ...environment, OPENRSSP_TEST_POSTGRESQL: url },
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => child.kill(signal))
}
child.once('exit', (code, signal) => {
  const left = server ? server.stop() : dropTestDatabases(url)
  void left.finally(() => process.exit(code ?? (signal === null ? 1 : 130)))
})
