import { Command } from 'commander'
import { ConfigError } from '../config/load.js'
import { VERSION } from '../version.js'
import { auditCommands } from './audit.js'
import { authorityCommands } from './authority.js'
import { clientCommands } from './client.js'
import { CommandError, configCommandError, printable } from './command-line.js'
import { credentialCommands } from './credential.js'
import { databaseCommands } from './database.js'
import { hsmCommands } from './hsm.js'
import { sandboxCommands } from './sandbox.js'
import { serveCommand } from './serve.js'
import { tokenCommands } from './token.js'
import { userCommands } from './user.js'
import { verifyCommand } from './verify.js'

/** Everything `openrssp` can be told on the command line. */
export function newProgram(): Command {
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
  return program
}

/** What a person reads when a command failed. */
export function explain(error: unknown): string {
  if (error instanceof ConfigError) return configCommandError(error).message
  if (error instanceof CommandError) return error.message.split('\n').map(printable).join('\n')
  return printable(error instanceof Error ? error.message : String(error))
}
