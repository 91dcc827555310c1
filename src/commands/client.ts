import { randomBytes } from 'node:crypto'
import type { Command } from 'commander'
import {
  CommandError,
  configured,
  demandPlainText,
  printFacts,
  printRows,
  withRecords,
  type CommonOptions,
} from './command-line.js'

interface AddOptions extends CommonOptions {
  readonly redirectUri: string[]
  readonly public?: true
}

export function clientCommands(program: Command): void {
  const client = program.command('client').description('signature applications')

  configured(client.command('add'))
    .description('register an application; prints its secret once')
    .argument('<client_id>')
    .argument('<name>', 'name shown to signers')
    .requiredOption('--redirect-uri <uri...>', 'exact redirect URIs')
    .option('--public', 'an application that cannot keep a secret')
    .action((id: string, name: string, options: AddOptions) =>
      withRecords(options, async ({ clients }) => {
        for (const uri of options.redirectUri) rejectBadRedirectUri(uri)
        if (!/^[\w.-]{1,64}$/.test(id)) {
          throw new CommandError(
            'A client_id is 1 to 64 letters, digits, dots, dashes or underscores.',
          )
        }
        demandPlainText('name', name)
        const secret = options.public ? null : randomBytes(32).toString('base64url')
        const added = await clients.add({
          ...{ id, name, secret },
          redirectUris: options.redirectUri,
          grantTypes: ['authorization_code', 'refresh_token'],
          authMethod: options.public ? 'none' : 'client_secret',
          disabledAt: null,
        })
        if (!added) throw new CommandError(`There is a client "${id}" already.`)
        printFacts({ client_id: id, client_secret: secret }, options.json)
      }),
    )

  configured(client.command('list'))
    .description('list every application')
    .action((options: CommonOptions) =>
      withRecords(options, async ({ clients }) => {
        const rows = (await clients.list()).map(({ id, name, redirectUris, disabledAt }) => {
          return { client_id: id, name, redirectUris, state: disabledAt ? 'disabled' : 'active' }
        })
        printRows(rows, options.json)
      }),
    )

  configured(client.command('disable'))
    .description('end an application’s tokens and outstanding approvals at once')
    .argument('<client_id>')
    .action((id: string, options: CommonOptions) =>
      withRecords(options, async ({ clients, now }) => {
        if (!(await clients.find(id))) throw new CommandError(`There is no client "${id}".`)
        const disabled = await clients.disable(id, now())
        printFacts({ client_id: id, disabled }, options.json)
      }),
    )
}

function rejectBadRedirectUri(uri: string): void {
  const url = URL.canParse(uri) ? new URL(uri) : null
  const isWeb = url?.protocol === 'https:' || url?.protocol === 'http:'
  if (!url || !isWeb || url.hash !== '' || url.username !== '') {
    throw new CommandError(
      `"${uri}" is not a redirect URI: give an absolute http(s) URI without fragment.`,
    )
  }
}
