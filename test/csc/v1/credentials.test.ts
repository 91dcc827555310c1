import assert from 'node:assert/strict'
import { AUTH_OBJECTS, type AuthObject } from '../../../src/credentials/auth-object.js'
import type { Credential } from '../../../src/credentials/credential.js'
import { EarlierApplication } from '../../support/earlier-version.js'
import { assertRefusal, startRssp, type Rssp, type TestUser } from '../../support/rssp.js'

const { PIN, OTP, EMAIL } = AUTH_OBJECTS

describe('CSC API v1, credentials', () => {
  let rssp: Rssp
  let user: TestUser
  let app: EarlierApplication
  let token: string
  const made: Credential[] = []

  const explicit = (expression: string | null, ...objects: AuthObject[]) =>
    rssp.addCredential(user, { explicit: { objects, expression }, withPin: true })

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser()
    app = new EarlierApplication(rssp, '/csc/v1', await rssp.addClient())
    made.push(await rssp.addCredential(user))
    made.push(await explicit('PIN AND OTP', PIN, OTP))
    made.push(await explicit(null, EMAIL))
    made.push(await explicit('PIN OR EMAIL', PIN, EMAIL))
    made.push(await explicit('PIN OR (PIN AND OTP)', PIN, OTP))
    token = await rssp.serviceToken(user, app.client)
  })
  after(() => rssp.close())

  const list = (body: unknown, bearer = token) => app.call('credentials/list', body, bearer)
  const info = (credentialID: unknown, more = {}, bearer = token) =>
    app.call('credentials/info', { credentialID, ...more }, bearer)

  describe('info', () => {
    it('has what v1 knows and nothing more', async () => {
      const { status, body } = await app.call('info', '')
      assert.equal(status, 200)
      assert.deepEqual(body, {
        specs: '1.0.3.0',
        name: 'Test RSSP',
        logo: `${rssp.baseUrl}/assets/logo.png`,
        region: 'LT',
        lang: 'en',
        description: 'Remote signing service',
        authType: (await rssp.call('info', {})).body.authType,
        oauth2: `${rssp.baseUrl}/csc/v1`,
        methods: body.methods,
      })
    })

    it('names the methods that answer', async () => {
      const { body } = await app.call('info', {})
      for (const method of [
        ...['auth/revoke', 'credentials/list', 'credentials/info', 'credentials/authorize'],
        ...['credentials/extendTransaction', 'credentials/sendOTP', 'signatures/signHash'],
        'signatures/timestamp',
      ]) {
        assert.ok(body.methods.includes(method), method)
      }
      for (const method of body.methods) {
        assert.notEqual((await app.call(method, {})).status, 501, method)
      }
      assert.ok(!body.methods.includes('signatures/signDoc'))
    })
  })

  describe('credentials/list', () => {
    const ids = () => made.map(({ id }) => id)

    it('lists all of them on one page, when they fit', async () => {
      const { body } = await list({})
      assert.deepEqual(body, { credentialIDs: ids() })
    })

    it('lists them page by page, each once', async () => {
      const seen: string[] = []
      let pageToken: string | undefined
      for (let pages = 0; pages < 10; pages += 1) {
        const { body } = await list({ maxResults: 2, pageToken })
        assert.ok(body.credentialIDs.length <= 2)
        seen.push(...body.credentialIDs)
        pageToken = body.nextPageToken
        if (pageToken === undefined) break
      }
      assert.deepEqual(seen, ids())
    })

    for (const maxResults of [0, -1, 1.5, 'x', null, 1000]) {
      it(`takes its own maximum for maxResults ${JSON.stringify(maxResults)}`, async () => {
        assert.deepEqual((await list({ maxResults })).body, { credentialIDs: ids() })
      })
    }

    it('returns no infos, whoever asks for them', async () => {
      const { body } = await list({ credentialInfo: true, certificates: 'chain' })
      assert.deepEqual(Object.keys(body), ['credentialIDs'])
    })

    it('hides what v1 has no words for', async () => {
      const person = await rssp.addUser()
      const bearer = await rssp.serviceToken(person, app.client)
      const plain = await rssp.addCredential(person)
      const hidden = await rssp.addCredential(person, {
        explicit: { objects: [OTP, EMAIL], expression: 'OTP AND EMAIL' },
      })
      const either = await rssp.addCredential(person, {
        explicit: { objects: [PIN, OTP], expression: 'PIN XOR OTP' },
        withPin: true,
      })
      assert.deepEqual((await list({}, bearer)).body.credentialIDs, [plain.id])
      for (const { id } of [hidden, either]) {
        const words = 'Invalid parameter credentialID'
        assertRefusal(await info(id, {}, bearer), 400, 'invalid_request', words)
      }
    })

    it('goes on from where it was, although credentials came and went meanwhile', async () => {
      const person = await rssp.addUser()
      const [a, b, c, d] = [
        ...[await rssp.addCredential(person), await rssp.addCredential(person)],
        ...[await rssp.addCredential(person), await rssp.addCredential(person)],
      ]
      const bearer = await rssp.serviceToken(person, app.client)
      const { credentials } = rssp.services
      const first = (await list({ maxResults: 2 }, bearer)).body
      assert.deepEqual(first.credentialIDs, [a?.id, b?.id])
      // What the page ended with, and what was on it.
      for (const gone of [b, a]) await credentials.delete(gone?.id ?? '', 'test', null)
      const pageToken: string = first.nextPageToken
      const { body } = await list({ maxResults: 1, pageToken }, bearer)
      assert.deepEqual(body.credentialIDs, [c?.id])
      const e = await rssp.addCredential(person)
      const last = (await list({ pageToken: body.nextPageToken }, bearer)).body
      assert.deepEqual(last, { credentialIDs: [d?.id, e.id] })
      for (const gone of [c, d, e]) await credentials.delete(gone?.id ?? '', 'test', null)
      assert.deepEqual((await list({ pageToken }, bearer)).body, { credentialIDs: [] })
    })

    it('refuses page tokens of others, and of nobody', async () => {
      const person = await rssp.addUser()
      await rssp.addCredential(person)
      await rssp.addCredential(person)
      const bearer = await rssp.serviceToken(person, app.client)
      const { nextPageToken } = (await list({ maxResults: 1 }, bearer)).body
      for (const pageToken of [nextPageToken, 'x', 5]) {
        const answer = await list({ pageToken })
        assertRefusal(answer, 400, 'invalid_request', 'Invalid parameter pageToken')
      }
    })

    it('refuses a userID beside a personal token', async () => {
      const answer = await list({ userID: user.id })
      assertRefusal(answer, 400, 'invalid_request', 'userID parameter MUST be null')
    })
  })

  describe('credentials/info', () => {
    it('is flat, with text for presence and numbers for multisign', async () => {
      const [, pinAndOtp] = made
      const { body } = await info(pinAndOtp?.id, { authInfo: true, certInfo: true })
      const { cert, key, ...rest } = body
      assert.deepEqual(rest, {
        description: 'Test key',
        authMode: 'explicit',
        SCAL: '2',
        PIN: { presence: 'true', format: 'N', label: 'Signing PIN' },
        OTP: {
          ...{ presence: 'true', type: 'offline', format: 'N', ID: 'totp' },
          label: 'Code from your authenticator',
        },
        multisign: 10,
      })
      assert.match(cert.validFrom, /^\d{14}Z$/)
      assert.match(cert.validTo, /^\d{14}Z$/)
      assert.match(cert.serialNumber, /^[0-9A-Fa-f]+$/)
      assert.equal(key.status, 'enabled')
      assert.ok(key.algo.includes('1.2.840.10045.4.3.2') && key.algo.includes('1.2.840.10045.2.1'))
    })

    it('asks in the language of the signer', async () => {
      const asked = { authInfo: true, lang: 'de-AT' }
      const { body } = await info(made[1]?.id, asked)
      assert.deepEqual([body.lang, body.PIN.label], ['de', 'PIN zum Signieren'])
      const { body: newer } = await rssp.call(
        'credentials/info',
        { credentialID: made[1]?.id, ...asked },
        token,
      )
      assert.equal(newer.lang, 'de')
      assert.equal(newer.auth.objects[1].label, 'Code aus Ihrer Authentifizierungs-App')
      const { body: other } = await info(made[1]?.id, { ...asked, lang: 'et' })
      assert.deepEqual([other.lang, other.PIN.label], ['en', 'Signing PIN'])
    })

    it('tells the mode always, factors only when asked and explicit', async () => {
      const modes = await Promise.all(made.map(async ({ id }) => (await info(id)).body))
      assert.deepEqual(
        modes.map(({ authMode }) => authMode),
        ['oauth2code', 'explicit', 'explicit', 'explicit', 'explicit'],
      )
      for (const body of modes) assert.ok(!('PIN' in body || 'OTP' in body || 'auth' in body))
      const { body } = await info(made[0]?.id, { authInfo: true })
      assert.deepEqual([body.PIN, body.OTP], [undefined, undefined])
    })

    it('tells which factors others can stand in for', async () => {
      const presences = await Promise.all(
        made.slice(2).map(async ({ id }) => {
          const { PIN, OTP } = (await info(id, { authInfo: true })).body
          return [PIN.presence, OTP.presence, OTP.type]
        }),
      )
      assert.deepEqual(presences, [
        ['false', 'true', 'online'],
        ['optional', 'optional', 'online'],
        ['true', 'optional', 'offline'],
      ])
    })

    const words: [string, unknown, Record<string, unknown>, string][] = [
      ['no id', undefined, {}, 'Missing (or invalid type) string parameter credentialID'],
      ['an unknown id', 'x', {}, 'Invalid parameter credentialID'],
      ['bad certificates', 'x', { certificates: 'all' }, 'Invalid parameter certificates'],
    ]
    for (const [title, id, more, sentence] of words) {
      it(`refuses ${title}`, async () => {
        assertRefusal(await info(id, more), 400, 'invalid_request', sentence)
      })
    }
  })
})
