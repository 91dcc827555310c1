import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ChainVerifier } from '../../src/audit/chain.js'
import { AUTH_OBJECTS } from '../../src/credentials/auth-object.js'
import type { Credential } from '../../src/credentials/credential.js'
import { totpCode } from '../../src/identity/totp.js'
import { asserted, assertion, dpopProof, testKey, type TestKey } from '../oauth/proofs.js'
import {
  authorizePath,
  codeGrant,
  credentialRequest,
  inBody,
  refreshGrant,
  serviceRequest,
  type Parameters,
} from '../oauth/application.js'
import { lastCode } from '../support/outbox.js'
import {
  digestOf,
  ECDSA_SHA256,
  freePort,
  PATIENT,
  postForm,
  readAnswer,
  SHA256,
  startRssp,
  testSettings,
  type Answer,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { ServerProcess } from '../support/server-process.js'
import { SignerBrowser } from '../support/signer-browser.js'
import { newTestToken, openCustody } from '../support/softhsm.js'

const TIMES = 100
const GRANT_TYPES = ['authorization_code', 'client_credentials', 'refresh_token'] as const
const { PIN, OTP, EMAIL } = AUTH_OBJECTS

describe('Of 100 parallel uses by two server processes over one database (S2, S8)', function () {
  this.timeout(900_000)
  /** Fills the database and looks into it; the requests go to the two processes. */
  let rssp: Rssp
  let processes: ServerProcess[]
  let addresses: string[]
  let user: TestUser
  /** One-time codes work once: who approves has used none yet. */
  let approver: TestUser
  let client: TestClient
  let keyed: TestClient
  let key: TestKey
  let withPin: Credential
  let withOtp: Credential
  let withMail: Credential
  let lockable: Credential
  let ofOwnPages: Credential
  let token: string
  const answered: Answer[] = []
  const digest = digestOf('contract')

  before(async () => {
    const testToken = newTestToken()
    const custody = await openCustody(testToken)
    const [first, second] = [await freePort(), await freePort()]
    const baseUrl = `http://127.0.0.1:${first}`
    rssp = await startRssp({ outbox: true, settings: { baseUrl }, custody: () => custody })
    await populate()

    const { module, tokenLabel, pinFile, conf } = testToken
    const environment = { SOFTHSM2_CONF: conf }
    const mail = { transport: 'outbox', folder: join(rssp.folder, 'outbox') }
    addresses = [first, second].map((port) => `http://127.0.0.1:${port}`)
    processes = await Promise.all(
      [first, second].map((port) => {
        const configFile = join(rssp.folder, `process-${port}.json`)
        const hsm = { module, tokenLabel, pinFile, environment }
        const { database } = rssp.services.config
        const log = { level: 'error' }
        const more = { hsm, mail, log, database, overload: PATIENT }
        const settings = testSettings(baseUrl, port, more)
        writeFileSync(configFile, JSON.stringify(settings))
        return ServerProcess.start({
          ...{ configFile, environment },
          baseUrl: `http://127.0.0.1:${port}`,
        })
      }),
    )
    token = (await serviceTokens()).access_token
  })
  after(async () => {
    await Promise.all((processes ?? []).map((each) => each.stop()))
    await rssp?.close()
  })

  async function populate(): Promise<void> {
    user = await rssp.addUser()
    client = await rssp.addClient({ registration: { grantTypes: GRANT_TYPES } })
    key = await testKey()
    keyed = await rssp.addClient({
      client_secret: null,
      registration: {
        ...{ authMethod: 'private_key_jwt', grantTypes: GRANT_TYPES },
        jwks: { keys: [key.jwk] },
      },
    })
    const explicit = (object: (typeof AUTH_OBJECTS)[keyof typeof AUTH_OBJECTS]) => {
      const settings = { explicit: { objects: [object], expression: null }, multisign: 1000 }
      return rssp.addCredential(user, { ...settings, withPin: object === PIN })
    }
    ;[withPin, withOtp, withMail, lockable] = [
      await explicit(PIN),
      await explicit(OTP),
      await explicit(EMAIL),
      await explicit(PIN),
    ]
    approver = await rssp.addUser()
    ofOwnPages = await rssp.addCredential(approver, { multisign: 1000 })
  }

  /** Half of them to either process, all at the same time. */
  async function everywhere(
    use: (address: string, index: number) => Promise<Answer>,
  ): Promise<{ accepted: Answer[]; refused: Answer[] }> {
    const answers = await Promise.all(
      Array.from({ length: TIMES }, (_, index) => use(addresses[index % 2] ?? '', index)),
    )
    answered.push(...answers)
    const isAccepted = ({ status }: Answer) => status < 300
    return {
      accepted: answers.filter(isAccepted),
      refused: answers.filter((answer) => !isAccepted(answer)),
    }
  }

  function assertOnce(
    { accepted, refused }: { accepted: Answer[]; refused: Answer[] },
    ...outcomes: string[]
  ): void {
    assert.equal(accepted.length, 1, JSON.stringify(refused[0]?.body))
    const others = new Set(refused.map(({ status, body }) => `${status} ${body.error}`))
    assert.deepEqual([...others].toSorted(), outcomes)
  }

  async function call(
    address: string,
    method: string,
    body: object,
    headers: Parameters = { Authorization: `Bearer ${token}` },
  ): Promise<Answer> {
    const response = await fetch(`${address}/csc/v2/${method}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })
    return readAnswer(response)
  }

  const requestToken = (address: string, fields: Parameters, headers: Parameters = {}) =>
    postForm(`${address}/oauth2/token`, fields, headers)

  async function code(
    request: Parameters,
    { username, password, totpSecret } = user,
    browser = new SignerBrowser(addresses[0] ?? ''),
  ): Promise<string> {
    const answers = { username, password, otp: () => totpCode(totpSecret, new Date()) }
    const answer = await browser.authorize(request, answers)
    return answer.get('code') ?? assert.fail(answer.toString())
  }

  async function serviceTokens(): Promise<{ access_token: string; refresh_token: string }> {
    const fields = codeGrant(client, await code(serviceRequest(client)))
    const { status, body } = await requestToken(addresses[0] ?? '', fields)
    assert.equal(status, 200, JSON.stringify(body))
    return body
  }

  function authorization(credential: Credential, authData: object[], more = {}): object {
    return {
      ...{ credentialID: credential.id, numSignatures: 1, hashAlgorithmOID: SHA256, authData },
      ...{ hashes: [digest.toString('base64')], ...more },
    }
  }

  async function newSad(more = {}): Promise<string> {
    const request = authorization(withPin, [{ id: 'PIN', value: user.pin }], more)
    const { status, body } = await call(addresses[1] ?? '', 'credentials/authorize', request)
    assert.equal(status, 200, JSON.stringify(body))
    return body.SAD
  }

  const signing = (credential: Credential, SAD: string | undefined, hash = digest): object => ({
    ...{ credentialID: credential.id, SAD, hashes: [hash.toString('base64')] },
    signAlgo: ECDSA_SHA256,
  })

  it('one authorization code is redeemed, and its tokens die with the second use (S30)', async () => {
    const fields = codeGrant(client, await code(serviceRequest(client)))
    const { accepted, refused } = await everywhere((address) => requestToken(address, fields))
    assert.ok(accepted.length <= 1, `${accepted.length} were accepted`)
    for (const { status, body } of refused)
      assert.deepEqual([status, body.error], [400, 'invalid_grant'])
    for (const { body } of accepted) {
      const headers = { Authorization: `Bearer ${body.access_token as string}` }
      for (const address of addresses) {
        assert.equal((await call(address, 'credentials/list', {}, headers)).status, 401)
      }
    }
  })

  it('one pushed request gives a code (S34)', async () => {
    const browser = new SignerBrowser(addresses[0] ?? '')
    await code(serviceRequest(client), user, browser)
    const fields = { ...serviceRequest(client), ...inBody(client) }
    const pushed = await postForm(`${addresses[1] ?? ''}/oauth2/pushed_authorize`, fields)
    const { request_uri } = pushed.body
    const path = authorizePath({ client_id: client.client_id, request_uri })
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const responses = await Promise.all(
      Array.from({ length: TIMES }, (_, index) =>
        fetch(`${addresses[index % 2] ?? ''}${path}`, {
          headers: { cookie },
          redirect: 'manual',
        }),
      ),
    )
    const answers = responses.map(({ status, headers }) => {
      const location = headers.get('location')
      const query = location?.startsWith('https:') ? new URL(location).searchParams : null
      return query?.has('code') ? 'code' : (query?.get('error') ?? String(status))
    })
    assert.equal(answers.filter((each) => each === 'code').length, 1)
    const others = new Set(answers.filter((each) => each !== 'code'))
    for (const other of others) assert.match(other, /^(invalid_request_uri|400)$/)
  })

  it('one refresh token is traded, and its family dies with the second use (S45)', async () => {
    const { refresh_token } = await serviceTokens()
    const fields = refreshGrant(client, refresh_token)
    const { accepted, refused } = await everywhere((address) => requestToken(address, fields))
    assert.ok(accepted.length <= 1, `${accepted.length} were accepted`)
    for (const { status, body } of refused)
      assert.deepEqual([status, body.error], [400, 'invalid_grant'])
    for (const { body } of accepted) {
      const next = await requestToken(
        addresses[0] ?? '',
        refreshGrant(client, body.refresh_token as string),
      )
      assert.equal(next.status, 400)
    }
    token = (await serviceTokens()).access_token
  })

  it('one client assertion is accepted (S31)', async () => {
    const fields = {
      ...{ grant_type: 'client_credentials', scope: 'service' },
      ...asserted(await assertion(rssp, keyed, key)),
    }
    const outcome = await everywhere((address) => requestToken(address, fields))
    assertOnce(outcome, '401 invalid_client')
  })

  it('one DPoP proof is accepted by the token endpoint, one by the API (S31)', async () => {
    const url = `${addresses[0] ?? ''}/oauth2/token`
    const forToken = await dpopProof(key, { url })
    const fields = { ...inBody(client), grant_type: 'client_credentials', scope: 'service' }
    const atToken = await everywhere((address) => requestToken(address, fields, { DPoP: forToken }))
    assertOnce(atToken, '400 invalid_dpop_proof')

    const redeemed = codeGrant(client, await code(serviceRequest(client)))
    const DPoP = await dpopProof(key, { url })
    const { body } = await requestToken(addresses[0] ?? '', redeemed, { DPoP })
    const accessToken = body.access_token as string
    const target = { url: `${addresses[0] ?? ''}/csc/v2/credentials/list`, accessToken }
    const proof = await dpopProof(key, target)
    const headers = { Authorization: `DPoP ${accessToken}`, DPoP: proof }
    const atApi = await everywhere((address) => call(address, 'credentials/list', {}, headers))
    assertOnce(atApi, '401 invalid_dpop_proof')
  })

  it('one one-time code authorises, from the authenticator and from the mail (S21)', async () => {
    const value = totpCode(user.totpSecret, new Date(Date.now() + 30_000))
    const byOtp = authorization(withOtp, [{ id: 'OTP', value }])
    const first = await everywhere((address) => call(address, 'credentials/authorize', byOtp))
    assert.equal(first.accepted.length, 1)

    const challenge = { credentialID: withMail.id, authObjectID: 'EMAIL' }
    assert.equal(
      (await call(addresses[0] ?? '', 'credentials/getChallenge', challenge)).status,
      204,
    )
    const mailed = lastCode(rssp, `${user.username}@example.org`)
    const byMail = authorization(withMail, [{ id: 'EMAIL', value: mailed }])
    const second = await everywhere((address) => call(address, 'credentials/authorize', byMail))
    assert.equal(second.accepted.length, 1)
  })

  it('no more wrong PINs are looked at than the limit allows (S20)', async () => {
    const wrong = authorization(lockable, [{ id: 'PIN', value: '000000' }])
    const { accepted } = await everywhere((address) =>
      call(address, 'credentials/authorize', wrong),
    )
    assert.equal(accepted.length, 0)
    const failures = (await rssp.auditEvents()).filter(
      ({ event, detail }) => event === 'factor.failed' && detail['credentialId'] === lockable.id,
    )
    const { factorFailures } = rssp.services.config.limits
    assert.equal(failures.length, factorFailures)
    const right = authorization(lockable, [{ id: 'PIN', value: user.pin }])
    for (const address of addresses) {
      const { body } = await call(address, 'credentials/authorize', right)
      assert.equal(body.error_description, 'Credential locked')
    }
  })

  it('one SAD signs once, and is extended once (S6, S7, S9)', async () => {
    const SAD = await newSad()
    const signed = await everywhere((address) =>
      call(address, 'signatures/signHash', signing(withPin, SAD)),
    )
    assertOnce(signed, '400 invalid_request')

    const extendable = await newSad({ numSignatures: 2 })
    const extension = {
      ...{ credentialID: withPin.id, SAD: extendable, hashAlgorithmOID: SHA256 },
      hashes: [digestOf('other').toString('base64')],
    }
    const extended = await everywhere((address) =>
      call(address, 'credentials/extendTransaction', extension),
    )
    assertOnce(extended, '400 invalid_request')
  })

  it('as many sign with a credential token as digests were approved, each once (S1, S6)', async () => {
    const digests = Array.from({ length: 5 }, (_, index) => digestOf(`contract ${index}`))
    const request = credentialRequest(client, ofOwnPages, digests)
    const { body } = await requestToken(
      addresses[0] ?? '',
      codeGrant(client, await code(request, approver)),
    )
    const headers = { Authorization: `Bearer ${body.access_token as string}` }
    const { accepted } = await everywhere((address, index) => {
      const foreign = index % 10 === 9
      const hash = foreign ? digestOf('foreign') : digests[index % 5]
      return call(address, 'signatures/signHash', signing(ofOwnPages, undefined, hash), headers)
    })
    const signatures = new Set(accepted.flatMap((answer) => answer.body.signatures as string[]))
    assert.deepEqual([accepted.length, signatures.size], [5, 5])
  })

  it('a repeated signHash signs once and is answered alike (S69)', async () => {
    const SAD = await newSad()
    const headers = { Authorization: `Bearer ${token}`, 'Idempotency-Key': randomUUID() }
    const { accepted, refused } = await everywhere((address) =>
      call(address, 'signatures/signHash', signing(withPin, SAD), headers),
    )
    assert.ok(accepted.length > 0)
    assert.equal(new Set(accepted.map(({ body }) => JSON.stringify(body))).size, 1)
    for (const { status } of refused) assert.equal(status, 503)
    answered.splice(0, answered.length, ...answered.filter((each) => !refused.includes(each)))
  })

  it('none is answered with a failure of the service', () => {
    const failures = answered.filter(({ status }) => status >= 500)
    assert.deepEqual(
      failures.map(({ status, body }) => [status, body]),
      [],
    )
    assert.ok(answered.length >= 10 * TIMES)
  })

  it('all leave one unbroken chain of audit records (S78)', async () => {
    const verifier = new ChainVerifier([])
    for await (const record of rssp.services.audit.read(1)) verifier.add(record)
    verifier.finish()
    assert.deepEqual(verifier.problems, [])
  })
})
