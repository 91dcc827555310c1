import assert from 'node:assert/strict'
import type { Credential } from '../../src/credentials/credential.js'
import { approvalPage, authorize, credentialRequest } from '../oauth/application.js'
import {
  digestOf,
  ECDSA_SHA256,
  SHA256,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { SignerBrowser, textOf, type Page } from '../support/signer-browser.js'
import { signedIn, type Signer } from './signer.js'

describe('/account/history', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let credential: Credential
  const digests = [digestOf('contract'), digestOf('annex')]

  before(async () => {
    rssp = await startRssp()
    client = await rssp.addClient({ name: 'Contract Portal' })
  })
  beforeEach(async () => {
    user = await rssp.addUser()
    credential = await rssp.addCredential(user)
  })
  after(() => rssp.close())

  const approve = (of = digests) => rssp.credentialToken({ user, client, credential, digests: of })
  const sign = (token: string, of = digests) =>
    rssp.call(
      'signatures/signHash',
      {
        credentialID: credential.id,
        hashes: of.map((digest) => digest.toString('base64')),
        hashAlgorithmOID: SHA256,
        signAlgo: ECDSA_SHA256,
      },
      token,
    )
  const request = (changes: Record<string, string> = {}) =>
    credentialRequest(client, credential, digests, changes)
  const read = async (signer?: Signer): Promise<string> =>
    textOf((await (signer ?? (await signedIn(rssp, user))).open('/account/history')).html)
  /** As the page writes it, in groups. */
  const hex = (digest: Buffer) => digest.toString('hex').match(/.{4}/g)?.join(' ') ?? ''

  it('says so when nothing was signed', async () => {
    assert.match(await read(), /Nothing has been signed in your name yet/)
  })

  it('shows what was signed for whom: when, how often, with what, and each digest', async () => {
    const signed = await sign(await approve())
    assert.equal(signed.status, 200)
    const text = await read()
    const year = rssp.clock.now().getUTCFullYear()
    for (const fact of [
      'Contract Portal : 2 signatures',
      'All 2 signed',
      'Test key',
      'SHA-256',
      String(year),
      'Document 1 – signed',
      ...digests.map(hex),
    ]) {
      assert.ok(text.includes(fact), `${fact}: ${text}`)
    }
  })

  it('shows labels and purpose as the application gave them, cleaned', async () => {
    const details = [
      {
        type: 'https://cloudsignatureconsortium.org/2025/credential',
        credentialID: credential.id,
        hashAlgorithmOID: SHA256,
        documentDigests: digests.map((digest, index) => ({
          hash: digest.toString('base64'),
          label: `lease \u202e${index}<b>.pdf`,
        })),
        numSignatures: 2,
      },
    ]
    const { scope, client_id, redirect_uri, response_type, state, code_challenge } = request()
    const rar = {
      ...{ scope, client_id, redirect_uri, response_type, state, code_challenge },
      code_challenge_method: 'S256',
      authorization_details: JSON.stringify(details),
    } as Record<string, string>
    assert.ok((await authorize(rssp, user, rar)).get('code'))
    const { html } = await (await signedIn(rssp, user)).open('/account/history')
    assert.ok(html.includes('lease 0&lt;b>.pdf') || html.includes('lease 0&lt;b&gt;.pdf'), html)
    assert.ok(!html.includes('\u202e'))
    await authorize(rssp, user, request({ description: 'Lease, Main Street 1' }))
    assert.match(await read(), /Lease, Main Street 1/)
  })

  const outcomes: [string, () => Promise<unknown>, RegExp][] = [
    [
      'waits',
      () => approvalPage(rssp, new SignerBrowser(rssp.baseUrl), user, request()),
      /Waits for your decision/,
    ],
    [
      'was not answered',
      async () => {
        await approvalPage(rssp, new SignerBrowser(rssp.baseUrl), user, request())
        rssp.clock.advance(rssp.services.config.lifetimes.interactionSeconds + 1)
      },
      /you did not decide in time/,
    ],
    [
      'was rejected',
      () => authorize(rssp, user, request(), { decision: 'reject' }),
      /you rejected it/,
    ],
    ['was approved', () => approve(), /Approved, not signed yet/],
    [
      'was approved and never used',
      async () => {
        await approve()
        rssp.clock.advance(3600)
      },
      /did not use your approval/,
    ],
    [
      'was withdrawn',
      async () => {
        await approve()
        const signer = await signedIn(rssp, user)
        await signer.post('/account/sessions/applications/end-all')
      },
      /the approval was withdrawn/,
    ],
    ['was signed in part', async () => sign(await approve(), digests.slice(0, 1)), /1 of 2 signed/],
    [
      'came to nothing while signing',
      async () => {
        const token = await approve()
        const { activations, credentials } = rssp.services
        const original = activations.consume.bind(activations)
        activations.consume = async (...args) => {
          activations.consume = original
          await credentials.suspend(credential.id, 'operator', 'test')
          return original(...args)
        }
        assert.notEqual((await sign(token)).status, 200)
      },
      /nobody was given a signature/,
    ],
  ]
  for (const [what, happens, words] of outcomes) {
    it(`tells of a request that ${what}`, async () => {
      await happens()
      assert.match(await read(), words)
    })
  }

  it('shows the newest first, twenty at a time, each once', async () => {
    const { transactions } = rssp.services
    const open = (number: number) =>
      transactions.open(`${user.username}-${number}`, {
        ...{ clientId: client.client_id, credential, clientData: null, hashAlgorithm: null },
        ...{ numSignatures: 1, items: [], description: `request-${number}.` },
      })
    const scal1 = await rssp.addCredential(user, { SCAL: '1' })
    credential = scal1
    for (let number = 0; number < 45; number += 1) {
      await open(number)
      // Some at the very same moment.
      if (number % 3 === 0) rssp.clock.advance(1)
    }
    const signer = await signedIn(rssp, user)
    const seen: string[] = []
    let path: string | undefined = '/account/history'
    let pages = 0
    while (path !== undefined) {
      const page: Page = await signer.open(path)
      seen.push(...[...page.html.matchAll(/request-(\d+)\./g)].map(([, number = '']) => number))
      path = /rel="next" href="([^"]+)"/.exec(page.html)?.[1]
      pages += 1
    }
    assert.equal(pages, 3)
    assert.equal(new Set(seen).size, 45)
    assert.equal(seen.length, 45)
    assert.equal(seen[0], '44')
    for (const nonsense of ['', 'x', '1.', '99999999999999999999.x', '-1.x', '1.x%27']) {
      assert.equal((await signer.open(`/account/history?before=${nonsense}`)).status, 200)
    }
  })

  it('shows all digests of a large request on its own pages', async () => {
    const many = Array.from({ length: 12 }, (_, index) => digestOf(`document ${index}`))
    credential = await rssp.addCredential(user, { multisign: 20 })
    await sign(await approve(many), many)
    const signer = await signedIn(rssp, user)
    const list = await signer.open('/account/history')
    assert.ok(!textOf(list.html).includes(hex(many[11] as Buffer)))
    const [, id = ''] = /href="\/account\/history\/([\w-]+)"/.exec(list.html) ?? []
    const page = await signer.open(`/account/history/${id}`)
    for (const digest of many) assert.ok(textOf(page.html).includes(hex(digest)))
    for (const from of ['-1', 'x', '1e9', '0.5']) {
      assert.equal((await signer.open(`/account/history/${id}?from=${from}`)).status, 200)
    }
  })

  it('shows nothing of another person’s, nor whether it is there', async () => {
    await sign(await approve())
    const theirs = await signedIn(rssp, user)
    const { html } = await theirs.open('/account/history')
    const [, id = ''] = /href="\/account\/history\/([\w-]+)"/.exec(html) ?? []
    assert.ok(id)
    const stranger = await signedIn(rssp, await rssp.addUser())
    assert.match(await read(stranger), /Nothing has been signed/)
    const other = await stranger.open(`/account/history/${id}`)
    const none = await stranger.open('/account/history/none')
    assert.deepEqual([other.status, other.html], [404, none.html])
  })

  it('is not shown to who is not signed in', async () => {
    for (const path of ['/account/history', '/account/history/x']) {
      const answer = await fetch(`${rssp.baseUrl}${path}`, { redirect: 'manual' })
      assert.equal(answer.status, 303)
    }
  })
})
