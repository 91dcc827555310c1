import { randomBytes, randomUUID } from 'node:crypto'
import { InvalidArgumentError, type Command } from 'commander'
import { auditEvent } from '../audit/events.js'
import { issueEnrolmentCode } from '../identity/enrolment.js'
import { hashPassword } from '../identity/password.js'
import { generateTotpSecret } from '../identity/totp.js'
import { UsernameTakenError, type Contact, type ListedUser } from '../identity/user.js'
import {
  CommandError,
  configured,
  demandListedUser,
  demandPlainText,
  demandUser,
  printable,
  printFacts,
  printRows,
  withRecords,
  type CommonOptions,
} from './command-line.js'

interface AddOptions extends CommonOptions {
  readonly givenName: string
  readonly surname: string
  readonly email?: string
  readonly phone?: string
  readonly country?: string
  readonly otpAtSignIn?: true
  readonly withoutAuthenticator?: true
}

interface CodeOptions extends CommonOptions {
  readonly hours: number
}

interface ConfirmOptions extends CommonOptions {
  readonly yes?: true
}

interface SetOptions extends CommonOptions {
  readonly email?: string
  readonly phone?: string
}

const DEFAULT_CODE_HOURS = 24

export function userCommands(program: Command): void {
  const user = program.command('user').description('people who sign')

  configured(user.command('add'))
    .description('add a person; prints the first password and the authenticator secret once')
    .argument('<username>')
    .requiredOption('--given-name <name>', 'given name, as verified')
    .requiredOption('--surname <name>', 'surname, as verified')
    .option('--email <address>')
    .option('--phone <number>', 'for codes by text message, such as +37060012345')
    .option('--country <code>', 'ISO 3166-1 alpha-2')
    .option('--otp-at-sign-in', 'ask for a one-time code at sign-in too')
    .option(
      '--without-authenticator',
      'let them enrol one themselves; prints an enrolment code instead of the secret',
    )
    .action((username: string, options: AddOptions) =>
      withRecords(options, async ({ users, enrolmentStore, secrets, now }) => {
        rejectBadPerson(username, options)
        const password = randomBytes(12).toString('base64url')
        const totpSecret = options.withoutAuthenticator ? null : generateTotpSecret()
        const { givenName, surname } = options
        const id = randomUUID()
        try {
          await users.add({
            ...{ id, username, givenName, surname, totpSecret },
            displayName: `${givenName} ${surname}`,
            email: options.email ?? null,
            phone: options.phone ?? null,
            country: options.country ?? null,
            otpAtSignIn: options.otpAtSignIn ?? false,
            lang: null,
            passwordHash: await hashPassword(password),
          })
        } catch (error) {
          if (!(error instanceof UsernameTakenError)) throw error
          throw new CommandError(`There is a user "${username}" already.`)
        }
        if (totpSecret !== null) {
          return printFacts({ id, username, password, totpSecret }, options.json)
        }
        const parts = { store: enrolmentStore, secrets, now }
        const { code, expiresAt } = await issueEnrolmentCode(parts, id, DEFAULT_CODE_HOURS)
        const enrolment = { enrolmentCode: code, expiresAt: expiresAt.toISOString() }
        printFacts({ id, username, password, ...enrolment }, options.json)
      }),
    )

  configured(user.command('list'))
    .description('list everybody')
    .action((options: CommonOptions) =>
      withRecords(options, async ({ users }) => {
        const rows = (await users.list()).map((listed) => {
          const { id, username, displayName } = listed
          return { id, username, displayName, state: stateOf(listed) }
        })
        printRows(rows, options.json)
      }),
    )

  configured(user.command('set'))
    .description('change where codes reach a person; ends outstanding approvals')
    .argument('<username>')
    .option('--email <address>', 'or "none"')
    .option('--phone <number>', 'such as +37060012345, or "none"')
    .action((username: string, options: SetOptions) =>
      withRecords(options, async ({ users, now }) => {
        const contact = {
          ...(options.email === undefined ? {} : { email: orNone(options.email) }),
          ...(options.phone === undefined ? {} : { phone: orNone(options.phone) }),
        }
        if (Object.keys(contact).length === 0) throw new CommandError('Give --email or --phone.')
        rejectBadContact(contact)
        const found = await demandUser(users, username)
        await users.setContact(found.id, contact, now())
        printFacts({ username, ...contact }, options.json)
      }),
    )

  configured(user.command('enrolment-code'))
    .description('let a person you have identified enrol an authenticator; prints the code once')
    .argument('<username>')
    .option('--hours <count>', 'how long it lasts, 1 to 168', codeHours, DEFAULT_CODE_HOURS)
    .action((username: string, options: CodeOptions) =>
      withRecords(options, async ({ users, enrolmentStore, secrets, now }) => {
        const found = await demandUser(users, username)
        if (found.disabledAt) throw new CommandError(`${username} is disabled.`)
        const parts = { store: enrolmentStore, secrets, now }
        const { code, expiresAt } = await issueEnrolmentCode(parts, found.id, options.hours)
        const facts = { username, enrolmentCode: code, expiresAt: expiresAt.toISOString() }
        printFacts(facts, options.json)
      }),
    )

  configured(user.command('unlink'))
    .description('take an identity of an identity provider away from a person')
    .argument('<username>')
    .argument('<issuer>')
    .action((username: string, issuer: string, options: CommonOptions) =>
      withRecords(options, async ({ users, identityStore, now }) => {
        const found = await demandUser(users, username)
        const linked = await identityStore.list(found.id)
        const identity = linked.find((each) => each.issuer === issuer)
        if (!identity) throw new CommandError(`${username} has no identity of "${issuer}".`)
        const { subject } = identity
        const unlinked = await identityStore.remove(found.id, issuer, now(), [
          auditEvent('identity.unlinked', { userId: found.id, issuer, subject }),
        ])
        printFacts({ username, issuer, unlinked }, options.json)
      }),
    )

  configured(user.command('disable'))
    .description('end a person’s sessions, tokens and outstanding approvals at once')
    .argument('<username>')
    .action((username: string, options: CommonOptions) =>
      withRecords(options, async ({ users, now }) => {
        const found = await demandListedUser(users, username)
        const disabled = await users.disable(found.id, now())
        printFacts({ username, disabled }, options.json)
      }),
    )

  configured(user.command('confirm'))
    .description('take a person as the database has them, after something else changed it there')
    .argument('<username>')
    .option('--yes', 'it is right; without this, what the database has is shown')
    .action((username: string, options: ConfirmOptions) =>
      withRecords(options, async ({ users, now }) => {
        const found = await demandListedUser(users, username)
        const { id, displayName, givenName, surname, email, phone, country } = found
        const confirmed = options.yes === true && (await users.confirm(id, now()))
        printFacts(
          {
            ...{ id, username, displayName, givenName, surname, email, phone, country },
            ...{ state: stateOf({ ...found, isIntact: found.isIntact || confirmed }), confirmed },
          },
          options.json,
        )
      }),
    )
}

function stateOf({ isIntact, disabledAt }: ListedUser): string {
  if (!isIntact) return 'changed by something else'
  return disabledAt ? 'disabled' : 'active'
}

function rejectBadPerson(
  username: string,
  { givenName, surname, country, ...contact }: AddOptions,
): void {
  if (!/^[\w.@+-]{1,64}$/.test(username)) {
    throw new CommandError('A username is 1 to 64 letters, digits or any of . _ - + @')
  }
  demandPlainText('given name', givenName)
  demandPlainText('surname', surname)
  rejectBadContact(contact)
  if (country !== undefined && !/^[A-Z]{2}$/.test(country)) {
    throw new CommandError('A country is two capital letters, as in ISO 3166-1.')
  }
}

function rejectBadContact({ email, phone }: Contact): void {
  if (typeof email === 'string' && !/^[^\s@]{1,64}@[^\s@]{1,190}$/.test(email)) {
    throw new CommandError(`"${printable(email)}" is not an e-mail address.`)
  }
  if (typeof phone === 'string' && !/^\+[1-9][0-9]{6,14}$/.test(phone)) {
    throw new CommandError('A phone number is written as in E.164, such as +37060012345.')
  }
}

function orNone(text: string): string | null {
  return text === 'none' ? null : text
}

function codeHours(text: string): number {
  const hours = Number(text)
  if (/^[0-9]{1,3}$/.test(text) && hours >= 1 && hours <= 168) return hours
  throw new InvalidArgumentError('Give a number from 1 to 168.')
}
