import { randomInt } from 'node:crypto'
import type { Command } from 'commander'
import { InvalidArgumentError, Option } from 'commander'
import { auditEvent } from '../audit/events.js'
import { AUTH_OBJECTS } from '../credentials/auth-object.js'
import { certificateStatus, type NewCredential } from '../credentials/credentials.js'
import { APPROVAL_FACTORS, type ApprovalFactor } from '../credentials/credential.js'
import { KEY_ALGORITHMS, type KeyAlgorithm } from '../keys/algorithms.js'
import type { User } from '../identity/user.js'
import {
  CommandError,
  configured,
  demandPlainText,
  printFacts,
  printRows,
  withRecords,
  withServices,
  type CommonOptions,
} from './command-line.js'
import type { ClientStore } from '../oauth/client.js'

/** Kept by a machine, so it may be longer than what people remember. */
const SEAL_PIN_DIGITS = 12

interface CreateOptions extends CommonOptions {
  readonly algorithm: KeyAlgorithm
  readonly description: string
  readonly scal: '1' | '2'
  readonly multisign: number
  readonly approval: ApprovalFactor
  readonly sealOf?: string
  readonly withoutPin?: true
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
    .option('--multisign <count>', 'most signatures per approval', wholeNumber, 50)
    .option('--seal-of <client_id>', 'a seal: this application uses it with tokens of its own')
    .option('--without-pin', 'of a seal: let its application’s token be enough')
    .action((username: string, options: CreateOptions) =>
      withServices(options, async ({ users, clients, credentials }) => {
        const user = await users.findByUsername(username)
        if (!user) throw new CommandError(`There is no user "${username}".`)
        if (user.disabledAt) throw new CommandError(`${username} is disabled.`)
        const { algorithm, description, multisign, approval } = options
        rejectUnreachable(user, approval)
        demandPlainText('description', description)
        const seal = await sealOf(options, clients)
        const created = await credentials.create({
          ...{ user, algorithm, description, multisign },
          ...{ SCAL: options.scal, pin: null, approvalFactor: approval, ...seal },
        })
        const PIN = seal?.pin ? { PIN: seal.pin } : {}
        printFacts({ credentialID: created.id, algorithm, username, ...PIN }, options.json)
      }),
    )

  configured(credential.command('list'))
    .description('list credentials')
    .argument('[username]', 'only this person’s')
    .action((username: string | undefined, options: CommonOptions) =>
      withRecords(options, async ({ users, credentialStore, now }) => {
        const user = username === undefined ? null : await users.findByUsername(username)
        if (username !== undefined && !user)
          throw new CommandError(`There is no user "${username}".`)
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

  configured(credential.command('suspend'))
    .description('let a credential sign nothing until it is resumed; approvals end at once')
    .argument('<credentialID>')
    .option('-r, --reason <text>', 'for the audit log', 'operator')
    .action((id: string, options: CommonOptions & { reason: string }) =>
      withRecords(options, async ({ credentialStore, now }) => {
        const event = auditEvent('credential.suspended', {
          credentialId: id,
          reason: options.reason,
        })
        if (!(await credentialStore.suspend(id, 'operator', now(), [event]))) {
          throw new CommandError(`There is no credential "${id}" that could be suspended.`)
        }
        printFacts({ credentialID: id, status: 'suspended' }, options.json)
      }),
    )

  configured(credential.command('resume'))
    .description('let a suspended credential sign again')
    .argument('<credentialID>')
    .option('-r, --reason <text>', 'for the audit log', 'operator')
    .action((id: string, options: CommonOptions & { reason: string }) =>
      withRecords(options, async ({ credentialStore, now }) => {
        const event = auditEvent('credential.resumed', { credentialId: id, reason: options.reason })
        if (!(await credentialStore.resume(id, 'operator', now(), [event]))) {
          throw new CommandError(`There is no credential "${id}" that could be resumed.`)
        }
        printFacts({ credentialID: id, status: 'enabled' }, options.json)
      }),
    )

  configured(credential.command('revoke'))
    .description('end a credential for good and destroy its key')
    .argument('<credentialID>')
    .option('-r, --reason <text>', 'for the audit log', 'operator')
    .action((id: string, options: CommonOptions & { reason: string }) =>
      withServices(options, async ({ credentials }) => {
        if (!(await credentials.revoke(id, options.reason))) {
          throw new CommandError(`There is no credential "${id}" that could be revoked.`)
        }
        printFacts({ credentialID: id, status: 'revoked' }, options.json)
      }),
    )
}

/** @throws {CommandError} when codes of that kind have nowhere to go */
function rejectUnreachable({ username, email, phone }: User, approval: ApprovalFactor): void {
  const missing = { email: email === null && '--email', sms: phone === null && '--phone' }
  const option = approval === 'email' || approval === 'sms' ? missing[approval] : false
  if (!option) return
  throw new CommandError(`Codes cannot be sent yet; first: openrssp user set ${username} ${option}`)
}

/** What makes a credential a seal; null for a person's. Its PIN is printed once, for the application to keep. */
async function sealOf(
  { sealOf: ownerClientId, withoutPin }: CreateOptions,
  clients: ClientStore,
): Promise<Pick<NewCredential, 'ownerClientId' | 'explicit' | 'pin'> | null> {
  if (ownerClientId === undefined) {
    if (withoutPin) throw new CommandError('--without-pin is for seals: say --seal-of.')
    return null
  }
  const client = await clients.find(ownerClientId)
  if (!client?.grantTypes.includes('client_credentials')) {
    throw new CommandError(`"${ownerClientId}" is no client that gets tokens for itself.`)
  }
  const objects = withoutPin ? [] : [AUTH_OBJECTS.PIN]
  const pin = withoutPin
    ? null
    : String(randomInt(10 ** SEAL_PIN_DIGITS)).padStart(SEAL_PIN_DIGITS, '0')
  return { ownerClientId, explicit: { objects, expression: null }, pin }
}

function wholeNumber(text: string): number {
  if (!/^[1-9][0-9]{0,3}$/.test(text))
    throw new InvalidArgumentError('Give a number from 1 to 9999.')
  return Number(text)
}
