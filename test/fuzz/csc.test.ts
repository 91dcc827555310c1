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
} from '../support/rssp.js'
import {
  anyText,
  check,
  fuzz,
  headerText,
  regressions,
  send,
  Watch,
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
    [{ id: 'PIN' }],
    [{ id: 'PIN', value: '000000' }],
  ],
  PIN: ['@pin', '000000'],
  requestID: ['@job', '@gone'],
  validity_period: [60_000, 0, -1, 2 ** 53],
  response_uri: ['https://app.example/done', 'http://127.0.0.1/', 'file:///etc/passwd'],
  authObjectID: ['EMAIL', 'PIN'],
  clientData: ['order 7'],
  description: ['Contract'],
  lang: ['en', 'de-AT'],
  certificates: ['chain', 'single', 'none', 'x'],
}

/** Where something else gets furthest. */
const PLAUSIBLE_THERE: Readonly<Record<string, Readonly<Record<string, readonly unknown[]>>>> = {
  '/credentials/authorize': { credentialID: ['@explicit'] },
  '/credentials/getChallenge': { credentialID: ['@explicit'] },
  '/credentials/sendOTP': { credentialID: ['@explicit'] },
  '/credentials/extendTransaction': { credentialID: ['@explicit'], SAD: ['@sad'] },
}

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
    { weight: 24, arbitrary: first === undefined ? typed(schema) : fc.constant(first) },
    { weight: 6, arbitrary: others.length > 0 ? fc.constantFrom(...others) : typed(schema) },
    { weight: 1, arbitrary: typed(schema) },
    { weight: 1, arbitrary: anyJson },
  )
}

function typed(schema: Schema): fc.Arbitrary<unknown> {
  switch (schema.type) {
    case 'boolean':
      return fc.boolean()
    case 'integer':
    case 'number':
      return fc.oneof(fc.integer(), fc.double())
    case 'array':
      return fc.array(schema.items ? typed(schema.items) : anyJson, { maxLength: 4 })
    case 'object':
      return bodyOf(schema)
    default:
      return anyText
  }
}

function bodyOf(
  { properties = {}, required = [] }: Schema,
  path = '',
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

const authorizations = fc.oneof(
  { weight: 16, arbitrary: fc.constant('Bearer @service') },
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      ...['Bearer @approval', 'Bearer @approval', 'Bearer @foreignService', 'Bearer @application'],
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
      authorization: fc.option(authorizations, { freq: 20 }),
      more: fc.oneof({ weight: 8, arbitrary: fc.constant({}) }, headers),
      body: bodyOf(schema, path),
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

  before(async () => {
    rssp = await startRssp({ outbox: true })
    watch = new Watch(rssp)
    const user = await rssp.addUser()
    const another = await rssp.addUser()
    const client = await rssp.addClient()
    const application = await rssp.addClient({
      registration: { grantTypes: ['client_credentials'] },
    })
    const credential = await rssp.addCredential(user, { multisign: 500 })
    const { PIN, EMAIL } = AUTH_OBJECTS
    const explicit = await rssp.addCredential(user, {
      explicit: { objects: [PIN, EMAIL], expression: 'PIN OR EMAIL' },
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
      job: 'none yet',
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
    }
  })
  after(async () => {
    watch.close()
    await rssp.close()
  })

  const answered = async (request: FuzzedRequest): Promise<void> => {
    const { status, text } = await check(rssp, watch, request, names)
    if (status !== 200) return
    const { SAD, responseID } = JSON.parse(text) as { SAD?: string; responseID?: string }
    if (SAD !== undefined) names = { ...names, sad: SAD }
    if (responseID !== undefined) await finish(request, responseID)
  }

  /** What is signed later must not be taken for a change by the next request. */
  async function finish({ headers }: FuzzedRequest, job: string): Promise<void> {
    names = { ...names, job }
    const poll = {
      ...{ method: 'POST', target: '/csc/v2/signatures/signPolling', headers },
      body: '{"requestID":"@job"}',
    }
    while ((await send(rssp, poll, names)).status === 202);
  }

  for (const { base, document } of DESCRIPTIONS) {
    if (base === '') continue
    for (const [path, { post }] of Object.entries(document.paths)) {
      if (!post) continue
      const target = base + path
      it(`is answered as described, and changes nothing when refused: ${target}`, () =>
        fuzz(target, requestsTo(base, path, post), answered, base === '/csc/v2' ? 15 : 5))
    }
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
    if (!request.target.startsWith('/csc/')) continue
    it(`is answered as described again: ${file}`, () => answered(request))
  }
})

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
