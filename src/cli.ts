import { Command } from 'commander'
import { auditCommands } from './commands/audit.js'
import { clientCommands } from './commands/client.js'
import { CommandError } from './commands/command-line.js'
import { credentialCommands } from './commands/credential.js'
import { sandboxCommands } from './commands/sandbox.js'
import { serveCommand } from './commands/serve.js'
import { tokenCommands } from './commands/token.js'
import { userCommands } from './commands/user.js'
import { VERSION } from './version.js'

const program = new Command('openrssp')
  .description('Remote signing service provider for the CSC API')
  .version(VERSION)
  .showHelpAfterError('(add --help for what it takes)')

serveCommand(program)
userCommands(program)
clientCommands(program)
credentialCommands(program)
auditCommands(program)
tokenCommands(program)
sandboxCommands(program)

try {
  await program.parseAsync()
} catch (error) {
  const mendable = error instanceof CommandError
  const message = explain(error)
  process.stderr.write(`openrssp: ${message}\n`)
  if (!mendable && process.env['OPENRSSP_DEBUG']) process.stderr.write(`${String((error as Error).stack)}\n`)
  process.exitCode = 1
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code, port } = error as NodeJS.ErrnoException & { port?: number }
  if (code === 'EADDRINUSE') return `Port ${port ?? ''} is taken; choose another with --port.`
  return error.message
}
