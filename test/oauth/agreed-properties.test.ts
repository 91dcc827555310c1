import assert from 'node:assert/strict'
import type { Credential } from '../../src/credentials/credential.js'
import {
  assertRefusal,
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
  approvalPage,
  assertRedirectRefusal,
  authorizationCode,
  codeGrant,
  openRefused,
  requestToken,
  serviceRequest,
} from './application.js'

type Property = Record<string, unknown>

const ROLE = { attribute_name: 'signer-attributes-v2', attribute_value: 'Managing director' }
const PLACE = {
  attribute_name: 'signer-location',
  attribute_value: Buffer.from('Vilnius').toString('base64'),
}
const IDENTIFIER = { attribute_name: 'content-identifier' }

describe('signed_props of authorization_details (CSC data model, documentInfo)', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let credential: Credential
  const document = Buffer.from('What was agreed')
  const hash = digestOf(document).toString('base64')

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser()
    client = await rssp.addClient()
    credential = await rssp.addCredential(user)
  })
  after(() => rssp.close())

  function request(signed_props: unknown, more: Record<string, unknown> = {}) {
    const detail = {
      ...{ type: 'credential', credentialID: credential.id, hashAlgorithmOID: SHA256 },
      documentDigests: [{ hash, label: 'Contract', signed_props }],
      ...more,
    }
    return serviceRequest(client, { scope: null, authorization_details: JSON.stringify([detail]) })
  }
  async function agreed(signed_props: unknown) {
    const code = await authorizationCode(rssp, user, request(signed_props))
    return (await requestToken(rssp, codeGrant(client, code))).body
  }
  const signDoc = (token: string, signed_props: readonly Property[] | undefined) => {
    const item = { signature_format: 'C', signAlgo: ECDSA_SHA256, signed_props }
    const documents = [{ ...item, document: document.toString('base64') }]
    return rssp.call('signatures/signDoc', { credentialID: credential.id, documents }, token)
  }

  it('are shown on the page, names and what they say', async () => {
    const browser = new SignerBrowser(rssp.baseUrl)
    const page = await approvalPage(rssp, browser, user, request([ROLE, PLACE, IDENTIFIER]))
    const text = textOf(page.html).replace(/\s+/g, ' ')
    assert.match(text, /Signed together with it:/)
    assert.match(text, /signer-attributes-v2.{0,3}: .{0,3}Managing director/)
    assert.match(text, /signer-location.{0,3}: .{0,3}Vilnius/)
    assert.match(text, /content-identifier/)
  })

  it('come back in the token answer as they were sent', async () => {
    const { authorization_details: details } = await agreed([ROLE, PLACE])
    assert.deepEqual(details[0].documentDigests[0].signed_props, [ROLE, PLACE])
  })

  it('are what signDoc takes, in whichever order', async () => {
    const { access_token } = await agreed([ROLE, PLACE])
    const { status, body } = await signDoc(access_token, [PLACE, ROLE])
    assert.equal(status, 200, JSON.stringify(body))
  })

  const others: [string, readonly Property[] | undefined][] = [
    ['none', undefined],
    ['fewer', [ROLE]],
    ['more', [ROLE, PLACE, IDENTIFIER]],
    ['another value', [ROLE, { ...PLACE, attribute_value: 'Riga' }]],
  ]
  it('are what signDoc takes, and nothing else, and are not used up by refusals', async () => {
    const { access_token } = await agreed([ROLE, PLACE])
    for (const [what, properties] of others) {
      const answer = await signDoc(access_token, properties)
      const words = 'Document or documentDigest does not match authroized hash'
      assertRefusal(answer, 403, 'invalid_hash', words)
      assert.ok(what)
    }
    assert.equal((await signDoc(access_token, [ROLE, PLACE])).status, 200)
  })

  for (const [what, absent] of [
    ['absent', undefined],
    ['empty', []],
  ] as const) {
    it(`leave signDoc free when they are ${what}`, async () => {
      const { access_token } = await agreed(absent)
      assert.equal((await signDoc(access_token, [ROLE])).status, 200)
    })
  }

  const unfit: [string, unknown][] = [
    ['a text', 'Reason'],
    ['a text among them', ['Reason']],
    ['one without a name', [{ attribute_value: 'x' }]],
    ['an empty name', [{ attribute_name: '' }]],
    ['a number for a value', [{ attribute_name: 'Reason', attribute_value: 1 }]],
    ['51 of them', Array.from({ length: 51 }, () => ROLE)],
  ]
  for (const [what, given] of unfit) {
    it(`are refused when they are ${what}`, async () => {
      const told = await openRefused(rssp, request(given))
      const words = 'Invalid parameter documentDigests'
      assertRedirectRefusal(rssp, told, 'invalid_authorization_details', words)
    })
  }
})
