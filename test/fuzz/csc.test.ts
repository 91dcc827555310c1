import assert from 'node:assert/strict'
import fc from 'fast-check'
import { AUTH_OBJECTS } from '../../src/credentials/auth-object.js'
import { DESCRIPTIONS, type Operation } from '../support/described.js'
import {
  digestOf,
  ECDSA_SHA256,
  RSA_SHA256,
  SHA256,
  SHA384,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { authorizationCode, codeGrant, requestToken, serviceRequest } from '../oauth/application.js'
import {
  anyText,
  check,
  fuzz,
  headerText,
  regressions,
  send,
  Watch,
  WATCHED,
  type FuzzedRequest,
  type Names,
} from './fuzzing.js'

type Schema = Readonly<{
  type?: string
  enum?: unknown[]
  items?: Schema
  properties?: Record<string, Schema>
  required?: string[]
}>

/** What parameters of these names may well hold; the first is what gets furthest. */
const PLAUSIBLE: Readonly<Record<string, readonly unknown[]>> = {
  credentialID: ['@credential', '@explicit', '@rsa', '@foreign', '@seal'],
  SAD: ['@approval', '@sad', '@otherApproval', '@service', '@gone'],
  token: ['@revocable', '@otherRevocable', '@foreignService', '@gone'],
  hashes: [
    ['@digest'],
    ['@digest', '@digest'],
    ['@digest', '@other'],
    ['@urlDigest'],
    [],
    ['AA=='],
  ],
  hash: [['@digest'], ['@digest', '@other'], '@digest', '@urlDigest', []],
  hashAlgorithmOID: [SHA256, SHA384, '1.3.14.3.2.26'],
  hashAlgo: [SHA256, SHA384, '1.3.14.3.2.26'],
  signAlgo: [ECDSA_SHA256, RSA_SHA256, '1.2.840.113549.1.1.10', '1.2.840.10045.2.1'],
  operationMode: ['S', 'A'],
  numSignatures: [1, 2, 10, 501, 0, -1, 1.5, 2 ** 53],
  authData: [
    [{ id: 'PIN', value: '@pin' }],
    [{ id: 'PIN', value: '@pin' }, { id: 'EMAIL' }],
    [{ id: 'PUSH' }],
    [{ id: 'PIN' }],
    [{ id: 'PIN', value: '000000' }],
  ],
  PIN: ['@pin', '000000'],
  requestID: ['@job', '@gone'],
  handle: ['@handle', '@gone'],
  validity_period: [60_000, 0, -1, 2 ** 53],
  response_uri: ['https://app.example/done', 'http://127.0.0.1/', 'file:///etc/passwd'],
  authObjectID: ['EMAIL', 'PIN'],
  clientData: ['order 7'],
  description: ['Contract'],
  lang: ['en', 'de-AT'],
  certificates: ['chain', 'single', 'none', 'x'],
  refresh_token: ['@refresh', '@gone'],
  rememberMe: [true, false],
  credentialInfo: [true, false],
  revoke: [true, false],
  revocationReason: [4, 0, 5, 7, 11, -1],
}

const PDF = 'JVBERi0xLjcK'
const PDF_DIGEST = digestOf('%PDF-1.7\n').toString('base64')

/** Where something else gets furthest. */
const PLAUSIBLE_THERE: Readonly<Record<string, Readonly<Record<string, readonly unknown[]>>>> = {
  '/credentials/authorize': { credentialID: ['@explicit'] },
  '/credentials/getChallenge': { credentialID: ['@explicit'] },
  '/credentials/sendOTP': { credentialID: ['@explicit'] },
  '/credentials/extendTransaction': { credentialID: ['@explicit'], SAD: ['@sad'] },
  '/credentials/delete': { credentialID: ['@deletable'] },
  '/signatures/timestamp': { hash: ['@digest'], hashAlgo: [SHA256], nonce: ['0a1b'] },
  '/signatures/signDoc': {
    documentDigests: [
      [{ hashes: ['@digest'], signature_format: 'C', signAlgo: ECDSA_SHA256 }],
      [{ hashes: '@digest', signature_format: 'J', signAlgo: ECDSA_SHA256 }],
      [{ hashes: ['@digest'], signature_format: 'P', conformance_level: 'AdES-B-T' }],
    ],
    // Not beside digests.
    documents: [null, [{ document: 'AAAA', signature_format: 'C', signAlgo: ECDSA_SHA256 }]],
    signatureQualifier: [null],
    returnValidationInfo: [false, true],
  },
  '/documents/withdraw': { hash: [PDF_DIGEST, 'AAAA', ''] },
  '/documents/deposit': { document: [PDF, 'AAAA', ''] },
  // Not beside a password.
  '/auth/login': { refresh_token: [] },
}

/** Who calls where a service token does not get far; with a refresh token, nobody has to say. */
const CALLERS: Readonly<Record<string, readonly [string | null, ...(string | null)[]]>> = {
  '/credentials/create': ['Bearer @creation'],
  '/credentials/delete': ['Bearer @deletion'],
  '/auth/login': ['Basic @person', null, 'Basic @nobody'],
}

const LOGIN_CLIENT = 'trusted-app'

const anyJson = fc.oneof(
  anyText,
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(null, 0, -1, 1e308, [], {}, [[]], [null], true),
)

/** Mostly what gets furthest, or something that could be meant. */
function valueOf(name: string, schema: Schema, path: string): fc.Arbitrary<unknown> {
  const there = PLAUSIBLE_THERE[path]?.[name] ?? []
  const [first, ...others] = [...there, ...(PLAUSIBLE[name] ?? schema.enum ?? [])]
  return fc.oneof(
    { weight: 24, arbitrary: first === undefined ? typed(schema, path) : fc.constant(first) },
    { weight: 6, arbitrary: others.length > 0 ? fc.constantFrom(...others) : typed(schema, path) },
    { weight: 1, arbitrary: typed(schema, path) },
    { weight: 1, arbitrary: anyJson },
  )
}

function typed(schema: Schema, path: string): fc.Arbitrary<unknown> {
  switch (schema.type) {
    case 'boolean':
      return fc.boolean()
    case 'integer':
    case 'number':
      return fc.oneof(fc.integer(), fc.double())
    case 'array':
      return fc.array(schema.items ? typed(schema.items, path) : anyJson, { maxLength: 4 })
    case 'object':
      return bodyOf(schema, path)
    default:
      return anyText
  }
}

function bodyOf(
  { properties = {}, required = [] }: Schema,
  path: string,
): fc.Arbitrary<Record<string, unknown>> {
  const members = Object.entries(properties).map(([name, schema]) => {
    const often = required.includes(name) ? 98 : PLAUSIBLE[name] ? 80 : 15
    return fc
      .tuple(fc.integer({ min: 0, max: 99 }), valueOf(name, schema, path))
      .map(([chance, value]): [string, unknown][] => (chance < often ? [[name, value]] : []))
  })
  const foreign = fc.dictionary(anyText, anyJson, { maxKeys: 2 })
  return fc
    .tuple(fc.tuple(...members), fc.oneof({ weight: 6, arbitrary: fc.constant({}) }, foreign))
    .map(([known, more]) => ({ ...more, ...Object.fromEntries(known.flat()) }))
}

/** What gets furthest, in every member. */
function usualBody({ properties = {} }: Schema, path: string): Record<string, unknown> {
  const members = Object.entries(properties).map(([name, schema]): [string, unknown] => {
    const [usual] = PLAUSIBLE_THERE[path]?.[name] ?? PLAUSIBLE[name] ?? []
    return [name, schema.type === 'object' ? usualBody(schema, path) : usual]
  })
  return Object.fromEntries(members.filter(([, usual]) => usual !== undefined))
}

/** Text that is JSON, or was. */
function bodyText(body: Record<string, unknown>, damage: number, at: number): string {
  const text = Buffer.from(JSON.stringify(body)).toString('latin1')
  const place = text.length === 0 ? 0 : at % text.length
  switch (damage) {
    case 0:
      return text.slice(0, place)
    case 1:
      return `${text.slice(0, place)}\xff${text.slice(place)}`
    case 2:
      return `\xef\xbb\xbf${text}`
    case 3:
      return `${'['.repeat(place)}${text}`
    case 4:
      return text.replace('{', '{"credentialID":"x",')
    default:
      return text
  }
}

/** @param usual who gets furthest, and others who may well call */
const authorizations = ([usual, ...others]: readonly (string | null)[]) =>
  fc.oneof(
    { weight: 16, arbitrary: fc.constant(usual ?? null) },
    { weight: others.length * 4, arbitrary: fc.constantFrom(usual ?? null, ...others) },
    {
      weight: 6,
      arbitrary: fc.constantFrom(
        ...[
          'Bearer @approval',
          'Bearer @approval',
          'Bearer @foreignService',
          'Bearer @application',
        ],
        ...['DPoP @service', 'Bearer @gone'],
      ),
    },
    headerText,
    headerText.map((text) => `Bearer ${text}`),
    headerText.map((text) => `Basic ${Buffer.from(text).toString('base64')}`),
  )

const headers = fc
  .record(
    {
      'Content-Type': fc.constantFrom(
        ...['application/json; charset=utf-8', 'text/plain', 'application/x-www-form-urlencoded'],
        ...['application/json; charset=utf-16', 'multipart/form-data', ''],
      ),
      'Content-Encoding': fc.constantFrom('identity', 'gzip', 'br', 'x'),
      'Idempotency-Key': headerText,
      DPoP: headerText,
      'Accept-Language': headerText,
      Accept: fc.constantFrom('text/html', 'application/xml', '*/*;q=0'),
      'X-HTTP-Method-Override': fc.constantFrom('DELETE', 'GET'),
      'X-Forwarded-For': headerText,
    },
    { requiredKeys: [] },
  )
  .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== '')))

function requestsTo(base: string, path: string, operation: Operation): fc.Arbitrary<FuzzedRequest> {
  const schema = operation.requestBody?.content['application/json']?.schema ?? {}
  return fc
    .record({
      authorization: fc.option(authorizations(CALLERS[path] ?? ['Bearer @service']), { freq: 20 }),
      more: fc.oneof({ weight: 8, arbitrary: fc.constant({}) }, headers),
      body: fc.oneof(
        { weight: 1, arbitrary: fc.constant(usualBody(schema, path)) },
        { weight: 3, arbitrary: bodyOf(schema, path) },
      ),
      damage: fc.integer({ min: 0, max: 99 }),
      at: fc.nat(5000),
    })
    .map(({ authorization, more, body, damage, at }) => ({
      method: 'POST',
      target: base + path,
      headers: {
        'Content-Type': 'application/json',
        ...(authorization ? { Authorization: authorization } : {}),
        ...more,
      },
      body: bodyText(body, damage, at),
    }))
}

describe('Any request to the CSC API (S56, S67)', () => {
  let rssp: Rssp
  let watch: Watch
  let names: Names
  let client: TestClient
  /** Whose credentials come and go. */
  let signer: TestUser
  /** Where something was done, and not only refused. */
  const succeeded = new Set<string>()

  before(async () => {
    rssp = await startRssp({
      outbox: true,
      post: () => Promise.resolve(204),
      settings: {
        ...WATCHED,
        policy: { authLogin: { client: LOGIN_CLIENT }, responseUriHosts: ['app.example'] },
        newCredentials: { perPerson: 100_000, perPersonPerHour: 100_000 },
        // What is fuzzed is not how soon it is locked.
        limits: { signInFailures: 100_000 },
      },
    })
    watch = new Watch(rssp)
    const user = await rssp.addUser()
    const another = await rssp.addUser()
    client = await rssp.addClient()
    await rssp.addClient({ client_id: LOGIN_CLIENT })
    signer = await rssp.addUser()
    const application = await rssp.addClient({
      registration: { grantTypes: ['client_credentials'] },
    })
    const credential = await rssp.addCredential(user, { multisign: 500 })
    const { PIN, EMAIL, PUSH } = AUTH_OBJECTS
    const explicit = await rssp.addCredential(user, {
      explicit: { objects: [PIN, EMAIL, PUSH], expression: 'PIN OR EMAIL OR PUSH' },
      multisign: 500,
      withPin: true,
    })
    const rsa = await rssp.addCredential(user, { algorithm: 'rsa-2048', SCAL: '1' })
    const digest = digestOf('agreed')
    // Enough for every run to sign something.
    const digests = Array.from({ length: 200 }, () => digest)
    const approve = () => rssp.credentialToken({ user, client, credential, digests })
    const gone = await rssp.serviceToken(user, client)
    await rssp.call('auth/revoke', { token: gone }, gone)
    const service = await rssp.serviceToken(user, client)
    const { body } = await rssp.call(
      'credentials/authorize',
      {
        credentialID: explicit.id,
        numSignatures: 2,
        hashes: [digest.toString('base64'), digest.toString('base64')],
        hashAlgorithmOID: SHA256,
        authData: [{ id: 'PIN', value: user.pin }],
      },
      service,
    )
    assert.ok(body.SAD, JSON.stringify(body))
    names = {
      service,
      gone,
      ...{ job: 'none yet', handle: 'none yet' },
      sad: body.SAD as string,
      approval: await approve(),
      otherApproval: await approve(),
      revocable: await rssp.serviceToken(user, client),
      otherRevocable: await approve(),
      foreignService: await rssp.serviceToken(another, client),
      application: await applicationToken(rssp, application),
      credential: credential.id,
      explicit: explicit.id,
      rsa: rsa.id,
      foreign: (await rssp.addCredential(another)).id,
      seal: (await rssp.addCredential(user, { ownerClientId: application.client_id })).id,
      digest: digest.toString('base64'),
      urlDigest: digest.toString('base64url'),
      other: digestOf('not agreed').toString('base64'),
      pin: user.pin,
      ...(await newCreation()),
      ...(await newDeletion()),
      person: basic(`${signer.username}:${signer.password}`),
      nobody: basic(`${signer.username}:x`),
      refresh: 'none yet',
    }
    for (const [target, more] of [
      ['signatures/signHash', { operationMode: 'A', validity_period: null }],
      ['credentials/authorize', { authData: [{ id: 'PUSH' }] }],
    ] as const) {
      const schema = requestOf(target)
      const body = { ...usualBody(schema, `/${target}`), ...more }
      const headers = { 'Content-Type': 'application/json', Authorization: 'Bearer @service' }
      await answered({
        ...{ method: 'POST', target: `/csc/v2/${target}`, headers },
        body: JSON.stringify(body),
      })
    }
    assert.ok(names['job'] !== 'none yet' && names['handle'] !== 'none yet')
    succeeded.clear()
  })
  after(async () => {
    watch.close()
    await rssp.close()
  })

  const answered = async (request: FuzzedRequest): Promise<void> => {
    const { status, text } = await check(rssp, watch, request, names)
    // Each of them is good for one.
    if (status === 201) names = { ...names, ...(await newCreation()) }
    if (request.target.endsWith('/credentials/delete') && status === 204) {
      names = { ...names, ...(await newDeletion()) }
    }
    if (status < 300) succeeded.add(request.target)
    if (status !== 200 && status !== 202) return
    const { SAD, responseID, refresh_token, handle } = JSON.parse(text) as Record<string, string>
    if (SAD !== undefined) names = { ...names, sad: SAD }
    if (handle !== undefined) names = { ...names, handle }
    if (refresh_token !== undefined) names = { ...names, refresh: refresh_token }
    if (responseID !== undefined) await finish(request, responseID)
  }

  async function newCreation(): Promise<Names> {
    return { creation: await managementToken({ scope: 'credential-creation' }) }
  }

  async function newDeletion(): Promise<Names> {
    const { id } = await rssp.addCredential(signer)
    const asked = { scope: 'credential-deletion', credentialID: id }
    return { deletable: id, deletion: await managementToken(asked) }
  }

  async function managementToken(asked: Record<string, string>): Promise<string> {
    const code = await authorizationCode(rssp, signer, serviceRequest(client, asked))
    const { body } = await requestToken(rssp, codeGrant(client, code))
    assert.ok(body.access_token, JSON.stringify(body))
    return body.access_token as string
  }

  /** What is signed later must not be taken for a change by the next request. */
  async function finish({ headers }: FuzzedRequest, job: string): Promise<void> {
    const { job: first } = names
    names = { ...names, latest: job, ...(first === 'none yet' ? { job } : {}) }
    const poll = {
      ...{ method: 'POST', target: '/csc/v2/signatures/signPolling', headers },
      body: '{"requestID":"@latest"}',
    }
    while ((await send(rssp, poll, names)).status === 202);
  }

  const operations = DESCRIPTIONS.filter(({ base }) => base !== '')
    .flatMap(({ base, document }) =>
      Object.entries(document.paths).map(([path, { post }]) => ({ base, path, post })),
    )
    // Those of the authorization server: oauth.test.ts.
    .filter(({ path }) => !path.startsWith('/oauth2/'))
  // Time moves on with every token for these, and what the others need would be out of date.
  const isSlow = ({ path }: { path: string }) => /credentials\/(create|delete)$/.test(path)
  const inOrder = [...operations.filter((each) => !isSlow(each)), ...operations.filter(isSlow)]
  for (const { base, path, post } of inOrder) {
    if (!post) continue
    const target = base + path
    it(`is answered as described, and changes nothing when refused: ${target}`, async () => {
      await fuzz(target, requestsTo(base, path, post), answered, base === '/csc/v2' ? 15 : 5)
      // Refusals alone would show little.
      if (base === '/csc/v2') assert.ok(succeeded.has(target), 'nothing but refusals')
    })
  }

  it('is answered as described at addresses and by methods that are not there', () =>
    fuzz(
      'csc-paths',
      fc.record({
        method: fc.constantFrom('GET', 'PUT', 'DELETE', 'PATCH', 'POST', 'OPTIONS', 'HEAD'),
        target: fc
          .tuple(
            fc.constantFrom('/csc/v2', '/csc/v1', '/csc/v0'),
            fc.oneof(
              fc.constantFrom('credentials/list', 'info', 'signatures/signHash', 'auth/login'),
              fc.webPath({ size: 'small' }),
              anyText.map(encodeText),
            ),
          )
          .map(([base, path]) => `${base}/${path}`),
        headers: fc.constant({ Authorization: 'Bearer @service' }),
        body: fc.constant(null),
      }),
      async (request) => {
        const { status } = await check(rssp, watch, { ...request, target: request.target }, names)
        assert.ok(status === 200 || status >= 400, String(status))
      },
      15,
    ))

  for (const [file, request] of regressions()) {
    if (!request.target.startsWith('/csc/') || request.target.includes('/oauth2/')) continue
    it(`is answered as described again: ${file} (S116)`, () => answered(request))
  }
})

function basic(pair: string): string {
  return Buffer.from(pair).toString('base64')
}

function requestOf(method: string): Schema {
  const { document } = DESCRIPTIONS.find(({ base }) => base === '/csc/v2') ?? assert.fail()
  const operation = document.paths[`/${method}`]?.['post']
  return operation?.requestBody?.content['application/json']?.schema ?? {}
}

function encodeText(text: string): string {
  return encodeURIComponent(Buffer.from(text).toString())
}

async function applicationToken(
  rssp: Rssp,
  client: { client_id: string; client_secret: string | null },
): Promise<string> {
  const response = await fetch(`${rssp.baseUrl}/oauth2/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: client.client_id,
      client_secret: client.client_secret ?? '',
    }),
  })
  const { access_token } = (await response.json()) as { access_token: string }
  assert.ok(access_token)
  return access_token
}
