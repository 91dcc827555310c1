import assert from 'node:assert/strict'
import fc from 'fast-check'
import { DESCRIPTIONS, type Operation } from '../support/described.js'
import { authorizationCode, serviceRequest, serviceTokens, VERIFIER } from '../oauth/application.js'
import {
  digestOf,
  REDIRECT_URI,
  SHA256,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import {
  anyText,
  check,
  fuzz,
  headerText,
  regressions,
  Watch,
  WATCHED,
  type FuzzedRequest,
  type Names,
} from './fuzzing.js'

/** What parameters of these names may well hold. */
const PLAUSIBLE: Readonly<Record<string, readonly string[]>> = {
  client_id: ['@client', '@client', '@public', '@gone'],
  client_secret: ['@secret', '@secret', 'wrong'],
  response_type: ['code', 'token', 'code id_token', 'none'],
  redirect_uri: [
    ...['@redirect', '@redirect', 'https://evil.example/', 'javascript:alert(1)'],
    ...['@redirect@evil.example', '@redirect#x', '//evil.example'],
  ],
  scope: ['service', 'credential', 'openid', 'service credential'],
  code_challenge: ['@challenge', '@challenge', 'short'],
  code_challenge_method: ['S256', 'S256', 'plain'],
  credentialID: ['@credential', '@gone'],
  signatureQualifier: ['eu_eidas_qes', 'xx'],
  numSignatures: ['1', '2', '0', '-1', '1e3', '9'.repeat(30)],
  hashes: ['@digest', '@digest,@digest', 'AA', ','],
  hash: ['@digest'],
  hashAlgorithmOID: [SHA256, '1.3.14.3.2.26'],
  account_token: ['a.b.c'],
  authorization_details: ['@details', '[]', '[{}]', '{}', '[{"type":"credential"}]', '[[]]'],
  prompt: ['login', 'none', 'consent', 'approval', 'create'],
  request_uri: [
    'urn:ietf:params:oauth:request_uri:x',
    'https://evil.example/',
    'file:///etc/passwd',
  ],
  dpop_jkt: ['x'],
  grant_type: [
    ...['authorization_code', 'refresh_token', 'client_credentials', 'password'],
    ...['urn:ietf:params:oauth:grant-type:device_code', 'implicit'],
  ],
  code: ['@code', '@code', '@gone', 'x'],
  code_verifier: ['@verifier', 'x'],
  refresh_token: ['@refresh', '@gone', 'x'],
  refreshToken: ['@refresh', 'x'],
  token: ['@service', '@refresh', '@gone', 'x'],
  token_type_hint: ['access_token', 'refresh_token', 'id_token'],
  client_assertion: ['a.b.c', 'eyJhbGciOiJub25lIn0.e30.'],
  client_assertion_type: ['urn:ietf:params:oauth:client-assertion-type:jwt-bearer', 'x'],
  response_mode: ['query', 'fragment', 'form_post', 'jwt', 'x'],
  request: ['eyJhbGciOiJub25lIn0.e30.'],
  resource: ['https://evil.example/', 'x', '#'],
  max_age: ['0', '-1', 'x', '9'.repeat(30)],
  claims: ['{"id_token":{"x":null}}', '{', '[]'],
  id_token_hint: ['a.b.c'],
  ui_locales: ['de', 'xx-'],
  acr_values: ['x'],
  display: ['page', 'x'],
  nonce: ['x'],
}

/** Parameters of OAuth and OpenID Connect that are not described, and must do no harm. */
const FOREIGN = [
  ...['response_mode', 'request', 'resource', 'max_age', 'claims', 'id_token_hint', 'ui_locales'],
  ...['acr_values', 'display', 'nonce', 'registration', 'request_uri', 'grant_type', 'audience'],
]

function namesOf(operation: Operation): string[] {
  const parameters = (operation.parameters ?? []) as { name: string; in: string }[]
  const schema = operation.requestBody?.content['application/x-www-form-urlencoded']?.schema
  const { properties = {} } = (schema ?? {}) as { properties?: object }
  const queried = parameters.filter((each) => each.in === 'query').map(({ name }) => name)
  return [...queried, ...Object.keys(properties)]
}

/** Always there: without them everything else is refused for the same reason. */
const USUAL: Readonly<Record<string, string>> = {
  client_id: '@client',
  client_secret: '@secret',
  response_type: 'code',
  redirect_uri: '@redirect',
  code_challenge: '@challenge',
  code_challenge_method: 'S256',
}

const AS_CLIENT = 'client_id=@client&client_secret=@secret'

/** What succeeds, by the end of the address. */
const USUAL_FORMS: Readonly<Record<string, readonly string[]>> = {
  '/token': [
    `grant_type=authorization_code&code=@code&code_verifier=@verifier&redirect_uri=@redirect&${AS_CLIENT}`,
    `grant_type=refresh_token&refresh_token=@refresh&${AS_CLIENT}`,
    `grant_type=refresh_token&refreshToken=@refresh&${AS_CLIENT}`,
  ],
  '/revoke': [`token=@service&${AS_CLIENT}`, `token=@refresh&${AS_CLIENT}`],
  '/introspect': [`token=@service&${AS_CLIENT}`, `token=@refresh&${AS_CLIENT}`],
  '/pushed_authorize': [
    `response_type=code&redirect_uri=@redirect&code_challenge=@challenge&code_challenge_method=S256&authorization_details=@details&${AS_CLIENT}`,
  ],
}

/** Names and values as they go over the wire, with what clients get wrong: arrays, repetition, encodings. */
function formOf(operation: Operation): fc.Arbitrary<string> {
  const names = namesOf(operation)
  const value = (name: string) =>
    fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom(...(PLAUSIBLE[name] ?? ['x'])).map(encode) },
      { weight: 2, arbitrary: anyText.map(encode) },
      {
        weight: 1,
        arbitrary: fc.constantFrom('%', '%zz', '%ff', '%00', '+', '%u0041', 'a=b', '%F0%9F', '[]'),
      },
    )
  const pair = fc
    .constantFrom(...names, ...names, ...FOREIGN)
    .chain((name) =>
      fc
        .tuple(
          fc.oneof(
            { weight: 12, arbitrary: fc.constant(name) },
            fc.constantFrom(
              `${name}[]`,
              `${name}[0]`,
              `${name}.x`,
              `${name}%00`,
              `%5f_proto__`,
              '',
            ),
          ),
          value(name),
        )
        .map(([key, text]) => `${key}=${text}`),
    )
  const usual = Object.entries(USUAL).filter(([name]) => names.includes(name))
  return fc
    .tuple(
      fc.subarray(usual, { minLength: Math.max(0, usual.length - 2) }),
      fc.array(pair, { maxLength: 6 }),
      fc.boolean(),
    )
    .map(([known, pairs, keepsOne]) => {
      const all = [...known.map(([name, text]) => `${name}=${text}`), ...pairs]
      return (keepsOne ? withoutRepetition(all) : all).join('&')
    })
}

/** The last of each name. */
function withoutRepetition(pairs: readonly string[]): string[] {
  return [...new Map(pairs.map((pair) => [pair.split('=')[0], pair])).values()]
}

/** Leaves `@names` for later. */
function encode(text: string): string {
  return encodeURIComponent(Buffer.from(text).toString()).replaceAll('%40', '@')
}

const headers = fc
  .record(
    {
      Authorization: fc.oneof(
        fc.constantFrom('Basic @basic', 'Basic', 'Basic OjA=', 'Bearer @service', 'Basic @gone'),
        headerText,
        headerText.map((text) => `Basic ${Buffer.from(text).toString('base64')}`),
      ),
      DPoP: headerText,
      Cookie: headerText.map((text) => `_session=${text}; _interaction=${text}`),
      Accept: fc.constantFrom('text/html', 'application/json', 'image/png', '*/*;q=0'),
      'Accept-Language': headerText,
      Origin: fc.constantFrom('https://evil.example', 'null'),
      'X-Forwarded-Host': headerText,
      'Content-Type': fc.constantFrom(
        ...['application/json', 'text/plain', 'multipart/form-data; boundary=x'],
        'application/x-www-form-urlencoded; charset=utf-16',
      ),
    },
    { requiredKeys: [] },
  )
  .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== '')))

function requestsTo(
  method: 'GET' | 'POST',
  path: string,
  operation: Operation,
): fc.Arbitrary<FuzzedRequest> {
  const type = { 'Content-Type': 'application/x-www-form-urlencoded' }
  const usual = USUAL_FORMS[path.slice(path.lastIndexOf('/'))]
  return fc
    .record({
      form: usual ? fc.oneof(fc.constantFrom(...usual), formOf(operation)) : formOf(operation),
      more: fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, headers),
    })
    .map(({ form, more }) => ({
      method,
      target: method === 'GET' && form !== '' ? `${path}?${form}` : path,
      headers: method === 'GET' ? more : { ...type, ...more },
      body: method === 'GET' ? null : form,
    }))
}

describe('Any request to the authorization server (S56, S67)', () => {
  let rssp: Rssp
  let watch: Watch
  let names: Names
  let user: TestUser
  let client: TestClient

  before(async () => {
    rssp = await startRssp({ settings: { ...WATCHED } })
    watch = new Watch(rssp)
    user = await rssp.addUser()
    client = await rssp.addClient()
    const publicClient = await rssp.addClient({ client_secret: null })
    const digest = digestOf('agreed')
    const credential = await rssp.addCredential(user)
    const pair = `${client.client_id}:${client.client_secret}`
    names = {
      client: client.client_id,
      public: publicClient.client_id,
      secret: client.client_secret ?? '',
      basic: Buffer.from(pair).toString('base64'),
      redirect: REDIRECT_URI,
      challenge: digest.toString('base64url'),
      digest: digest.toString('base64url'),
      credential: credential.id,
      ...{ gone: 'x'.repeat(43), verifier: VERIFIER },
      ...(await newTokens()),
      details: encodeURIComponent(
        JSON.stringify([
          {
            type: 'credential',
            credentialID: credential.id,
            hashAlgorithmOID: SHA256,
            documentDigests: [{ hash: digest.toString('base64') }],
          },
        ]),
      ),
    }
  })
  after(async () => {
    watch.close()
    await rssp.close()
  })

  /** A code and tokens, each of which is good for one use or until it is revoked. */
  async function newTokens(): Promise<Names> {
    const { access_token, refresh_token } = await serviceTokens(rssp, user, client)
    const code = await authorizationCode(rssp, user, serviceRequest(client))
    return { code, service: access_token, refresh: refresh_token ?? assert.fail() }
  }

  /** Browsers go nowhere but to our pages and to registered addresses. */
  const answered = async (request: FuzzedRequest): Promise<void> => {
    const { status, headers } = await check(rssp, watch, request, names)
    const usesUp = /token|revoke/.test(request.target) && status < 300
    if (usesUp) names = { ...names, ...(await newTokens()) }
    const location = headers.get('location')
    if (location === null) return
    const { origin, pathname, href } = new URL(location, rssp.baseUrl)
    const isOurs = origin === rssp.baseUrl && pathname.startsWith('/oauth2/')
    assert.ok(isOurs || href.split(/[?#]/)[0] === REDIRECT_URI, location)
  }

  for (const { base, document } of DESCRIPTIONS) {
    for (const [path, operations] of Object.entries(document.paths)) {
      if (base !== '' && !path.startsWith('/oauth2/')) continue
      for (const [name, operation] of Object.entries(operations)) {
        const method = name === 'get' ? 'GET' : 'POST'
        const title = `${method} ${base}${path}`
        const runs = base === '' ? 20 : 6
        it(`is answered as described, and changes nothing when refused: ${title}`, () =>
          fuzz(
            `oauth ${title}`,
            requestsTo(method, base + path, operation),
            answered,
            namesOf(operation).length === 0 ? 2 : runs,
          ))
      }
    }
  }

  it('is answered without a failure at addresses that are not there', () =>
    fuzz(
      'oauth paths',
      fc
        .record({
          method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'OPTIONS'),
          path: fc.oneof(
            fc.webPath({ size: 'small' }),
            anyText.map((text) => encodeURIComponent(Buffer.from(text).toString())),
            fc.constantFrom(
              'interaction/',
              'interaction/x',
              'authorize/x',
              'token/x',
              '%',
              '%c0%ae',
            ),
          ),
          root: fc.constantFrom(
            '/oauth2/',
            '/.well-known/',
            '/oauth2/interaction/',
            '/account/',
            '/',
          ),
        })
        .map(({ method, path, root }) => ({
          ...{ method, headers: {} },
          target: `${root}${path.replace(/^\//, '')}`,
          body: null,
        })),
      answered,
      20,
    ))

  for (const [file, request] of regressions()) {
    if (request.target.startsWith('/csc/') && !request.target.includes('/oauth2/')) continue
    it(`is answered as described again: ${file} (S116)`, () => answered(request))
  }
})
