import assert from 'node:assert/strict'
import type { Credential } from '../../src/credentials/credential.js'
import {
  digestOf,
  ECDSA_SHA256,
  SHA256,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { SignerBrowser, textOf } from '../support/signer-browser.js'
import {
  answersOf,
  approvalPage,
  asAnswer,
  asPage,
  assertRedirectRefusal,
  authorizationCode,
  authorize,
  codeGrant,
  openRefused,
  requestToken,
  serviceRequest,
  type Changes,
} from './application.js'

describe('A single redirect with signatureQualifier', () => {
  let rssp: Rssp
  let client: TestClient
  /** One credential of the kind asked for. */
  let one: TestUser
  let only: Credential
  /** Several, of which some cannot be used. */
  let many: TestUser
  let first: Credential
  let second: Credential

  const digest = digestOf('contract')

  before(async () => {
    rssp = await startRssp()
    client = await rssp.addClient()
    one = await rssp.addUser()
    only = await rssp.addCredential(one, { signatureQualifier: 'eu_eidas_aes' })
    await rssp.addCredential(one, { signatureQualifier: 'eu_eidas_qes' })
    await rssp.addCredential(one)
    many = await rssp.addUser()
    first = await rssp.addCredential(many, { signatureQualifier: 'eu_eidas_aes' })
    second = await rssp.addCredential(many, { signatureQualifier: 'eu_eidas_aes', withPin: true })
    const revoked = await rssp.addCredential(many, { signatureQualifier: 'eu_eidas_aes' })
    await rssp.services.credentials.revoke(revoked.id, 'test')
  })
  after(() => rssp.close())

  function request(changes: Changes = {}) {
    return serviceRequest(client, {
      scope: 'credential',
      signatureQualifier: 'eu_eidas_aes',
      numSignatures: '1',
      hashes: digest.toString('base64url'),
      hashAlgorithmOID: SHA256,
      ...changes,
    })
  }

  function asDetails(changes: Record<string, unknown> = {}) {
    const detail = {
      type: 'credential',
      signatureQualifier: 'eu_eidas_aes',
      documentDigests: [{ hash: digest.toString('base64') }],
      hashAlgorithmOID: SHA256,
      ...changes,
    }
    return serviceRequest(client, { scope: null, authorization_details: JSON.stringify([detail]) })
  }

  function sign(credentialID: string, token: string) {
    const hashes = [digest.toString('base64')]
    return rssp.call(
      'signatures/signHash',
      { credentialID, hashes, hashAlgorithmOID: SHA256, signAlgo: ECDSA_SHA256 },
      token,
    )
  }

  function approval(user: TestUser, fields: Record<string, string>) {
    return { otp: answersOf(rssp, user).otp(), action: 'approve', ...fields }
  }

  async function choose(user: TestUser, credentialID: string, pin = '') {
    const browser = new SignerBrowser(rssp.baseUrl)
    const page = await approvalPage(rssp, browser, user, request())
    return browser.post(page.url, approval(user, { credentialID, pin }))
  }

  it('uses the signer’s only usable credential of that kind, and names it', async () => {
    const code = await authorizationCode(rssp, one, request())
    const { body } = await requestToken(rssp, codeGrant(client, code))
    assert.equal(body.credentialID, only.id)
    const signed = await sign(only.id, body.access_token)
    assert.equal(signed.status, 200, JSON.stringify(signed.body))
  })

  it('names it inside authorization_details when these were used', async () => {
    const code = await authorizationCode(rssp, one, asDetails())
    const { body } = await requestToken(rssp, codeGrant(client, code))
    assert.equal(body.credentialID, undefined)
    assert.equal(body.authorization_details[0].credentialID, only.id)
    assert.equal(body.authorization_details[0].signatureQualifier, 'eu_eidas_aes')
  })

  it('opens credentials/info of the chosen credential', async () => {
    const code = await authorizationCode(rssp, one, request())
    const { body } = await requestToken(rssp, codeGrant(client, code))
    const info = await rssp.call('credentials/info', { credentialID: only.id }, body.access_token)
    assert.equal(info.status, 200)
    assert.equal(info.body.signatureQualifier, 'eu_eidas_aes')
  })

  it('does not name the credential when the application named it', async () => {
    const named = { signatureQualifier: null, credentialID: only.id }
    const code = await authorizationCode(rssp, one, request(named))
    const { body } = await requestToken(rssp, codeGrant(client, code))
    assert.equal(body.credentialID, undefined)
  })

  it('lets the signer choose among several, none chosen beforehand', async () => {
    const browser = new SignerBrowser(rssp.baseUrl)
    const page = await approvalPage(rssp, browser, many, request())
    const radios = page.html.match(/<input type="radio"[^>]*>/g) ?? []
    assert.deepEqual(
      radios.map((radio) => /value="([^"]*)"/.exec(radio)?.[1]),
      [first.id, second.id],
    )
    for (const radio of radios) {
      assert.match(radio, /name="credentialID"/)
      assert.match(radio, /required/)
      assert.doesNotMatch(radio, /checked/)
    }
    assert.match(page.html, /name="pin"/)
    assert.doesNotMatch(page.html, /<script/)
  })

  for (const [which, withPin] of [
    ['first', false],
    ['second', true],
  ] as const) {
    it(`signs with the ${which} when the signer chooses it`, async () => {
      const chosen = withPin ? second : first
      const answer = asAnswer(await choose(many, chosen.id, withPin ? many.pin : ''))
      const code = answer.get('code') ?? ''
      const { body } = await requestToken(rssp, codeGrant(client, code))
      assert.equal(body.credentialID, chosen.id)
      assert.equal((await sign(chosen.id, body.access_token)).status, 200)
    })
  }

  it('does not sign with one that was not chosen', async () => {
    const answer = asAnswer(await choose(many, first.id))
    const { body } = await requestToken(rssp, codeGrant(client, answer.get('code') ?? ''))
    const { status, body: refusal } = await sign(second.id, body.access_token)
    assert.equal(status, 400)
    assert.equal(refusal.error_description, 'Invalid parameter credentialID')
  })

  const notAmongThem: [string, () => string][] = [
    ['no choice', () => ''],
    ['an unknown credential', () => 'nope'],
    ['another person’s credential', () => only.id],
  ]
  for (const [what, id] of notAmongThem) {
    it(`asks again after ${what}, and looks at no code`, async () => {
      const page = asPage(await choose(many, id()))
      assert.match(textOf(page.html), /Please choose a certificate to sign with\./)
      assert.match(page.html, /type="radio"/)
    })
  }

  it('refuses the chosen credential without its PIN', async () => {
    const page = asPage(await choose(many, second.id))
    assert.match(textOf(page.html), /The PIN is not correct/)
  })

  it('keeps to the first choice once it is on record, and shows it to another tab before it is agreed to (S22)', async () => {
    const browser = new SignerBrowser(rssp.baseUrl)
    const page = await approvalPage(rssp, browser, many, request())
    const wrong = { credentialID: first.id, otp: '000000', pin: '', action: 'approve' }
    const again = asPage(await browser.post(page.url, wrong))
    assert.doesNotMatch(again.html, /type="radio"/)
    const otherChoice = approval(many, { credentialID: second.id, pin: many.pin })
    const shown = asPage(await browser.post(page.url, otherChoice))
    assert.doesNotMatch(shown.html, /type="radio"/)
    const answer = asAnswer(await browser.post(page.url, approval(many, {})))
    const { body } = await requestToken(rssp, codeGrant(client, answer.get('code') ?? ''))
    assert.equal(body.credentialID, first.id)
  })

  it('approves none with the factors of another, of two that are chosen at once (S22)', async () => {
    const choices = [
      { credentialID: first.id, pin: '' },
      { credentialID: second.id, pin: many.pin },
    ]
    for (let round = 0; round < 5; round += 1) {
      const browser = new SignerBrowser(rssp.baseUrl)
      const page = await approvalPage(rssp, browser, many, request())
      const tabs = choices.map((choice) => browser.post(page.url, approval(many, choice)))
      for (const [index, answer] of (await Promise.all(tabs)).entries()) {
        if (!(answer instanceof URLSearchParams)) continue
        const { body } = await requestToken(rssp, codeGrant(client, answer.get('code') ?? ''))
        assert.equal(body.credentialID, choices[index]?.credentialID)
      }
    }
  })

  it('tells the application when the signer rejects', async () => {
    const answer = await authorize(rssp, many, request(), { decision: 'reject' })
    assert.equal(answer.get('error'), 'access_denied')
  })

  describe('is refused', () => {
    const before: [string, Changes, string][] = [
      ['beside credentialID', { credentialID: 'x' }, 'Invalid parameter signatureQualifier'],
      [
        'with a kind that does not exist',
        { signatureQualifier: 'qes_eidas' },
        'Invalid parameter signatureQualifier',
      ],
      ['without hashes', { hashes: null }, 'Missing (or invalid type) array parameter hashes'],
      [
        'without hash algorithm',
        { hashAlgorithmOID: null },
        'Missing (or invalid type) string parameter hashAlgorithmOID',
      ],
      [
        'without number of signatures',
        { numSignatures: null },
        'Missing (or invalid type) integer parameter numSignatures',
      ],
    ]
    for (const [what, changes, words] of before) {
      it(what, async () => {
        const answer = await openRefused(rssp, request(changes))
        assertRedirectRefusal(rssp, answer, 'invalid_request', words)
      })
    }

    it('with scope service', async () => {
      const answer = await openRefused(rssp, request({ scope: 'service' }))
      assert.equal(answer.get('error'), 'invalid_request')
    })

    it('when the signer has no usable credential of that kind', async () => {
      const answer = await authorize(rssp, many, request({ signatureQualifier: 'eu_eidas_qes' }))
      const words = 'Invalid parameter signatureQualifier'
      assertRedirectRefusal(rssp, answer, 'invalid_request', words)
    })

    it('when none of that kind may make so many signatures', async () => {
      const answer = await authorize(rssp, one, request({ numSignatures: '500' }))
      assertRedirectRefusal(rssp, answer, 'invalid_request', 'Numbers of signatures is too high')
    })
  })
})
