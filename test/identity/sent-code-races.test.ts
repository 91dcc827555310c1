import assert from 'node:assert/strict'
import { AUTH_OBJECTS } from '../../src/credentials/auth-object.js'
import type { Credential } from '../../src/credentials/credential.js'
import { totpCode } from '../../src/identity/totp.js'
import { approvalPage, credentialRequest } from '../oauth/application.js'
import { lastCode, messagesTo } from '../support/outbox.js'
import {
  digestOf,
  SHA256,
  startRssp,
  type Answer,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { SignerBrowser } from '../support/signer-browser.js'

const TIMES = 100
const LIMIT = 5

const KINDS = [
  { object: AUTH_OBJECTS.EMAIL, page: 'email' },
  { object: AUTH_OBJECTS.SMS, page: 'sms' },
  { object: AUTH_OBJECTS.OTP, page: 'otp' },
] as const

for (const { object, page: approvalFactor } of KINDS) {
  describe(`100 uses at once on two servers, of ${object.id}`, () => {
    let one: Rssp
    let two: Rssp
    let user: TestUser
    let client: TestClient
    let credential: Credential
    let token: string
    let address: string
    const digests = [digestOf('contract')]

    before(async () => {
      const settings = { limits: { factorFailures: LIMIT, lockSeconds: 900 } }
      one = await startRssp({ outbox: true, settings })
      two = await startRssp({ outbox: true, settings, replicaOf: one })
      client = await one.addClient()
    })
    after(async () => {
      await two.close()
      await one.close()
    })
    beforeEach(async () => {
      user = await one.addUser()
      const { users } = one.services
      const phone = `+370${String(Date.now()).slice(-8)}`
      await users.setContact(user.id, { phone }, one.clock.now())
      address = object.id === 'SMS' ? phone : `${user.username}@example.org`
      const explicit = { objects: [object], expression: null }
      credential = await one.addCredential(user, { explicit })
      token = await one.serviceToken(user, client)
      one.clock.advance(30)
    })

    /** Half of them at either server. */
    function everywhere<T>(use: (server: Rssp, index: number) => Promise<T>): Promise<T[]> {
      const servers = Array.from({ length: TIMES }, (_, index) => (index % 2 === 0 ? one : two))
      return Promise.all(servers.map(use))
    }

    const challenge = (server: Rssp): Promise<Answer> =>
      server.call(
        'credentials/getChallenge',
        { credentialID: credential.id, authObjectID: object.id },
        token,
      )

    async function rightCode(): Promise<string> {
      if (object.type === 'Password') return totpCode(user.totpSecret, one.clock.now())
      assert.equal((await challenge(one)).status, 204)
      return lastCode(one, address)
    }

    const authorize = (server: Rssp, value: string): Promise<Answer> =>
      server.call(
        'credentials/authorize',
        {
          credentialID: credential.id,
          numSignatures: 1,
          hashes: digests.map((digest) => digest.toString('base64')),
          hashAlgorithmOID: SHA256,
          authData: [{ id: object.id, value }],
        },
        token,
      )

    const failures = async () =>
      (await one.auditEvents()).filter(
        ({ event, detail }) =>
          event === 'factor.failed' && detail['credentialId'] === credential.id,
      )

    it('one right code authorises once (S8, S21)', async () => {
      const code = await rightCode()
      const answers = await everywhere((server) => authorize(server, code))
      assert.equal(answers.filter(({ status }) => status === 200).length, 1)
      const { authorisation } = one.services.database.read
      assert.equal(await authorisation.count({ where: { credentialId: credential.id } }), 1)
      assert.deepEqual(await failures(), [])
    })

    it('of wrong codes no more than the limit are looked at (S20)', async () => {
      const code = await rightCode()
      const wrong = code.replaceAll(/./g, (digit) => String((Number(digit) + 1) % 10))
      const answers = await everywhere((server) => authorize(server, wrong))
      assert.ok(answers.every(({ status }) => status === 400))
      assert.equal((await failures()).length, LIMIT)
      const { body } = await authorize(two, code)
      assert.equal(body.error_description, 'Credential locked')
    })

    it('one approval on our pages stands (S8, S22)', async () => {
      credential = await one.addCredential(user, { approvalFactor })
      const browser = new SignerBrowser(one.baseUrl)
      const request = credentialRequest(client, credential, digests)
      const { url } = await approvalPage(one, browser, user, request)
      one.clock.advance(30)
      if (approvalFactor !== 'otp') await browser.post(url, { action: 'send-code' })
      const otp = approvalFactor === 'otp' ? await rightCode() : lastCode(one, address)
      const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      const { pathname } = new URL(url)
      const answers = await everywhere((server) =>
        fetch(`${server.baseUrl}${pathname}`, {
          method: 'POST',
          headers: { cookie },
          body: new URLSearchParams({ otp, action: 'approve' }),
          redirect: 'manual',
        }),
      )
      assert.ok(answers.every(({ status }) => status < 500))
      const { authorisation } = one.services.database.read
      assert.equal(await authorisation.count({ where: { credentialId: credential.id } }), 1)
    })

    if (object.type === 'ChallengeResponse') {
      it('one code is sent', async () => {
        const answers = await everywhere((server) => challenge(server))
        assert.equal(answers.filter(({ status }) => status === 204).length, 1)
        assert.equal(messagesTo(one, address).length, 1)
      })
    }
  })
}
