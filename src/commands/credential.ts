import type { Command } from 'commander'
import { InvalidArgumentError, Option } from 'commander'
import { auditEvent } from '../audit/events.js'
import { certificateStatus } from '../credentials/credentials.js'
import { APPROVAL_FACTORS } from '../credentials/credential.js'
import { KEY_ALGORITHMS, type KeyAlgorithm } from '../keys/algorithms.js'
import { CUSTODIES, type Custody } from '../keys/key-id.js'
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
  demandUser,
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

  configured(credential.command('create'))
    .description('make a key in the token and have it certified for a person')
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
    .addHelpText('after', EXAMPLES)
    .action((username: string, options: CreateOptions) =>
      withServices(options, async ({ users, clients, credentials }) => {
        const user = await demandUser(users, username)
        if (user.disabledAt) throw new CommandError(`${username} is disabled.`)
        const { algorithm, description, multisign, approval, qualifier, custody } = options
        demandPlainText('description', description)
        if (qualifier !== undefined) demandPlainText('qualifier', qualifier)
        const agreement =
          (await agreementOfSeal(options, clients)) ?? agreementOfOwner(user, options)
        const created = await credentials.create({
          ...{ user, algorithm, description, multisign, SCAL: options.scal, ...agreement },
          approvalFactor: approval,
          ...(qualifier === undefined ? {} : { signatureQualifier: qualifier }),
          ...(custody === undefined ? {} : { custody }),
        })
        const PIN = agreement.pin === null ? {} : { PIN: agreement.pin }
        printFacts({ credentialID: created.id, algorithm, username, ...PIN }, options.json)
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

  ended(credential.command('revoke'), 'end a credential for good and destroy its key').action(
    (id: string, options: EndOptions) =>
      withServices(options, async ({ credentials }) => {
        if (!(await credentials.revoke(id, options.reason))) {
          throw new CommandError(`There is no credential "${id}" that could be revoked.`)
        }
        printFacts({ credentialID: id, status: 'revoked' }, options.json)
      }),
  )
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
