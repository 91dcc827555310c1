import { readFileSync, writeFileSync } from 'node:fs'
import { Argument, Option, type Command } from 'commander'
import { parseCertificate } from '../certificates/certificate.js'
import { readableNameText } from '../certificates/distinguished-name.js'
import type { ServiceName } from '../certificates/embedded/authority-store.js'
import { UnfitRequestError } from '../certificates/foreign-certificates.js'
import { CertificateLintError } from '../certificates/lint.js'
import { FINAL_REASONS, type FinalReason } from '../certificates/revocation.js'
import { subjectOf } from '../credentials/credential-terms.js'
import {
  CommandError,
  configured,
  demandReadable,
  demandUser,
  print,
  printable,
  printFacts,
  withServices,
  type CommonOptions,
} from './command-line.js'

interface RenewOptions extends CommonOptions {
  readonly revoke?: FinalReason
}

interface IssueOptions extends CommonOptions {
  readonly csr: string
  readonly profile: 'signer' | 'seal'
  readonly out?: string
}

interface RevokeOptions extends CommonOptions {
  readonly reason: FinalReason
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
        const name = options.json ? subject : readableNameText(subject)
        printFacts({ service, serialNumber, subject: name }, options.json)
      }),
    )

  configured(authority.command('issue'))
    .description('certify a key from elsewhere, such as that of a person’s own device')
    .argument('<username>', 'whose name is in the certificate')
    .requiredOption('--csr <file>', 'request signed by that key (PKCS #10, PEM or DER)')
    .addOption(
      new Option('--profile <name>', 'what the certificate says')
        .choices(['signer', 'seal'])
        .default('signer'),
    )
    .option('-o, --out <file>', 'where to write the certificate and those above it, as PEM')
    .action((username: string, options: IssueOptions) =>
      withServices(options, async ({ users, foreignCertificates }) => {
        const { csr, profile, out } = options
        const user = await demandUser(users, username)
        if (user.disabledAt) throw new CommandError(`${printable(username)} is disabled.`)
        const subject = subjectOf(user, profile === 'seal')
        const issued = await foreignCertificates
          .issue(readRequest(csr), { subject, profile })
          .catch(rethrowUnfit)
        const certified = parseCertificate(issued.certificate)
        const { serialNumber } = certified
        const name = options.json ? certified.subject : readableNameText(certified.subject)
        const pem = [issued.certificate, ...issued.chain].map(certificatePem).join('')
        if (out !== undefined) writeFileSync(out, pem)
        const shown = options.json && out === undefined ? { certificates: pem } : {}
        printFacts({ serialNumber, subject: printable(name), profile, ...shown }, options.json)
        if (!options.json && out === undefined) print(pem.trimEnd())
      }),
    )

  configured(authority.command('revoke'))
    .description('revoke a certificate made by "authority issue"')
    .argument('<serialNumber>', 'hexadecimal')
    .addOption(
      new Option('-r, --reason <name>', 'why, in revocation lists and OCSP')
        .choices(FINAL_REASONS)
        .default('unspecified'),
    )
    .action((text: string, options: RevokeOptions) =>
      withServices(options, async ({ foreignCertificates }) => {
        const serialNumber = text.toUpperCase()
        if (!(await foreignCertificates.revoke(serialNumber, options.reason))) {
          const why = 'that could be revoked. Those of credentials end by "credential revoke"'
          throw new CommandError(`There is no certificate "${printable(text)}" ${why}.`)
        }
        printFacts({ serialNumber, status: 'revoked' }, options.json)
      }),
    )
}

function rethrowUnfit(error: unknown): never {
  const isUnfit = error instanceof UnfitRequestError || error instanceof CertificateLintError
  throw isUnfit ? new CommandError(`${error.message}.`) : error
}

/** @throws {CommandError} */
function readRequest(file: string): Buffer {
  demandReadable(file)
  const bytes = readFileSync(file)
  const [, text] = REQUEST.exec(bytes.toString('latin1')) ?? []
  return text === undefined ? bytes : Buffer.from(text, 'base64')
}

const REQUEST =
  /-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END (?:NEW )?CERTIFICATE REQUEST-----/

function certificatePem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  const [begin, end] = ['BEGIN', 'END'].map((word) => `-----${word} CERTIFICATE-----`)
  return [begin, ...lines, end, ''].join('\n')
}
