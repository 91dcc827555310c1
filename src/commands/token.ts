import { readFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import type { Command } from 'commander'
import { configured, printFacts, readConfig, type CommonOptions } from './command-line.js'

export function tokenCommands(program: Command): void {
  const token = program.command('token').description('the PKCS#11 token')

  configured(token.command('init'))
    .description('initialise an empty token with the configured label and user PIN')
    .action(async (options: CommonOptions) => {
      // A server, which has these commands too, has no business with the binding.
      const { initToken } = await import('../keys/pkcs11/init-token.js')
      const { module, tokenLabel, pinFile, environment } = readConfig(options).hsm
      Object.assign(process.env, environment)
      initToken({
        module,
        label: tokenLabel,
        pin: readFileSync(pinFile, 'utf8').trim(),
        // Nobody needs the security officer again: a token whose PIN is lost is made anew.
        securityOfficerPin: randomBytes(16).toString('hex'),
      })
      printFacts({ tokenLabel, initialised: true }, options.json)
    })
}
