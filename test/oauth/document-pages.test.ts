import assert from 'node:assert/strict'
import { AUTH_OBJECTS } from '../../src/credentials/auth-object.js'
import type { Credential } from '../../src/credentials/credential.js'
import { signedIn } from '../account/signer.js'
import { waitingIds } from '../account/decisions.js'
import {
  digestOf,
  SHA256,
  SHA384,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { SignerBrowser, textOf, type Page } from '../support/signer-browser.js'
import { writtenPdf } from '../support/written-pdf.js'
import { approvalPage, asPage, credentialRequest, openPage, type Changes } from './application.js'

const COMPUTED = 'We have computed this fingerprint from the document shown here.'
const NOT_HERE = 'The application has not left this document here, so it cannot be shown.'
const CANNOT = 'This document cannot be shown here.'

describe('Documents on the approval page', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let credential: Credential
  let token: string
  const lease = writtenPdf({ pages: ['Rent is 900 EUR', 'Second page', 'Third page'] })
  const terms = Buffer.from('Terms\nPay \u202e000.1 <script>alert(1)</script>')
  const archive = Buffer.from('PK\u0003\u0004\0\0')

  before(async () => {
    rssp = await startRssp({ host: 'localhost' })
    user = await rssp.addUser()
    client = await rssp.addClient({ name: 'Contract Portal' })
    credential = await rssp.addCredential(user, { multisign: 20 })
    token = await rssp.serviceToken(user, client)
    await deposit(lease, 'lease.pdf')
    await deposit(terms, 'terms <b>.txt')
    await deposit(archive, 'annex.zip')
  })
  after(() => rssp.close())

  async function deposit(content: Buffer, label: string, by = token): Promise<void> {
    const document = content.toString('base64')
    const { status, body } = await rssp.call('documents/deposit', { document, label }, by)
    assert.equal(status, 200, JSON.stringify(body))
  }

  async function open(documents: readonly (Buffer | string)[], changes: Changes = {}, by = user) {
    const digests = documents.map((content) => digestOf(content))
    const own = by === user ? credential : await rssp.addCredential(by)
    const browser = new SignerBrowser(rssp.baseUrl)
    const request = credentialRequest(client, own, digests, changes)
    const page = await approvalPage(rssp, browser, by, request)
    return { browser, page, text: textOf(page.html) }
  }

  const get = async (browser: SignerBrowser, path: string): Promise<Page> =>
    asPage(await browser.open(path))

  const linksOf = (html: string, pattern: RegExp) =>
    [...html.matchAll(/(?:href|src)="([^"]*)"/g)]
      .map(([, link = '']) => link.replaceAll('&amp;', '&'))
      .filter((link) => pattern.test(link))

  it('are shown beside their fingerprints: a PDF as a picture with its text, text as text', async () => {
    const { browser, page, text } = await open([lease, terms, archive])
    assert.match(text, /lease\.pdf/)
    assert.match(text, /Look at all 3 pages Download PDF, 3 pages/)
    assert.match(text, /Text of this page .* Rent is 900 EUR/)
    assert.equal(text.split(COMPUTED).length - 1, 2)
    assert.match(text, /Terms Pay U\+202E 000\.1 &lt;script>/)
    assert.ok(!page.html.includes('<script>alert'))
    assert.match(text, /terms &lt;b>\.txt/)
    assert.ok(text.includes(`${CANNOT} It is neither a PDF nor text.`))
    assert.match(text, /Download 6 bytes/)
    const [picture = ''] = linksOf(page.html, /picture/)
    const { status, headers } = await get(browser, picture)
    assert.equal(status, 200)
    assert.equal(headers.get('content-type'), 'image/png')
  })

  it('are asked for in the language of the page', async () => {
    const { text } = await open([lease], { lang: 'de' })
    assert.match(text, /Alle 3 Seiten ansehen Herunterladen PDF, 3 Seiten/)
  })

  it('are found by each digest an application may use', async () => {
    const hashes = digestOf(lease, 'sha384').toString('base64url')
    const { text } = await open([lease], { hashes, hashAlgorithmOID: SHA384 })
    assert.ok(text.includes(COMPUTED))
  })

  it('are not claimed to be there when they are not, and the page is as ever without any', async () => {
    const { text } = await open(['no document of ours', lease])
    assert.equal(text.split(NOT_HERE).length - 1, 1)
    assert.equal(text.split(COMPUTED).length - 1, 1)
    const without = await open(['no document of ours'])
    assert.ok(!without.text.includes(NOT_HERE) && !without.text.includes(COMPUTED))
  })

  it('of another application or person are nobody’s business (S66)', async () => {
    const content = writtenPdf({ pages: ['of somebody else'] })
    const stranger = await rssp.addUser()
    await deposit(content, 'private.pdf', await rssp.serviceToken(stranger, client))
    const { browser, page, text } = await open([content])
    assert.ok(!text.includes('private.pdf') && !text.includes(COMPUTED))
    for (const part of ['', '/picture', '/content']) {
      assert.equal((await get(browser, `${page.url}/documents/1${part}`)).status, 404)
    }
    const theirs = await open([content], {}, stranger)
    assert.ok(theirs.text.includes(COMPUTED))
  })

  it('of bytes that are signed as they are (dtbsr) are none', async () => {
    const hash = digestOf(lease).toString('base64')
    const documentDigests = [{ hash, hashType: 'dtbsr' }]
    const detail = { type: 'credential', credentialID: credential.id, documentDigests }
    const browser = new SignerBrowser(rssp.baseUrl)
    const asked = credentialRequest(client, credential, [], {
      ...{ hashes: null, hashAlgorithmOID: null, numSignatures: null, credentialID: null },
      ...{ scope: null },
      authorization_details: JSON.stringify([{ ...detail, hashAlgorithmOID: SHA256 }]),
    })
    const page = await approvalPage(rssp, browser, user, asked)
    assert.ok(!textOf(page.html).includes(COMPUTED))
    assert.equal((await get(browser, `${page.url}/documents/1`)).status, 404)
  })

  it('are looked at page by page and larger, by links, and lead back to the decision', async () => {
    const { browser, page } = await open([lease])
    const [reader = ''] = linksOf(page.html, /documents\/1$/)
    const first = await get(browser, reader)
    assert.match(textOf(first.html), /Previous Page 1 of 3 Next/)
    const [next = ''] = linksOf(first.html, /page=2/)
    const second = await get(browser, next)
    assert.match(textOf(second.html), /Page 2 of 3/)
    assert.match(textOf(second.html), /Text of this page .* Second page/)
    const [larger = ''] = linksOf(second.html, /\?page=2&zoom=2/)
    const large = await get(browser, larger)
    assert.match(large.html, /width="1800"/)
    const digest = digestOf(lease).toString('hex')
    assert.ok(large.html.replaceAll(/<[^>]*>/g, '').includes(digest))
    const [back = ''] = linksOf(large.html, /#document-1$/)
    assert.match((await get(browser, back.replace(/#.*/, ''))).html, /value="approve"/)
  })

  it('have no pages but their own', async () => {
    const { browser, page } = await open([lease, archive])
    for (const path of [
      ...['0', '3', '9999999', 'x', '1?page=4', '1?page=0', '1?page=x', '1?zoom=4', '1?zoom=0'],
      ...['1?page=1&page=2', '1/picture?page=4', '1/other', '2/picture', '1/picture/x'],
    ]) {
      const { status } = await get(browser, `${page.url}/documents/${path}`)
      assert.equal(status, 404, path)
    }
  })

  it('may be taken away as they are, and open as nothing', async () => {
    const { browser, page } = await open([terms])
    const { cookies } = browser
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(`${page.url}/documents/1/content`, { headers: { cookie } })
    assert.deepEqual(Buffer.from(await response.arrayBuffer()), terms)
    assert.equal(response.headers.get('content-type'), 'application/octet-stream')
    assert.match(response.headers.get('content-disposition') ?? '', /^attachment; filename="terms/)
  })

  it('are sent with nothing that could be run, kept or shown elsewhere (S47)', async () => {
    const { browser, page } = await open([lease])
    for (const path of ['', '/documents/1', '/documents/1/picture', '/documents/1/content']) {
      const { headers } = await get(browser, page.url + path)
      assert.equal(headers.get('cache-control'), 'no-store', path)
      assert.equal(headers.get('x-content-type-options'), 'nosniff', path)
      assert.equal(headers.get('cross-origin-resource-policy'), 'same-origin', path)
      const policy = headers.get('content-security-policy') ?? ''
      assert.match(policy, /^default-src 'none'; /, path)
      assert.match(policy, /frame-ancestors 'none'/, path)
      assert.doesNotMatch(policy, /script-src|unsafe|\*/, path)
    }
  })

  it('are seen by the browser of that request alone, while it waits (S46)', async () => {
    const { browser, page } = await open([lease])
    const paths = ['', '/picture', '/content'].map((part) => `${page.url}/documents/1${part}`)
    const nobody = new SignerBrowser(rssp.baseUrl)
    const another = (await open([lease])).browser
    for (const path of paths) {
      assert.equal((await get(browser, path)).status, 200)
      assert.equal((await get(nobody, path)).status, 400)
      assert.equal((await get(another, path)).status, 400)
    }
    await browser.post(page.url, { action: 'reject' })
    for (const path of paths) assert.equal((await get(browser, path)).status, 400)
  })

  it('are not there before the signer has signed in', async () => {
    const browser = new SignerBrowser(rssp.baseUrl)
    const digests = [digestOf(lease)]
    const page = await openPage(browser, credentialRequest(client, credential, digests))
    for (const part of ['', '/picture', '/content']) {
      assert.equal((await get(browser, `${page.url}/documents/1${part}`)).status, 404)
    }
  })

  it('of a long list are links to look at, after the first three', async () => {
    const many = Array.from({ length: 6 }, (_, index) => Buffer.from(`Annex ${index}`))
    for (const [index, content] of many.entries()) await deposit(content, `annex ${index}.txt`)
    const { browser, page, text } = await open(many)
    assert.equal(text.split(COMPUTED).length - 1, 3)
    assert.equal(text.split('Look at the document').length - 1, 3)
    assert.match(text, /annex 5\.txt/)
    const last = await get(browser, `${page.url}/documents/6`)
    assert.match(textOf(last.html), /Annex 5/)
  })

  it('are shown for requests that wait on the person’s own pages, to that person alone', async () => {
    const explicit = { objects: [AUTH_OBJECTS.PUSH], expression: null }
    const asked = await rssp.addCredential(user, { explicit })
    const { status } = await rssp.call(
      'credentials/authorize',
      {
        ...{ credentialID: asked.id, numSignatures: 1, hashAlgorithmOID: SHA256 },
        hashes: [digestOf(lease).toString('base64')],
        authData: [{ id: 'PUSH' }],
      },
      token,
    )
    assert.equal(status, 202)
    const signer = await signedIn(rssp, user)
    const [id = ''] = await waitingIds(signer)
    const { html } = await signer.open(`/account/approvals/${id}`)
    assert.ok(textOf(html).includes(COMPUTED))
    const [picture = ''] = linksOf(html, /picture/)
    assert.match(picture, /^\/account\/approvals\//)
    assert.equal((await signer.open(picture)).headers.get('content-type'), 'image/png')
    const [reader = ''] = linksOf(html, /documents\/1$/)
    assert.match(textOf((await signer.open(reader)).html), /Page 1 of 3/)
    const stranger = await signedIn(rssp, await rssp.addUser())
    for (const path of [picture, reader, `${reader}/content`]) {
      assert.equal((await stranger.open(path)).status, 404)
    }
  })
})
