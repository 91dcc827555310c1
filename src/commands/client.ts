import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Option, type Command } from 'commander'
import {
  CommandError,
  configured,
  demandPlainText,
  printable,
  printFacts,
  printRows,
  withRecords,
  type CommonOptions,
} from './command-line.js'
import { certificateHeader } from '../http/client-certificate.js'
import { isPrivateUse } from '../oauth/redirect-uris.js'
import { QUIRKS, type Client, type Quirk } from '../oauth/client.js'
import type { Config } from '../config/schema.js'

interface AddOptions extends CommonOptions {
  readonly redirectUri?: string[]
  readonly public?: true
  readonly jwks?: string
  readonly tlsSubject?: string
  readonly forItself?: true
  readonly requirePushed?: true
  readonly introspectsAll?: true
  readonly bindToKey?: true
  readonly bindToCertificate?: true
  readonly responseUriHost?: string[]
  readonly quirk?: Quirk[]
}

export function clientCommands(program: Command): void {
  const client = program.command('client').description('signature applications')

  configured(client.command('add'))
    .description('register an application; prints its secret once')
    .argument('<client_id>')
    .argument('<name>', 'name shown to signers')
    .option(
      '--redirect-uri <uri...>',
      'exact redirect URIs; of a public app also com.example.app:/path, or a loopback address for any port',
    )
    .option('--public', 'an application that cannot keep a secret')
    .option('--jwks <file>', 'public keys, as a JSON Web Key Set, instead of a secret')
    .option('--tls-subject <dn>', 'subject of its TLS certificate (RFC 4514), instead of a secret')
    .option('--for-itself', 'may get tokens of its own, for the seals it holds')
    .option('--require-pushed', 'may ask for signatures by pushed authorization requests alone')
    .option('--introspects-all', 'a resource server: may introspect tokens of all applications')
    .option('--bind-to-key', 'its access tokens are good with a DPoP proof alone (RFC 9449)')
    .option('--bind-to-certificate', 'its access tokens are good with its TLS certificate alone')
    .option(
      '--response-uri-host <host...>',
      'hosts at which it may be told that results are there, of those the configuration allows',
    )
    .addOption(
      new Option(
        '--quirk <name...>',
        'let it do what it does otherwise than the specifications (docs/interop.md)',
      ).choices(QUIRKS),
    )
    .action((id: string, name: string, options: AddOptions) =>
      withRecords(options, async ({ clients, config }) => {
        const redirectUris = redirectUrisOf(options)
        for (const uri of redirectUris) rejectBadRedirectUri(uri, options)
        for (const host of options.responseUriHost ?? []) rejectUnknownHost(host, config)
        if (!/^[\w.-]{1,64}$/.test(id)) {
          throw new CommandError(
            'A client_id is 1 to 64 letters, digits, dots, dashes or underscores.',
          )
        }
        demandPlainText('name', name)
        rejectUnfitBinding(options, config)
        const authMethod = authMethodOf(options)
        const secret = authMethod === 'client_secret' ? randomBytes(32).toString('base64url') : null
        const added = await clients.add({
          ...{ id, name, secret, authMethod },
          redirectUris,
          grantTypes: [
            ...(redirectUris.length === 0
              ? []
              : (['authorization_code', 'refresh_token'] as const)),
            ...(options.forItself ? (['client_credentials'] as const) : []),
          ],
          jwks: options.jwks === undefined ? null : readPublicKeys(options.jwks),
          tlsSubjectDn: options.tlsSubject ?? null,
          requirePushedForCredential: options.requirePushed ?? false,
          introspectsAll: options.introspectsAll ?? false,
          dpopBoundAccessTokens: options.bindToKey ?? false,
          tlsClientCertificateBoundAccessTokens: options.bindToCertificate ?? false,
          quirks: [...new Set(options.quirk)],
          responseUriHosts: options.responseUriHost ?? [],
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
        const rows = (await clients.list()).map(
          ({ id, name, redirectUris, quirks, disabledAt }) => {
            const state = disabledAt ? 'disabled' : 'active'
            return { client_id: id, name, redirectUris, quirks, state }
          },
        )
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

/** Whoever acts for itself alone, or introspects alone, sends no signer here, and none comes back. */
function redirectUrisOf({ redirectUri = [], forItself, introspectsAll }: AddOptions) {
  if (redirectUri.length > 0 || forItself || introspectsAll) return [...new Set(redirectUri)]
  throw new CommandError('Say where signers come back to: --redirect-uri.')
}

function rejectBadRedirectUri(uri: string, options: AddOptions): void {
  const url = URL.canParse(uri) ? new URL(uri) : null
  // Whoever else registers the scheme on the device gets the code, but not the verifier (RFC 8252, 8.1).
  if (options.public && isPrivateUse(uri) && url?.hash === '') return
  const isWeb = url?.protocol === 'https:' || url?.protocol === 'http:'
  if (!url || !isWeb || url.hash !== '' || url.username !== '') {
    throw new CommandError(
      `"${uri}" is not a redirect URI: give an absolute http(s) URI without fragment.`,
    )
  }
}

/** What configuration does not allow would be refused at every request. */
function rejectUnknownHost(host: string, { policy }: Config): void {
  if (policy.responseUriHosts.includes(host)) return
  throw new CommandError(`"${host}" is not in policy.responseUriHosts of the configuration.`)
}

/** Nobody would ever get a token that is bound in two ways, or to a certificate that does not get here. */
function rejectUnfitBinding(options: AddOptions, { proxy }: Config): void {
  const { bindToKey, bindToCertificate, tlsSubject } = options
  if (bindToKey && (bindToCertificate || tlsSubject !== undefined)) {
    throw new CommandError(
      'A token is bound to a key or to a certificate: choose --bind-to-key, or --bind-to-certificate or --tls-subject.',
    )
  }
  if (tlsSubject !== undefined && !DISTINGUISHED_NAME.test(tlsSubject)) {
    throw new CommandError(
      `"${printable(tlsSubject)}" is no name as RFC 4514 writes it, such as CN=app,O=Example,C=LT.`,
    )
  }
  const takesCertificate = bindToCertificate === true || tlsSubject !== undefined
  if (takesCertificate && certificateHeader(proxy) === null) {
    throw new CommandError(
      'No certificate of an application gets here yet; first configure proxy.clientCertificateHeader.',
    )
  }
}

/** Compared as text: white space around commas would make it another one. */
const DISTINGUISHED_NAME =
  /^(?:[A-Za-z][A-Za-z\d-]*|\d+(?:\.\d+)+)=(?:\\.|[^\\,+])*(?:[,+](?:[A-Za-z][A-Za-z\d-]*|\d+(?:\.\d+)+)=(?:\\.|[^\\,+])*)*$/

function authMethodOf(options: AddOptions): Client['authMethod'] {
  const ways = [
    ...(options.public ? (['none'] as const) : []),
    ...(options.jwks === undefined ? [] : (['private_key_jwt'] as const)),
    ...(options.tlsSubject === undefined ? [] : (['tls_client_auth'] as const)),
  ]
  const [way = 'client_secret', another] = ways
  if (another) throw new CommandError('Choose one of --public, --jwks and --tls-subject.')
  if (way === 'none' && (options.forItself || options.introspectsAll)) {
    throw new CommandError('A public application cannot prove who it is: leave --public out.')
  }
  if (way === 'none' && options.quirk?.includes('no-pkce')) {
    throw new CommandError('Without a secret an application has to send a code challenge.')
  }
  return way
}

/** Secret parts would be of no use here, and are not wanted. */
function readPublicKeys(file: string): NonNullable<Client['jwks']> {
  const problem = new CommandError(`"${file}" is not a JSON Web Key Set of public keys.`)
  let set: { keys?: unknown }
  try {
    set = JSON.parse(readFileSync(file, 'utf8')) as { keys?: unknown }
  } catch {
    throw problem
  }
  const keys = Array.isArray(set.keys) ? (set.keys as Record<string, unknown>[]) : []
  const isPublic = keys.every((key) => key['kty'] !== 'oct' && !('d' in key) && !('k' in key))
  if (keys.length === 0 || !isPublic) throw problem
  return { keys }
}
