import { randomBytes, randomUUID } from 'node:crypto'
import type { Command } from 'commander'
import { hashPassword } from '../identity/password.js'
import { generateTotpSecret } from '../identity/totp.js'
import { UsernameTakenError } from '../identity/user.js'
import { CommandError, configured, print, printRows, withRecords, type CommonOptions } from './command-line.js'

interface AddOptions extends CommonOptions {
  readonly givenName: string
  readonly surname: string
  readonly email?: string
  readonly country?: string
  readonly otpAtSignIn?: true
}

export function userCommands(program: Command): void {
  const user = program.command('user').description('people who sign')

  configured(user.command('add'))
    .description('add a person; prints the first password and the authenticator secret once')
    .argument('<username>')
    .requiredOption('--given-name <name>', 'given name, as verified')
    .requiredOption('--surname <name>', 'surname, as verified')
    .option('--email <address>')
    .option('--country <code>', 'ISO 3166-1 alpha-2')
    .option('--otp-at-sign-in', 'ask for a one-time code at sign-in too')
    .action((username: string, options: AddOptions) =>
      withRecords(options, async ({ users }) => {
        const password = randomBytes(12).toString('base64url')
        const totpSecret = generateTotpSecret()
        const { givenName, surname } = options
        const id = randomUUID()
        try {
          await users.add({
            ...{ id, username, givenName, surname, totpSecret },
            displayName: `${givenName} ${surname}`,
            email: options.email ?? null,
            country: options.country ?? null,
            otpAtSignIn: options.otpAtSignIn ?? false,
            lang: null,
            passwordHash: await hashPassword(password),
          })
        } catch (error) {
          if (!(error instanceof UsernameTakenError)) throw error
          throw new CommandError(`There is a user "${username}" already.`)
        }
        printRows([{ id, username, password, totpSecret }], options.json)
      }),
    )

  configured(user.command('list'))
    .description('list everybody')
    .action((options: CommonOptions) =>
      withRecords(options, async ({ users }) => {
        const rows = (await users.list()).map(({ id, username, displayName, disabledAt }) => {
          return { id, username, displayName, state: disabledAt ? 'disabled' : 'active' }
        })
        printRows(rows, options.json)
      }),
    )

  configured(user.command('disable'))
    .description('end a person’s sessions, tokens and outstanding approvals at once')
    .argument('<username>')
    .action((username: string, options: CommonOptions) =>
      withRecords(options, async ({ users, now }) => {
        const found = await users.findByUsername(username)
        if (!found) throw new CommandError(`There is no user "${username}".`)
        const disabled = await users.disable(found.id, now())
        if (options.json) return print(JSON.stringify({ username, disabled }))
        print(disabled ? `Disabled ${username}.` : `${username} was disabled before.`)
      }),
    )
}
