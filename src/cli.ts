import './oauth/unsupported-runtime.js'
import { explain, newProgram } from './commands/program.js'
import { isPinRefused } from './keys/pkcs11/ckr.js'

/** EX_CONFIG, of sysexits(3): service managers can be told not to try again what may lock a token. */
const DO_NOT_RESTART = 78

// What is written here, the database above all, is its owner's alone.
process.umask(0o077)
// Whoever reads our output may have seen enough, as in: openrssp audit export | head
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
  process.exit(code === 'EPIPE' ? 0 : 1)
})

try {
  await newProgram().parseAsync()
} catch (error) {
  process.stderr.write(`openrssp: ${explain(error)}\n`)
  if (process.env['OPENRSSP_DEBUG']) process.stderr.write(`${String((error as Error).stack)}\n`)
  // At once: what was opened before the failure must not keep the process alive.
  process.exit(isPinRefused(error) ? DO_NOT_RESTART : 1)
}
