import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { KoaContextWithOIDC } from 'oidc-provider'
import { V1_OAUTH } from '../../src/csc/v1/oauth2.js'
import { OAUTH_ROUTES } from '../../src/oauth/routes.js'
import { inBody, serviceRequest } from '../oauth/application.js'
import { assertDescribed, DESCRIPTIONS, type Operation } from '../support/described.js'
import { postForm, startRssp, type Rssp, type TestClient } from '../support/rssp.js'

/** Parameters of OpenID Connect that the library reads in order to refuse them, by endpoint. */
const REFUSED: Readonly<Record<string, readonly string[]>> = {
  [OAUTH_ROUTES.authorization]: ['registration', 'request', 'claims_locales'],
  [OAUTH_ROUTES.pushed_authorization_request]: [
    ...['registration', 'request', 'claims_locales', 'request_uri'],
    ...['acr_values', 'id_token_hint', 'max_age', 'nonce'],
  ],
}

/** Parameters that are read before the library is asked. */
const READ_BEFORE = ['clientData', 'refreshToken']

interface Named {
  readonly name: string
  readonly in: string
}

function parametersOf(operation: Operation): string[] {
  const queried = ((operation.parameters ?? []) as Named[]).filter((each) => each.in === 'query')
  const forms = Object.values(operation.requestBody?.content ?? {}).map(({ schema }) =>
    Object.keys((schema as { properties?: object }).properties ?? {}),
  )
  return [...new Set([...queried.map(({ name }) => name), ...forms.flat()])].sort()
}

describe('The OpenAPI description of the authorization server', () => {
  let rssp: Rssp
  let client: TestClient
  /** The same application behind a socket of ours, which sees what the library reads. */
  let observed: Server
  let address: string
  /** What the library took from the last request. */
  let read: Readonly<Record<string, unknown>> = {}

  before(async () => {
    const proxy = { trusted: true, clientCertificateHeader: 'x-client-certificate' }
    rssp = await startRssp({ settings: { proxy } })
    client = await rssp.addClient()
    rssp.services.app.middleware.unshift(async (ctx, next) => {
      await next()
      const { oidc } = ctx as unknown as Partial<KoaContextWithOIDC>
      read = { ...oidc?.params }
    })
    const handle = rssp.services.app.callback()
    observed = createServer((request, response) => void handle(request, response))
    observed.listen(0, '127.0.0.1')
    await once(observed, 'listening')
    address = `http://127.0.0.1:${(observed.address() as AddressInfo).port}`
  })
  after(async () => {
    observed.closeAllConnections()
    observed.close()
    await rssp.close()
  })

  /** Sends a request that gets far enough for its parameters to be read; returns what came of it. */
  async function send(path: string, more: Record<string, string> = {}): Promise<string> {
    if (path.endsWith(OAUTH_ROUTES.authorization)) {
      const query = new URLSearchParams({ ...serviceRequest(client), ...more })
      const { headers } = await fetch(`${address}${path}?${query.toString()}`, {
        redirect: 'manual',
      })
      return headers.get('location') ?? ''
    }
    const isPushed = path.endsWith(OAUTH_ROUTES.pushed_authorization_request)
    const request = isPushed ? serviceRequest(client) : { token: 'x', grant_type: 'none' }
    const form = { ...request, ...inBody(client), ...more }
    return JSON.stringify((await postForm(address + path, form)).body)
  }

  for (const { name, base, document } of DESCRIPTIONS) {
    const isEarlier = name === 'csc-v1' || name === 'csc-v0'
    for (const [path, methods] of Object.entries(document.paths)) {
      const operation = methods['get'] ?? methods['post']
      const hasParameters = path.startsWith('/oauth2/') && path !== OAUTH_ROUTES.jwks
      if (!hasParameters || !operation) continue
      const refused = REFUSED[path] ?? []

      it(`names every parameter that is read, and no other: ${name}, ${path}`, async () => {
        await send(base + path)
        const unread = [...refused, ...(isEarlier ? V1_OAUTH.unknown : [])]
        const known = Object.keys(read).filter((each) => !unread.includes(each))
        // The library reads these apart.
        const isPushed = path === OAUTH_ROUTES.pushed_authorization_request
        if (isPushed) known.push('client_secret', 'client_assertion', 'client_assertion_type')
        const described = parametersOf(operation).filter((each) => !READ_BEFORE.includes(each))
        const ours = known.filter((each) => !READ_BEFORE.includes(each))
        assert.deepEqual(described, ours.sort())
      })

      if (refused.length > 0) {
        it(`does without those that are refused: ${name}, ${path}`, async () => {
          for (const parameter of refused) {
            assert.match(await send(base + path, { [parameter]: '1' }), /error/, parameter)
          }
        })
      }

      if (isEarlier && path === OAUTH_ROUTES.authorization) {
        it(`does without what earlier versions let go by: ${name}`, async () => {
          for (const parameter of V1_OAUTH.unknown) {
            const location = await send(base + path, { [parameter]: '1' })
            assert.match(location, /\/interaction\//, parameter)
            assert.equal(read[parameter], undefined, parameter)
          }
        })
      }
    }
  }

  it('names every way for an application to say who it is', async () => {
    const metadata = await fetch(`${rssp.baseUrl}/.well-known/oauth-authorization-server`)
    const announced = (await metadata.json()) as Record<string, string[]>
    for (const { document } of DESCRIPTIONS) {
      const { securitySchemes = {} } = document.components
      const { post } = document.paths[OAUTH_ROUTES.token] ?? {}
      const { description = '', security } = post as Operation & {
        description?: string
        security: Record<string, unknown>[]
      }
      const schemes = security.flatMap((each) => Object.keys(each))
      assert.deepEqual(
        schemes.filter((each) => !(each in securitySchemes)),
        [],
      )
      const named = [...description.matchAll(/`(\w+)`/g)].map(([, method = '']) => method)
      assert.deepEqual(named.sort(), announced['token_endpoint_auth_methods_supported']?.sort())
    }
  })

  describe('notices', () => {
    const json = new Headers({ 'Content-Type': 'application/json' })
    const token = { access_token: 'x', expires_in: 1, token_type: 'Bearer', scope: 'credential' }
    const TOKEN = '/oauth2/token'
    const wrong: [string, string, number, object][] = [
      ['a credential token that v1 calls Bearer', `/csc/v1${TOKEN}`, 200, token],
      ['SAD in v2', `/csc/v2${TOKEN}`, 200, { ...token, token_type: 'SAD' }],
      [
        'a service token called SAD',
        `/csc/v1${TOKEN}`,
        200,
        { ...token, scope: 'service', token_type: 'SAD' },
      ],
      ['a refresh token for an approval', TOKEN, 200, { ...token, refresh_token: 'x' }],
      [
        'the chosen credential in v1',
        `/csc/v1${TOKEN}`,
        200,
        { ...token, token_type: 'SAD', credentialID: 'x' },
      ],
      ['words that are not ours', TOKEN, 400, { error: 'invalid_grant', error_description: 'No.' }],
      [
        'a code of another endpoint',
        '/oauth2/revoke',
        400,
        { error: 'invalid_grant', error_description: 'Invalid parameter code' },
      ],
      [
        'more about a token that is not active',
        '/oauth2/introspect',
        200,
        { active: false, sub: 'x' },
      ],
    ]
    for (const [title, path, status, body] of wrong) {
      it(title, () => {
        assert.throws(() => {
          assertDescribed('POST', path, { status, headers: json, body })
        }, assert.AssertionError)
      })
    }

    it('and takes what is right', () => {
      const sad = { ...token, token_type: 'SAD' }
      for (const [path, body] of [
        [`/csc/v1${TOKEN}`, sad],
        [`/csc/v0${TOKEN}`, sad],
        [TOKEN, token],
      ] as const) {
        assertDescribed('POST', path, { status: 200, headers: json, body })
      }
    })
  })
})
