import './oauth/unsupported-runtime.js'
import { Command } from 'commander'
import { auditCommands } from './commands/audit.js'
import { authorityCommands } from './commands/authority.js'
import { clientCommands } from './commands/client.js'
import { CommandError, configCommandError, printable } from './commands/command-line.js'
import { databaseCommands } from './commands/database.js'
import { credentialCommands } from './commands/credential.js'
import { hsmCommands } from './commands/hsm.js'
import { sandboxCommands } from './commands/sandbox.js'
import { serveCommand } from './commands/serve.js'
import { tokenCommands } from './commands/token.js'
import { userCommands } from './commands/user.js'
import { verifyCommand } from './commands/verify.js'
import { ConfigError } from './config/load.js'
import { VERSION } from './version.js'

const program = new Command('openrssp')
  .description('Remote signing service provider for the CSC API')
  .version(VERSION)
  .showHelpAfterError('(add --help for what it takes)')

serveCommand(program)
userCommands(program)
clientCommands(program)
credentialCommands(program)
authorityCommands(program)
auditCommands(program)
databaseCommands(program)
tokenCommands(program)
hsmCommands(program)
sandboxCommands(program)
verifyCommand(program)

// What is written here, the database above all, is its owner's alone.
process.umask(0o077)
// Whoever reads our output may have seen enough, as in: openrssp audit export | head
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
  process.exit(code === 'EPIPE' ? 0 : 1)
})

try {
  await program.parseAsync()
} catch (error) {
  process.stderr.write(`openrssp: ${explain(error)}\n`)
  if (process.env['OPENRSSP_DEBUG']) process.stderr.write(`${String((error as Error).stack)}\n`)
  // At once: what was opened before the failure must not keep the process alive.
  process.exit(1)
}

function explain(error: unknown): string {
  if (error instanceof ConfigError) return configCommandError(error).message
  if (error instanceof CommandError) return error.message.split('\n').map(printable).join('\n')
  return printable(error instanceof Error ? error.message : String(error))
}
