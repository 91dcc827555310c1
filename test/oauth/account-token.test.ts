import assert from 'node:assert/strict'
import { createHash, randomUUID } from 'node:crypto'
import { generateKeyPair, SignJWT, UnsecuredJWT, type JWTPayload } from 'jose'
import { verifyAccountToken } from '../../src/oauth/account-token.js'
import {
  digestOf,
  postForm,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import {
  assertRedirectRefusal,
  authorize,
  basic,
  credentialRequest,
  openPage,
  openRefused,
  serviceRequest,
} from './application.js'
import { SignerBrowser } from '../support/signer-browser.js'

/** The vector of the working reference, csc-api.md 2.7. */
const VECTOR =
  'eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhY2N0LTdmM2EiLCJpYXQiOjE3NjAwMDAwMDAsImp0aSI6IjBiN2QxZjJlLTVkMWMtNGE1NS05YTJmLTFmN2E3YzBmOWMxMSIsImlzcyI6IkRlbW8gU2lnbmF0dXJlIEFwcCIsImF6cCI6ImRlbW8tY2xpZW50In0.a7i-WNBpZvBBuIz9mBH6ISasEVSfyj5pVrpnM1JXBao'

const sha256 = (text: string) => createHash('sha256').update(text).digest()

describe('An account_token (S42)', () => {
  describe('of the reference vector', () => {
    const demo = { id: 'demo-client', secret: 'demo-secret' }
    const issued = new Date(1760000000 * 1000)

    it('is accepted at its time', async () => {
      const { sub, jti } = await verifyAccountToken(VECTOR, demo, issued)
      assert.equal(sub, 'acct-7f3a')
      assert.equal(jti, '0b7d1f2e-5d1c-4a55-9a2f-1f7a7c0f9c11')
    })

    it('is remembered for as long as it would be accepted', async () => {
      const { forgetAfter } = await verifyAccountToken(VECTOR, demo, issued)
      const later = new Date(forgetAfter.getTime() + 1000)
      await assert.rejects(verifyAccountToken(VECTOR, demo, later))
    })

    for (const [what, client, seconds] of [
      ['for another client', { ...demo, id: 'other' }, 0],
      ['under another secret', { ...demo, secret: 'other' }, 0],
      ['when it is old', demo, 361],
      ['from the future', demo, -61],
    ] as const) {
      it(`is refused ${what}`, async () => {
        const now = new Date(issued.getTime() + seconds * 1000)
        await assert.rejects(verifyAccountToken(VECTOR, client, now))
      })
    }
  })

  describe('in an authorization request', () => {
    let rssp: Rssp
    let user: TestUser
    let client: TestClient
    const denied = 'The user, authorization server or remote service denied the request.'

    before(async () => {
      rssp = await startRssp()
      user = await rssp.addUser()
      client = await rssp.addClient()
    })
    after(() => rssp.close())

    const epoch = () => Math.floor(rssp.clock.now().getTime() / 1000)
    function claims(changes: Record<string, unknown> = {}): JWTPayload {
      const { client_id: azp } = client
      return { sub: 'acct-1', iat: epoch(), jti: randomUUID(), iss: 'Test App', azp, ...changes }
    }
    const ownKey = () => sha256(client.client_secret ?? '')
    function made(payload = claims(), header = {}, key: Uint8Array = ownKey()): Promise<string> {
      const all = { typ: 'JWT', alg: 'HS256', ...header }
      return new SignJWT(payload).setProtectedHeader(all).sign(key)
    }
    const withToken = (account_token: string) => serviceRequest(client, { account_token })

    async function assertDenied(account_token: string) {
      const answer = await openRefused(rssp, withToken(account_token))
      assertRedirectRefusal(rssp, answer, 'access_denied', denied)
    }

    it('lets the person in', async () => {
      assert.ok((await authorize(rssp, user, withToken(await made()))).get('code'))
    })

    it('may come with scope credential', async () => {
      const credential = await rssp.addCredential(user)
      const account_token = await made()
      const request = credentialRequest(client, credential, [digestOf('x')], { account_token })
      assert.ok((await authorize(rssp, user, request)).get('code'))
    })

    it('works once', async () => {
      const token = await made()
      await openPage(new SignerBrowser(rssp.baseUrl), withToken(token))
      await assertDenied(token)
    })

    it('works once, under another signature of the same jti too', async () => {
      const jti = randomUUID()
      await openPage(new SignerBrowser(rssp.baseUrl), withToken(await made(claims({ jti }))))
      await assertDenied(await made(claims({ jti, sub: 'acct-2' })))
    })

    it('works once of 20 times at once (S8)', async () => {
      const path = `/oauth2/authorize?${new URLSearchParams(withToken(await made())).toString()}`
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => new SignerBrowser(rssp.baseUrl).open(path)),
      )
      const pages = answers.filter((answer) => !(answer instanceof URLSearchParams))
      assert.equal(pages.length, 1)
    })

    it('of one client does not use up the jti of another', async () => {
      const other = await rssp.addClient()
      const jti = randomUUID()
      await openPage(new SignerBrowser(rssp.baseUrl), withToken(await made(claims({ jti }))))
      const payload = claims({ jti, azp: other.client_id })
      const account_token = await made(payload, {}, sha256(other.client_secret ?? ''))
      await openPage(new SignerBrowser(rssp.baseUrl), serviceRequest(other, { account_token }))
    })

    it('is used up by pushing, and not asked for again after that', async () => {
      const account_token = await made()
      const url = `${rssp.baseUrl}/oauth2/pushed_authorize`
      const first = await postForm(url, withToken(account_token), basic(client))
      assert.equal(first.status, 201)
      const { request_uri } = first.body
      const request = { client_id: client.client_id, request_uri }
      assert.ok((await authorize(rssp, user, request)).get('code'))
      const second = await postForm(url, withToken(account_token), basic(client))
      assert.deepEqual([second.status, second.body.error], [400, 'access_denied'])
      await assertDenied(account_token)
    })

    describe('is denied', () => {
      const variants: [string, () => Promise<string> | string][] = [
        ['when it is no JWT', () => 'x'],
        ['for another client', () => made(claims({ azp: 'other' }))],
        ['without azp', () => made(claims({ azp: undefined }))],
        ['with a list as azp', () => made(claims({ azp: [client.client_id] }))],
        ['without sub', () => made(claims({ sub: undefined }))],
        ['without jti', () => made(claims({ jti: undefined }))],
        ['with a number as jti', () => made(claims({ jti: 1 }))],
        ['without iat', () => made(claims({ iat: undefined }))],
        ['with text as iat', () => made(claims({ iat: String(epoch()) }))],
        ['when it is old', () => made(claims({ iat: epoch() - 400 }))],
        ['when it is from the future', () => made(claims({ iat: epoch() + 90 }))],
        ['when it has expired', () => made(claims({ exp: epoch() - 90 }))],
        [
          'under the hexadecimal text of the key',
          () => made(claims(), {}, Buffer.from(ownKey().toString('hex'))),
        ],
        [
          'under the secret itself',
          () => made(claims(), {}, Buffer.from(client.client_secret ?? '')),
        ],
        ['under another client’s secret', () => made(claims(), {}, sha256('other'))],
        ['with HS384', () => made(claims(), { alg: 'HS384' })],
        ['with HS512', () => made(claims(), { alg: 'HS512' })],
        ['with alg none', () => new UnsecuredJWT(claims()).encode()],
        ['with another typ', () => made(claims(), { typ: 'at+jwt' })],
        ['with no typ', () => made(claims(), { typ: undefined })],
        [
          'with a signature of a public key',
          async () => {
            const { privateKey } = await generateKeyPair('ES256')
            return new SignJWT(claims())
              .setProtectedHeader({ typ: 'JWT', alg: 'ES256' })
              .sign(privateKey)
          },
        ],
        [
          'with a flipped bit',
          async () => {
            const [header = '', payload = '', signature = ''] = (await made()).split('.')
            const bytes = Buffer.from(signature, 'base64url')
            bytes[0] = (bytes[0] ?? 0) ^ 1
            return [header, payload, bytes.toString('base64url')].join('.')
          },
        ],
        ['without its signature', async () => (await made()).replace(/[^.]*$/, '')],
      ]
      for (const [what, token] of variants) {
        it(what, async () => {
          await assertDenied(await token())
        })
      }

      it('when the client has no secret to make one with', async () => {
        const publicClient = await rssp.addClient({ client_secret: null })
        const payload = claims({ azp: publicClient.client_id })
        for (const key of [sha256(''), sha256('null'), sha256('undefined')]) {
          const account_token = await made(payload, {}, key)
          const answer = await openRefused(rssp, serviceRequest(publicClient, { account_token }))
          assertRedirectRefusal(rssp, answer, 'access_denied', denied)
        }
      })
    })
  })
})
