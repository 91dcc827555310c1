import { readFileSync, writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { InvalidArgumentError, Option } from 'commander'
import { auditEvent } from '../audit/events.js'
import { FINAL_REASONS, type FinalReason } from '../certificates/revocation.js'
import { pemCertificates } from '../config/pem-certificates.js'
import { certificateStatus, type NewCredential } from '../credentials/credentials.js'
import { APPROVAL_FACTORS } from '../credentials/credential.js'
import { UnfitCertificateError } from '../errors.js'
import { KEY_ALGORITHMS, type KeyAlgorithm } from '../keys/algorithms.js'
import { CUSTODIES, type Custody } from '../keys/key-id.js'
import type { Services } from '../services.js'
import {
  agreementOfOwner,
  agreementOfSeal,
  OBJECT_IDS,
  type AgreementOptions,
} from './agreement.js'
import {
  CommandError,
  configured,
  demandPlainText,
  demandReadable,
  demandUser,
  print,
  printable,
  printFacts,
  printRows,
  withRecords,
  withServices,
  type CommonOptions,
} from './command-line.js'

const EXAMPLES = `
Who agrees to a signature, and where:

  on our pages, with a one-time code    openrssp credential create alice
  … and a PIN                           openrssp credential create alice --with-pin
  … with a code by e-mail or SMS        openrssp credential create alice --approval sms
  by the application, with PIN and code openrssp credential create alice --explicit PIN OTP
  … with a PIN and one of two codes     openrssp credential create alice --explicit PIN OTP SMS \\
                                          --expression "PIN AND (OTP OR SMS)"
  on another device, at /account        openrssp credential create alice --explicit PUSH
  nobody: a seal, by its application    openrssp credential create acme --seal-of app

PINs are made here and shown once.
`

interface CreateOptions extends CommonOptions, AgreementOptions {
  readonly algorithm: KeyAlgorithm
  readonly description: string
  readonly scal: '1' | '2'
  readonly multisign: number
  readonly qualifier?: string
  readonly custody?: Custody
}

export function credentialCommands(program: Command): void {
  const credential = program.command('credential').description('keys with their certificates')

  creating(credential.command('create'), 'make a key and have it certified for a person')
    .addHelpText('after', EXAMPLES)
    .action((username: string, options: CreateOptions) =>
      withServices(options, async ({ users, clients, config, credentials }) => {
        const wanted = await wantedCredential(username, options, { users, clients, config })
        const { id } = await credentials.create(wanted)
        printCreated(id, username, wanted, options)
      }),
    )

  creating(
    credential.command('csr'),
    'make a key whose certificate you get elsewhere, and print a request for it (PKCS#10)',
  )
    .option('-o, --out <file>', 'where to write the request, as PEM')
    .action((username: string, options: CreateOptions & { readonly out?: string }) =>
      withServices(options, async ({ users, clients, config, certificateRequests }) => {
        const wanted = await wantedCredential(username, options, { users, clients, config })
        const { id, csr } = await certificateRequests.begin(wanted)
        const request = requestPem(csr)
        if (options.out !== undefined) writeFileSync(options.out, request)
        const shown = options.json || options.out === undefined ? { request } : {}
        printCreated(id, username, wanted, options, options.json ? shown : {})
        if (!options.json && options.out === undefined) print(request.trimEnd())
      }),
    )

  configured(credential.command('import'))
    .description(
      'bring the certificate that was issued elsewhere for a key made by "credential csr"',
    )
    .argument('<credentialID>')
    .requiredOption('--certificate <file>', 'PEM file with the certificate and those above it')
    .requiredOption('--anchors <file>', 'PEM file with the roots you trust to certify signers')
    .action((id: string, options: ImportOptions) =>
      withServices(options, async ({ users, certificateRequests }) => {
        const [given, anchors] = [
          readCertificates(options.certificate),
          readCertificates(options.anchors),
        ]
        const user = await certificateRequests.ownerOf(id, users)
        const credential = user && (await certificateRequests.complete(id, user, given, anchors))
        if (!credential) throw new CommandError(`There is no request "${printable(id)}".`)
        printFacts({ credentialID: id, status: credential.status }, options.json)
      }).catch((error: unknown) => {
        if (!(error instanceof UnfitCertificateError)) throw error
        throw new CommandError(`${error.message}.`)
      }),
    )

  ended(
    credential.command('withdraw'),
    'give up a request made by "credential csr", with its key',
  ).action((id: string, options: EndOptions) =>
    withServices(options, async ({ certificateRequests }) => {
      if (!(await certificateRequests.withdraw(id, options.reason))) {
        throw new CommandError(`There is no request "${printable(id)}".`)
      }
      printFacts({ credentialID: id, status: 'withdrawn' }, options.json)
    }),
  )

  configured(credential.command('list'))
    .description('list credentials')
    .argument('[username]', 'only this person’s')
    .action((username: string | undefined, options: CommonOptions) =>
      withRecords(options, async ({ users, credentialStore, now }) => {
        const user = username === undefined ? null : await demandUser(users, username)
        const found = user ? await credentialStore.list(user.id) : await credentialStore.listAll()
        const names = new Map((await users.list()).map((each) => [each.id, each.username]))
        const rows = found.map((each) => {
          const { id, userId, keyAlgorithm, status, SCAL, description } = each
          const certificate = certificateStatus(each, now())
          const owner = names.get(userId)
          return { credentialID: id, owner, keyAlgorithm, status, certificate, SCAL, description }
        })
        printRows(rows, options.json)
      }),
    )

  ended(
    credential.command('suspend'),
    'let a credential sign nothing until it is resumed; approvals end at once',
  ).action((id: string, options: EndOptions) => turn(id, options, 'suspend', 'suspended'))

  ended(credential.command('resume'), 'let a suspended credential sign again').action(
    (id: string, options: EndOptions) => turn(id, options, 'resume', 'resumed'),
  )

  ended(credential.command('revoke'), 'end a credential for good and destroy its key')
    .addOption(
      new Option('--certificate-reason <name>', 'why, in revocation lists and OCSP')
        .choices(FINAL_REASONS)
        .default('unspecified'),
    )
    .action((id: string, options: EndOptions & { readonly certificateReason: FinalReason }) =>
      withServices(options, async ({ credentials }) => {
        if (!(await credentials.revoke(id, options.reason, options.certificateReason))) {
          throw new CommandError(`There is no credential "${id}" that could be revoked.`)
        }
        printFacts({ credentialID: id, status: 'revoked' }, options.json)
      }),
    )
}

interface ImportOptions extends CommonOptions {
  readonly certificate: string
  readonly anchors: string
}

/** A command that makes a credential, with everything that can be said of one. */
function creating(command: Command, description: string): Command {
  return configured(command)
    .description(description)
    .argument('<username>')
    .addOption(
      new Option('-a, --algorithm <name>', 'key algorithm')
        .choices(Object.keys(KEY_ALGORITHMS))
        .default('p-256'),
    )
    .option('-d, --description <text>', 'shown to the signer', 'Signing key')
    .addOption(
      new Option('--scal <level>', 'sole control assurance level').choices(['1', '2']).default('2'),
    )
    .addOption(
      new Option('--approval <factor>', 'how its owner approves; see docs/factors.md')
        .choices(APPROVAL_FACTORS)
        .default('otp'),
    )
    .option('--with-pin', 'approving takes a PIN as well')
    .addOption(
      new Option(
        '--explicit <object...>',
        'let applications collect the factors and send them to credentials/authorize',
      )
        .choices(OBJECT_IDS)
        .conflicts('sealOf'),
    )
    .option('--expression <text>', 'how the objects combine, with AND, OR, XOR; all when absent')
    .option('--qualifier <name>', 'signatureQualifier it is for, such as eu_eidas_aes')
    .option('--multisign <count>', 'most signatures per approval', wholeNumber, 50)
    .addOption(
      new Option('--custody <name>', 'where its key is kept; see docs/hsm.md').choices(CUSTODIES),
    )
    .option('--seal-of <client_id>', 'a seal: this application uses it with tokens of its own')
    .option('--without-pin', 'of a seal: let its application’s token be enough')
}

/** @throws {CommandError} */
async function wantedCredential(
  username: string,
  options: CreateOptions,
  { users, clients, config }: Pick<Services, 'users' | 'clients' | 'config'>,
): Promise<NewCredential> {
  const user = await demandUser(users, username)
  if (user.disabledAt) throw new CommandError(`${username} is disabled.`)
  const { algorithm, description, multisign, approval, qualifier, custody } = options
  demandPlainText('description', description)
  if (qualifier !== undefined) demandPlainText('qualifier', qualifier)
  const agreement =
    (await agreementOfSeal(options, clients)) ?? agreementOfOwner(user, options, config)
  return {
    ...{ user, algorithm, description, multisign, SCAL: options.scal, ...agreement },
    approvalFactor: approval,
    ...(qualifier === undefined ? {} : { signatureQualifier: qualifier }),
    ...(custody === undefined ? {} : { custody }),
  }
}

function printCreated(
  credentialID: string,
  username: string,
  { algorithm, pin }: NewCredential,
  { json }: CommonOptions,
  more: Readonly<Record<string, string>> = {},
): void {
  const PIN = pin === null ? {} : { PIN: pin }
  printFacts({ credentialID, algorithm, username, ...PIN, ...more }, json)
}

/** @throws {CommandError} */
function readCertificates(file: string): Buffer[] {
  demandReadable(file)
  let certificates
  try {
    certificates = pemCertificates(readFileSync(file, 'utf8'))
  } catch {
    throw new CommandError(`${file} holds a certificate that cannot be read.`)
  }
  if (certificates.length === 0) throw new CommandError(`${file} holds no certificate.`)
  return certificates
}

function requestPem(request: Buffer): string {
  const lines = request.toString('base64').match(/.{1,64}/g) ?? []
  const [begin, end] = ['BEGIN', 'END'].map((word) => `-----${word} CERTIFICATE REQUEST-----`)
  return [begin, ...lines, end, ''].join('\n')
}

interface EndOptions extends CommonOptions {
  readonly reason: string
}

/** A command that changes the state of one credential, with the reason on record. */
function ended(command: Command, description: string): Command {
  return configured(command)
    .description(description)
    .argument('<credentialID>')
    .option('-r, --reason <text>', 'for the audit log', 'operator')
}

/** @throws {CommandError} when it is not in a state for that */
function turn(
  id: string,
  options: EndOptions,
  how: 'suspend' | 'resume',
  done: 'suspended' | 'resumed',
): Promise<void> {
  return withRecords(options, async ({ credentialStore, now }) => {
    const { reason } = options
    const event = auditEvent(`credential.${done}`, { credentialId: id, reason })
    if (!(await credentialStore[how](id, 'operator', now(), [event]))) {
      throw new CommandError(`There is no credential "${id}" that could be ${done}.`)
    }
    const status = done === 'suspended' ? 'suspended' : 'enabled'
    printFacts({ credentialID: id, status }, options.json)
  })
}

function wholeNumber(text: string): number {
  if (!/^[1-9][0-9]{0,3}$/.test(text))
    throw new InvalidArgumentError('Give a number from 1 to 9999.')
  return Number(text)
}
