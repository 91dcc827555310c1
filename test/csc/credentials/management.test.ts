import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import type { Credential } from '../../../src/credentials/credential.js'
import { issueEnrolmentCode } from '../../../src/identity/enrolment.js'
import { signatureAlgorithm } from '../../../src/keys/algorithms.js'
import { DatabaseThrottle } from '../../../src/storage/throttle-store.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  SHA256,
  startRssp,
  type Answer,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../../support/rssp.js'
import { opensslVerifies } from '../../support/openssl.js'
import { SignerBrowser, textOf } from '../../support/signer-browser.js'
import {
  answersOf,
  asAnswer,
  asPage,
  openPage,
  basic,
  codeGrant,
  requestToken,
  serviceRequest,
  type Changes,
} from '../../oauth/application.js'

const PREFIX = 'https://cloudsignatureconsortium.org/2025/'
const CREATION = `${PREFIX}credential-creation`
const DELETION = `${PREFIX}credential-deletion`
const INVALID_REQUEST = 'invalid_request'

describe('Making and ending credentials (CSC API v2.2, 11.4 and 11.5)', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient

  before(async () => {
    rssp = await startRssp({ settings: { newCredentials: { perPerson: 12 } } })
    user = await rssp.addUser()
    client = await rssp.addClient()
  })
  after(() => rssp.close())

  /** What the application is told after the person decided. */
  async function decided(
    changes: Changes,
    { decision, who = user }: { decision?: 'approve' | 'reject'; who?: TestUser } = {},
  ): Promise<URLSearchParams> {
    rssp.clock.advance(30)
    const browser = new SignerBrowser(rssp.baseUrl)
    const answers = { ...answersOf(rssp, who), ...(decision ? { decision } : {}) }
    return browser.authorize(serviceRequest(client, changes), answers)
  }

  async function tokenAnswer(changes: Changes, who = user): Promise<Answer> {
    const answer = await decided(changes, { who })
    const code = answer.get('code')
    assert.ok(code, answer.toString())
    return requestToken(rssp, codeGrant(client, code))
  }

  async function token(changes: Changes, who = user): Promise<string> {
    const { status, body } = await tokenAnswer(changes, who)
    assert.equal(status, 200, JSON.stringify(body))
    return body.access_token
  }

  const creation = (request?: unknown): Changes => ({
    scope: null,
    authorization_details: JSON.stringify([
      { type: CREATION, ...(request === undefined ? {} : { credentialCreationRequest: request }) },
    ]),
  })
  const deletion = (credentialID: string, more: object = {}): Changes => ({
    scope: null,
    authorization_details: JSON.stringify([{ type: DELETION, credentialID, ...more }]),
  })
  const create = (body: object, bearer: string) => rssp.call('credentials/create', body, bearer)
  const remove = (request: object, bearer: string) =>
    rssp.call('credentials/delete', { credentialDeletionRequest: request }, bearer)
  const listed = async (): Promise<string[]> => {
    const service = await rssp.serviceToken(user, client)
    return (await rssp.call('credentials/list', {}, service)).body.credentialIDs
  }

  describe('credentials/create', () => {
    it('makes a credential that signs, with the certificate in the name on record (S16)', async () => {
      const given = { subjectData: { given_name: 'Test', family_name: user.username } }
      const bearer = await token(creation(given))
      const answer = await create(
        { credentialCreationRequest: given, credentialInfo: true, certInfo: true },
        bearer,
      )
      assert.equal(answer.status, 201, JSON.stringify(answer.body))
      const { credentialID, cert, key } = answer.body
      assert.equal(key.status, 'enabled')
      assert.match(cert.subjectDN, new RegExp(`CN=Test ${user.username}`))
      assert.ok((await listed()).includes(credentialID))

      const credential = (await rssp.services.credentials.find(credentialID)) as Credential
      const digest = digestOf('first')
      const sad = await rssp.credentialToken({ user, client, credential, digests: [digest] })
      const signed = await rssp.call(
        'signatures/signHash',
        {
          credentialID,
          hashes: [digest.toString('base64')],
          hashAlgorithmOID: SHA256,
          signAlgo: ECDSA_SHA256,
        },
        sad,
      )
      const certificate = new X509Certificate(Buffer.from(cert.certificates[0], 'base64'))
      const publicKey = certificate.publicKey.export({ type: 'spki', format: 'der' })
      const algorithm = signatureAlgorithm({ signAlgo: ECDSA_SHA256 })
      const signature = Buffer.from(signed.body.signatures[0], 'base64')
      assert.ok(opensslVerifies(publicKey, digest, signature, algorithm))
    })

    it('answers 201 without a body unless the description is asked for', async () => {
      const answer = await create({ credentialCreationRequest: {} }, await token(creation()))
      assert.deepEqual([answer.status, answer.body], [201, ''])
    })

    it('takes scope credential-creation without details for the same', async () => {
      const bearer = await token({ scope: 'credential-creation' })
      assert.equal((await create({ credentialCreationRequest: {} }, bearer)).status, 201)
    })

    for (const type of ['credential-creation', 'credential_creation']) {
      it(`takes the short type ${type} and echoes it`, async () => {
        const details = [{ type, credentialCreationRequest: {} }]
        const { body } = await tokenAnswer({
          scope: null,
          authorization_details: JSON.stringify(details),
        })
        assert.deepEqual(body.authorization_details, details)
      })
    }

    it('makes one for each agreement, of 100 parallel calls too (S8)', async () => {
      const bearer = await token(creation())
      const before = (await listed()).length
      const answers = await Promise.all(
        Array.from({ length: 100 }, () => create({ credentialCreationRequest: {} }, bearer)),
      )
      assert.deepEqual(
        answers.filter(({ status }) => status !== 401).map(({ status }) => status),
        [201],
      )
      assert.equal((await listed()).length, before + 1)
    })

    it('refuses what was not agreed to', async () => {
      const bearer = await token(creation({ subjectData: { given_name: 'Test' } }))
      const other = { subjectData: { given_name: 'Test', email: 'x@example.org' } }
      assertRefusal(
        await create({ credentialCreationRequest: other }, bearer),
        ...([400, INVALID_REQUEST, 'Invalid parameter credentialCreationRequest'] as const),
      )
    })

    for (const request of [
      { subjectData: { family_name: 'Somebody Else' } },
      { subjectData: { sub: 'other' } },
      { certificatePolicy: '1.2.3.4' },
    ]) {
      it(`refuses ${JSON.stringify(request)} before anybody agrees (S16)`, async () => {
        const answer = await decided(creation(request))
        assert.equal(answer.get('error'), INVALID_REQUEST)
        assert.equal(answer.get('error_description'), 'Invalid parameter credentialCreationRequest')
      })

      it(`refuses ${JSON.stringify(request)} in the call`, async () => {
        const bearer = await token({ scope: 'credential-creation' })
        const answer = await create({ credentialCreationRequest: request }, bearer)
        assertRefusal(
          answer,
          ...([400, INVALID_REQUEST, 'Invalid parameter credentialCreationRequest'] as const),
        )
      })
    }

    it('demands credentialCreationRequest', async () => {
      const bearer = await token({ scope: 'credential-creation' })
      for (const body of [{}, { credentialCreationRequest: 'x' }]) {
        assertRefusal(
          await create(body, bearer),
          400,
          INVALID_REQUEST,
          'Missing (or invalid type) object parameter credentialCreationRequest',
        )
      }
    })

    it('opens to no other kind of token (S39)', async () => {
      const service = await rssp.serviceToken(user, client)
      const credential = await rssp.addCredential(user)
      const signing = await rssp.credentialToken({
        ...{ user, client, credential },
        digests: [digestOf('x')],
      })
      const ending = await token(deletion(credential.id))
      for (const bearer of [service, signing, ending]) {
        const { status, body } = await create({ credentialCreationRequest: {} }, bearer)
        assert.deepEqual([status, body.error], [403, 'insufficient_scope'])
      }
    })

    it('gives out a token that opens nothing else (S39)', async () => {
      const bearer = await token({ scope: 'credential-creation' })
      for (const method of ['credentials/list', 'credentials/info', 'signatures/signHash']) {
        const { status, body } = await rssp.call(method, {}, bearer)
        assert.deepEqual([status, body.error], [403, 'insufficient_scope'])
      }
    })

    it('makes nothing when the person says no, or types a wrong code', async () => {
      const before = (await listed()).length
      const rejected = await decided(creation(), { decision: 'reject' })
      assert.equal(rejected.get('error'), 'access_denied')
      rssp.clock.advance(30)
      const browser = new SignerBrowser(rssp.baseUrl)
      let page = await browser.open(
        `/oauth2/authorize?${new URLSearchParams(
          Object.entries(serviceRequest(client, creation())),
        ).toString()}`,
      )
      for (let pages = 0; pages < 2; pages += 1) {
        assert.ok(!(page instanceof URLSearchParams))
        page = await browser.fillIn(page, { ...answersOf(rssp, user), otp: () => '000000' })
      }
      assert.ok(!(page instanceof URLSearchParams))
      assert.match(textOf(page.html), /code is not (right|correct)/i)
      assert.equal((await listed()).length, before)
    })

    it('is not for the application itself', async () => {
      const machine = await rssp.addClient({
        registration: { grantTypes: ['client_credentials'], redirectUris: [] },
      })
      const answer = await requestToken(
        rssp,
        {
          grant_type: 'client_credentials',
          scope: 'credential-creation',
        },
        basic(machine),
      )
      assert.deepEqual([answer.status, answer.body.error], [400, 'invalid_scope'])
    })

    it('keeps to the number of credentials a person may have', async () => {
      const collector = await rssp.addUser()
      for (let count = 0; count < 12; count += 1) await rssp.addCredential(collector)
      const answer = await decided(creation(), { who: collector })
      assert.equal(answer.get('error'), INVALID_REQUEST)
      assert.match(answer.get('error_description') ?? '', /highest number/)
    })

    it('makes no more within an hour than are allowed for a person, and says when to come again', async () => {
      const collector = await rssp.addUser()
      const throttle = new DatabaseThrottle(rssp.services.database, rssp.clock.now)
      for (let count = 0; count < 20; count += 1) {
        await throttle.allow(`new credential ${collector.id}`, 20, 3600)
      }
      const answer = await create(
        { credentialCreationRequest: {} },
        await token(creation(), collector),
      )
      assert.equal(answer.status, 429)
      const seconds = Number(answer.headers.get('retry-after'))
      assert.ok(seconds > 0 && seconds <= 3600, `${seconds}`)
      assert.equal((await rssp.services.credentials.list(collector.id)).length, 0)
    })

    it('keeps to it also when several agreements are used at once (S8)', async () => {
      const collector = await rssp.addUser()
      for (let count = 0; count < 11; count += 1) await rssp.addCredential(collector)
      const tokens = [await token(creation(), collector), await token(creation(), collector)]
      const answers = await Promise.all(
        tokens.map((bearer) => create({ credentialCreationRequest: {} }, bearer)),
      )
      assert.deepEqual(answers.map(({ status }) => status).toSorted(), [201, 400])
      assert.equal((await rssp.services.credentials.list(collector.id)).length, 12)
    })
  })

  describe('credentials/delete', () => {
    it('destroys the key and lists the credential no more (S18)', async () => {
      const credential = await rssp.addCredential(user)
      const sad = await rssp.credentialToken({
        ...{ user, client, credential },
        digests: [digestOf('late')],
      })
      const bearer = await token(deletion(credential.id))
      const { status, body } = await remove({ credentialID: credential.id }, bearer)
      assert.deepEqual([status, body], [204, ''])
      assert.equal(await rssp.services.custody.publicKey(credential.keyId), null)
      assert.ok(!(await listed()).includes(credential.id))
      const late = await rssp.call(
        'signatures/signHash',
        {
          credentialID: credential.id,
          hashes: [digestOf('late').toString('base64')],
          hashAlgorithmOID: SHA256,
          signAlgo: ECDSA_SHA256,
        },
        sad,
      )
      assert.equal(late.status, 400)
      const events = (await rssp.auditEvents())
        .filter(({ detail }) => detail['credentialId'] === credential.id)
        .map(({ event }) => event)
      for (const expected of ['credential-management.approved', 'credential.deleted']) {
        assert.equal(events.filter((event) => event === expected).length, 1, expected)
      }
    })

    it('takes scope credential-deletion with the credentialID', async () => {
      const { id } = await rssp.addCredential(user)
      const bearer = await token({ scope: 'credential-deletion', credentialID: id })
      assert.equal((await remove({ credentialID: id }, bearer)).status, 204)
    })

    it('is not agreed to by who has a password and an enrolment code, and no factor (S29)', async () => {
      const newcomer = await rssp.addUser({ withoutAuthenticator: true, otpAtSignIn: true })
      const credential = await rssp.addCredential(newcomer)
      const { enrolmentStore: store, secrets } = rssp.services
      const parts = { store, secrets, now: rssp.clock.now }
      const { code } = await issueEnrolmentCode(parts, newcomer.id, 1)
      const query = serviceRequest(client, deletion(credential.id))
      const browser = new SignerBrowser(rssp.baseUrl)
      const signIn = await openPage(browser, query)
      const { username, password } = newcomer
      const second = asPage(await browser.post(signIn.url, { username, password }))
      const asked = asPage(await browser.post(second.url, { recoveryCode: code }))
      assert.match(textOf(asked.html), /delete/i)
      const answer = asAnswer(await browser.post(asked.url, { action: 'approve' }))
      assert.equal(answer.get('error'), 'access_denied')
    })

    it('shows the person which one goes', async () => {
      const { id } = await rssp.addCredential(user)
      const browser = new SignerBrowser(rssp.baseUrl)
      const query = new URLSearchParams(Object.entries(serviceRequest(client, deletion(id))))
      const signIn = await browser.open(`/oauth2/authorize?${query.toString()}`)
      assert.ok(!(signIn instanceof URLSearchParams))
      const page = await browser.fillIn(signIn, answersOf(rssp, user))
      assert.ok(!(page instanceof URLSearchParams))
      const text = textOf(page.html)
      assert.match(text, /Delete this signing credential\?/)
      assert.match(text, /Test key/)
      assert.match(text, /cannot be undone/)
    })

    it('refuses another credential than the one agreed to', async () => {
      const [one, other] = [await rssp.addCredential(user), await rssp.addCredential(user)]
      const bearer = await token(deletion(one.id))
      assertRefusal(
        await remove({ credentialID: other.id }, bearer),
        ...([400, INVALID_REQUEST, 'Invalid parameter credentialID'] as const),
      )
      assert.ok((await listed()).includes(other.id))
    })

    it('refuses to end it otherwise than was agreed to', async () => {
      const { id } = await rssp.addCredential(user)
      const agreed = { credentialID: id, revoke: false }
      const bearer = await token(deletion(id, { credentialDeletionRequest: agreed }))
      assertRefusal(
        await remove({ credentialID: id, revoke: true, revocationReason: 1 }, bearer),
        ...([400, INVALID_REQUEST, 'Invalid parameter credentialDeletionRequest'] as const),
      )
      assert.equal((await remove(agreed, bearer)).status, 204)
    })

    it('refuses a stranger’s credential like one that does not exist', async () => {
      const stranger = await rssp.addCredential(await rssp.addUser())
      for (const id of [stranger.id, 'none']) {
        const answer = await decided(deletion(id))
        assert.equal(answer.get('error_description'), 'Invalid parameter credentialID')
      }
    })

    for (const [request, complaint] of [
      [{ revoke: true }, 'Missing (or invalid type) integer parameter revocationReason'],
      [{ revoke: true, revocationReason: 7 }, 'Invalid parameter revocationReason'],
      [{ revoke: true, revocationReason: 11 }, 'Invalid parameter revocationReason'],
    ] as const) {
      it(`refuses ${JSON.stringify(request)}`, async () => {
        const { id } = await rssp.addCredential(user)
        const bearer = await token(deletion(id))
        const answer = await remove({ credentialID: id, ...request }, bearer)
        assertRefusal(answer, 400, INVALID_REQUEST, complaint)
        await rssp.services.credentials.delete(id, 'end of test', null)
      })
    }

    it('is off, and not announced, where configuration says so', async () => {
      const without = await startRssp({ settings: { newCredentials: { allowed: false } } })
      try {
        const { body } = await without.call('info', {})
        assert.ok(!body.methods.includes('credentials/create'))
        const answer = await without.call('credentials/delete', {})
        assert.deepEqual([answer.status, answer.body.error], [501, 'not_implemented'])
        const path = '/.well-known/oauth-authorization-server'
        const metadata = await (await fetch(without.baseUrl + path)).text()
        assert.doesNotMatch(metadata, /creation|deletion/)
      } finally {
        await without.close()
      }
    })
  })

  it('refuses a scope beside details of another kind', async () => {
    const answer = await decided({ ...creation(), scope: 'credential-deletion' })
    assert.equal(answer.get('error'), 'invalid_authorization_details')
  })
})
