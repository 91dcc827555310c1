import { Argument, Option, type Command } from 'commander'
import { parseCertificate } from '../certificates/certificate.js'
import type { ServiceName } from '../certificates/embedded/authority-store.js'
import { FINAL_REASONS, type FinalReason } from '../certificates/revocation.js'
import {
  CommandError,
  configured,
  printFacts,
  withServices,
  type CommonOptions,
} from './command-line.js'

interface RenewOptions extends CommonOptions {
  readonly revoke?: FinalReason
}

export function authorityCommands(program: Command): void {
  const authority = program
    .command('authority')
    .description('the embedded certification authority and the keys of its services')

  configured(authority.command('renew'))
    .description('make a new key for the OCSP responder or the time-stamping unit, at once')
    .addArgument(new Argument('<service>').choices(['ocsp', 'tsa']))
    .addOption(
      new Option(
        '--revoke <reason>',
        'revoke the certificate of the key before, which then signs nothing any more',
      ).choices(FINAL_REASONS),
    )
    .action((service: ServiceName, options: RenewOptions) =>
      withServices(options, async ({ serviceKeys }) => {
        const certificate = await serviceKeys.renew(service, options.revoke ?? null)
        if (!certificate) throw new CommandError('Somebody else renewed it at the same moment.')
        const { serialNumber, subject } = parseCertificate(certificate)
        printFacts({ service, serialNumber, subject }, options.json)
      }),
    )
}
