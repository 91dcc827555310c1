import assert from 'node:assert/strict'
import type { Credential } from '../../src/credentials/credential.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  postForm,
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
  assertRedirectRefusal,
  authorizationCode,
  basic,
  codeGrant,
  openRefused,
  requestToken,
  serviceRequest,
  type Changes,
  type Parameters,
} from './application.js'

const URI_TYPE = 'https://cloudsignatureconsortium.org/2025/credential'

describe('authorization_details', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let credential: Credential

  const contract = digestOf('contract')
  const annex = digestOf('annex')

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser()
    client = await rssp.addClient()
    credential = await rssp.addCredential(user, { signatureQualifier: 'eu_eidas_aes' })
  })
  after(() => rssp.close())

  function detail(changes: Record<string, unknown> = {}): Record<string, unknown> {
    const all = {
      type: 'credential',
      credentialID: credential.id,
      documentDigests: [{ hash: contract.toString('base64'), label: 'contract.pdf' }],
      hashAlgorithmOID: SHA256,
      ...changes,
    }
    return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
  }

  function request(details: unknown, changes: Changes = {}): Parameters {
    const text = typeof details === 'string' ? details : JSON.stringify(details)
    return serviceRequest(client, { scope: null, authorization_details: text, ...changes })
  }

  async function tokenAnswer(details: unknown, changes: Changes = {}) {
    const code = await authorizationCode(rssp, user, request(details))
    return requestToken(rssp, codeGrant(client, code, changes))
  }

  it('of type credential give a token that signs what was approved', async () => {
    const answer = await tokenAnswer([detail()])
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
    const signed = await rssp.call(
      'signatures/signHash',
      {
        credentialID: credential.id,
        hashes: [contract.toString('base64')],
        hashAlgorithmOID: SHA256,
        signAlgo: ECDSA_SHA256,
      },
      answer.body.access_token,
    )
    assert.equal(signed.status, 200, JSON.stringify(signed.body))
    assert.equal(signed.body.signatures.length, 1)
  })

  it('come back in the token answer as they were sent, with the number of signatures', async () => {
    const { body } = await tokenAnswer([detail()])
    assert.deepEqual(body.authorization_details, [{ ...detail(), numSignatures: 1 }])
    assert.equal(body.scope, 'credential')
    assert.equal(body.refresh_token, undefined)
    assert.equal(body.credentialID, undefined)
  })

  it('of the 2025 type keep their type, url-safe hashes, hash types and properties', async () => {
    const sent = detail({
      type: URI_TYPE,
      numSignatures: 2,
      locations: [`${rssp.baseUrl}/csc/v2`],
      documentDigests: [
        { hash: contract.toString('base64url'), hashType: 'DTBSR', label: 'a' },
        {
          hash: annex.toString('base64'),
          circumstantialData: 'AAAA',
          signed_props: [{ attribute_name: 'location', attribute_value: 'Vilnius' }],
        },
      ],
    })
    const { status, body } = await tokenAnswer([sent])
    assert.equal(status, 200, JSON.stringify(body))
    assert.deepEqual(body.authorization_details, [sent])
  })

  it('are shown to the signer, label by label and digest by digest', async () => {
    const browser = new SignerBrowser(rssp.baseUrl)
    const documentDigests = [
      { hash: contract.toString('base64'), label: 'contract.pdf' },
      { hash: annex.toString('base64url'), label: 'annex.pdf' },
    ]
    const page = await approvalPage(rssp, browser, user, request([detail({ documentDigests })]))
    const shown = textOf(page.html)
    assert.match(shown, /contract\.pdf/)
    assert.match(shown, /annex\.pdf/)
    for (const digest of [contract, annex]) {
      assert.ok(page.html.includes(`value="${digest.toString('base64')}"`))
    }
  })

  it('may come beside scope credential', async () => {
    const code = await authorizationCode(rssp, user, request([detail()], { scope: 'credential' }))
    const { status } = await requestToken(rssp, codeGrant(client, code))
    assert.equal(status, 200)
  })

  it('may be pushed', async () => {
    const pushed = await postForm(
      `${rssp.baseUrl}/oauth2/pushed_authorize`,
      request([detail()]),
      basic(client),
    )
    assert.equal(pushed.status, 201, JSON.stringify(pushed.body))
    const { request_uri } = pushed.body as { request_uri: string }
    const code = await authorizationCode(rssp, user, { client_id: client.client_id, request_uri })
    const { body } = await requestToken(rssp, codeGrant(client, code))
    assert.deepEqual(body.authorization_details, [{ ...detail(), numSignatures: 1 }])
  })

  it('when pushed, cannot be changed in the browser (S35)', async () => {
    const pushed = await postForm(
      `${rssp.baseUrl}/oauth2/pushed_authorize`,
      request([detail()]),
      basic(client),
    )
    const other = [detail({ documentDigests: [{ hash: annex.toString('base64') }] })]
    const { request_uri } = pushed.body as { request_uri: string }
    const code = await authorizationCode(rssp, user, {
      ...{ client_id: client.client_id, request_uri },
      ...{ authorization_details: JSON.stringify(other), numSignatures: '9' },
    })
    const { body } = await requestToken(rssp, codeGrant(client, code))
    assert.deepEqual(body.authorization_details, [{ ...detail(), numSignatures: 1 }])
  })

  describe('are refused as invalid_authorization_details (S35, S53)', () => {
    const digests = (changes: Record<string, unknown>) => [
      { hash: contract.toString('base64'), ...changes },
    ]
    const refused: [string, () => unknown, string | RegExp][] = [
      ['without JSON', () => '[', /JSON/],
      ['that are no array', () => detail(), /JSON array/],
      ['that are empty', () => [], 'Invalid parameter authorization_details'],
      ['with two entries', () => [detail(), detail()], 'Invalid parameter authorization_details'],
      [
        'with a member twice',
        () => `[{"type":"credential","type":"credential"}]`,
        'Invalid parameter authorization_details',
      ],
      ['of an unknown type', () => [detail({ type: 'payment' })], /unsupported/],
      [
        'of the type of an object’s own member',
        () => [detail({ type: 'toString' })],
        /unsupported/,
      ],
      ['with an unknown field', () => [detail({ amount: 1 })], 'Invalid parameter amount'],
      [
        'with an unknown field in a digest',
        () => [detail({ documentDigests: digests({ size: 1 }) })],
        'Invalid parameter size',
      ],
      [
        'without credential and qualifier',
        () => [detail({ credentialID: undefined })],
        'Missing (or invalid type) string parameter credentialID',
      ],
      [
        'with an unknown qualifier',
        () => [detail({ signatureQualifier: 'qes_eidas' })],
        'Invalid parameter signatureQualifier',
      ],
      [
        'without digests',
        () => [detail({ documentDigests: undefined })],
        'Invalid parameter documentDigests',
      ],
      [
        'with no digest in the list',
        () => [detail({ documentDigests: [] })],
        'Invalid parameter documentDigests',
      ],
      [
        'with a digest that is no Base64',
        () => [detail({ documentDigests: digests({ hash: 'ä' }) })],
        'Invalid parameter documentDigests',
      ],
      [
        'with a digest of another length',
        () => [detail({ documentDigests: digests({ hash: 'AAAA' }) })],
        /./,
      ],
      [
        'of document hashes, which nothing here can sign',
        () => [detail({ documentDigests: digests({ hashType: 'sha' }) })],
        'Invalid parameter hashType',
      ],
      [
        'without hash algorithm',
        () => [detail({ hashAlgorithmOID: undefined })],
        'Invalid parameter hashAlgorithmOID',
      ],
      ['with a weak hash algorithm', () => [detail({ hashAlgorithmOID: '1.3.14.3.2.26' })], /./],
      [
        'with a number of signatures as text',
        () => [detail({ numSignatures: '1' })],
        'Invalid parameter numSignatures',
      ],
      [
        'with fewer signatures than digests',
        () => [
          detail({
            numSignatures: 1,
            documentDigests: [...digests({}), { hash: annex.toString('base64') }],
          }),
        ],
        'Invalid parameter numSignatures',
      ],
      [
        'of the 2025 type without number of signatures',
        () => [detail({ type: URI_TYPE })],
        'Missing (or invalid type) integer parameter numSignatures',
      ],
    ]
    for (const [what, make, words] of refused) {
      it(what, async () => {
        const answer = await openRefused(rssp, request(make()))
        assertRedirectRefusal(rssp, answer, 'invalid_authorization_details', words)
      })
      it(`${what}, when pushed`, async () => {
        const url = `${rssp.baseUrl}/oauth2/pushed_authorize`
        const { status, body } = await postForm(url, request(make()), basic(client))
        assert.equal(status, 400)
        assert.equal(body.error, 'invalid_authorization_details')
      })
    }
  })

  describe('are refused as', () => {
    const beside: Record<string, string> = {
      ...{ credentialID: 'x', numSignatures: '1', hashAlgorithmOID: SHA256 },
      ...{ hashes: contract.toString('base64url'), signatureQualifier: 'eu_eidas_qes' },
    }
    for (const [name, value] of Object.entries(beside)) {
      it(`invalid_request beside the parameter ${name}`, async () => {
        const answer = await openRefused(rssp, request([detail()], { [name]: value }))
        assertRedirectRefusal(rssp, answer, 'invalid_request', `Invalid parameter ${name}`)
      })
    }

    it('invalid_scope beside scope service', async () => {
      const answer = await openRefused(rssp, request([detail()], { scope: 'service' }))
      assert.equal(answer.get('error'), 'invalid_scope')
      assert.equal(
        answer.get('error_description'),
        'The requested scope is invalid, unknown, or malformed.',
      )
    })

    it('invalid_target for another resource', async () => {
      const resource = 'https://other.example'
      const answer = await openRefused(rssp, request([detail()], { resource }))
      assert.equal(answer.get('error'), 'invalid_target')
    })

    for (const [what, id] of [
      ['another person’s credential', async () => (await foreign()).id],
      ['an unknown credential', () => Promise.resolve('nope')],
    ] as const) {
      it(`invalid_request for ${what}`, async () => {
        const browser = new SignerBrowser(rssp.baseUrl)
        const details = request([detail({ credentialID: await id() })])
        const answer = await browser.authorize(details, answersOf(rssp, user))
        assertRedirectRefusal(rssp, answer, 'invalid_request', 'Invalid parameter credentialID')
      })
    }

    it('invalid_request for a credential of another kind than the qualifier says', async () => {
      const details = request([detail({ signatureQualifier: 'eu_eidas_qes' })])
      const browser = new SignerBrowser(rssp.baseUrl)
      const answer = asAnswer(await browser.authorize(details, answersOf(rssp, user)))
      assertRedirectRefusal(rssp, answer, 'invalid_request', 'Invalid parameter signatureQualifier')
    })

    async function foreign() {
      return rssp.addCredential(await rssp.addUser())
    }
  })

  it('count null members as absent, as a wallet writes the label a digest does not have', async () => {
    const hash = contract.toString('base64')
    const sent = detail({
      documentDigests: [{ hash, label: null, hashType: 'DTBSR', signed_props: null }],
      ...{ signatureQualifier: null, numSignatures: null },
    })
    const { status, body } = await tokenAnswer([sent], {
      authorization_details: JSON.stringify([sent]),
    })
    assert.equal(status, 200, JSON.stringify(body))
    const approved = { documentDigests: [{ hash, hashType: 'DTBSR' }], numSignatures: 1 }
    assert.deepEqual(body.authorization_details, [detail(approved)])
    const details = JSON.stringify([detail({ documentDigests: null })])
    const refused = await openRefused(rssp, request(details))
    assertRedirectRefusal(
      ...[rssp, refused, 'invalid_authorization_details', 'Invalid parameter documentDigests'],
    )
  })

  describe('repeated in the token request', () => {
    const repeat = (details: unknown) => ({ authorization_details: JSON.stringify(details) })

    it('are accepted byte for byte, and the answer is what was approved', async () => {
      const { status, body } = await tokenAnswer([detail()], repeat([detail()]))
      assert.equal(status, 200, JSON.stringify(body))
      assert.deepEqual(body.authorization_details, [{ ...detail(), numSignatures: 1 }])
    })

    it('are accepted in another order, encoding and with what was filled in', async () => {
      const documentDigests = [{ label: 'contract.pdf', hash: contract.toString('base64url') }]
      const again = { numSignatures: 1, hashAlgorithmOID: SHA256, documentDigests }
      const { status, body } = await tokenAnswer(
        [detail()],
        repeat([{ ...again, credentialID: credential.id, type: 'credential' }]),
      )
      assert.equal(status, 200, JSON.stringify(body))
    })

    it('are what was approved where the repetition leaves something out', async () => {
      const { credentialID, type } = detail()
      const answer = await tokenAnswer([detail()], repeat([{ type, credentialID }]))
      assert.equal(answer.status, 200, JSON.stringify(answer.body))
      assert.deepEqual(answer.body.authorization_details, [{ ...detail(), numSignatures: 1 }])
    })

    const more: [string, () => Record<string, unknown>][] = [
      ['another digest', () => ({ documentDigests: [{ hash: annex.toString('base64') }] })],
      [
        'a digest more',
        () => ({ documentDigests: [contract, annex].map((d) => ({ hash: d.toString('base64') })) }),
      ],
      [
        'the same digest twice',
        () => ({
          documentDigests: [contract, contract].map((d) => ({ hash: d.toString('base64') })),
        }),
      ],
      ['more signatures', () => ({ numSignatures: 2 })],
      ['another credential', () => ({ credentialID: 'other' })],
      ['another hash algorithm', () => ({ hashAlgorithmOID: '2.16.840.1.101.3.4.2.3' })],
      ['another type', () => ({ type: URI_TYPE, numSignatures: 1 })],
      [
        'another label',
        () => ({ documentDigests: [{ hash: contract.toString('base64'), label: 'x.pdf' }] }),
      ],
      ['another location', () => ({ locations: ['https://other.example'] })],
      ['an unknown field', () => ({ amount: 1 })],
    ]
    for (const [what, changes] of more) {
      it(`are refused with ${what}, and the code is used up`, async () => {
        const code = await authorizationCode(rssp, user, request([detail()]))
        const grant = codeGrant(client, code, repeat([detail(changes())]))
        assertRefusal(
          await requestToken(rssp, grant),
          400,
          'invalid_grant',
          'Invalid parameter authorization_details',
        )
        const { status } = await requestToken(rssp, codeGrant(client, code))
        assert.equal(status, 400)
      })
    }

    it('are refused when parameters were approved instead', async () => {
      const parameters = serviceRequest(client, {
        scope: 'credential',
        credentialID: credential.id,
        numSignatures: '1',
        hashes: contract.toString('base64url'),
        hashAlgorithmOID: SHA256,
      })
      const code = await authorizationCode(rssp, user, parameters)
      const { status, body } = await requestToken(rssp, codeGrant(client, code, repeat([detail()])))
      assert.deepEqual({ status, error: body.error }, { status: 400, error: 'invalid_grant' })
    })
  })

  it('sign nothing beyond what they named (S35)', async () => {
    const { body } = await tokenAnswer([detail()])
    const answer = await rssp.call(
      'signatures/signHash',
      {
        credentialID: credential.id,
        hashes: [annex.toString('base64')],
        hashAlgorithmOID: SHA256,
        signAlgo: ECDSA_SHA256,
      },
      body.access_token,
    )
    assertRefusal(answer, 400, 'invalid_request', 'Hash is not authorized by the SAD.')
  })

  it('are announced: types in the metadata, supportsRar in info', async () => {
    const url = `${rssp.baseUrl}/.well-known/oauth-authorization-server`
    const metadata = (await (await fetch(url)).json()) as Record<string, unknown>
    assert.deepEqual(metadata['authorization_details_types_supported'], [
      ...['credential', URI_TYPE, `${URI_TYPE}-creation`, 'credential-creation'],
      ...['credential_creation', `${URI_TYPE}-deletion`, 'credential-deletion'],
      'credential_deletion',
    ])
    const info = await rssp.call('info', {})
    assert.equal(info.body.supportsRar, true)
  })
})
