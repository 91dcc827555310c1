import assert from 'node:assert/strict'
import { digestOf, SHA256, startRssp, type Rssp, type TestUser } from '../support/rssp.js'
import { SignerBrowser, textOf } from '../support/signer-browser.js'
import { asPage, authorizePath, serviceRequest } from '../oauth/application.js'
import { pathOf, signedIn, Signer } from './signer.js'

describe('The signer’s own pages', () => {
  let rssp: Rssp
  let user: TestUser

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser()
  })
  after(() => rssp.close())

  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(`${rssp.baseUrl}${path}`, { redirect: 'manual', headers })
  const ownRequest = (changes: Record<string, string | null> = {}) =>
    serviceRequest(
      {
        client_id: 'openrssp-account',
        client_secret: null,
        redirect_uris: [`${rssp.baseUrl}/account/signed-in`],
        name: '',
      },
      changes,
    )

  it('sends whoever is not signed in to sign in, and back to the page that was asked for', async () => {
    const signer = new Signer(rssp, user)
    const signIn = asPage(await signer.browser.open('/account?lang=de'))
    assert.match(new URL(signIn.url).pathname, /^\/oauth2\/interaction\//)
    assert.match(signIn.html, /<html lang="de">/)
    assert.match(textOf(signIn.html), /Zu Ihrem Konto bei Test RSSP/)
    const page = await signer.open('/account?lang=de')
    assert.equal(pathOf(page), '/account?lang=de')
    assert.match(textOf(page.html), new RegExp(`Angemeldet als Test ${user.username}`))
  })

  it('says why it asks whoever is signed in to sign in again', async () => {
    for (const [lang, words] of [
      [
        'en',
        /can only be changed in the minutes after signing in\. So please sign in now, even if/,
      ],
      ['de', /lässt sich nur in den Minuten nach einer Anmeldung ändern\. Bitte melden Sie sich/],
    ] as const) {
      const signer = await signedIn(rssp, user)
      const again = asPage(await signer.browser.open(`/account/notices?lang=${lang}`))
      assert.match(textOf(again.html), words)
      const stranger = new SignerBrowser(rssp.baseUrl)
      assert.doesNotMatch(textOf(asPage(await stranger.open(`/account?lang=${lang}`)).html), words)
    }
  })

  it('lets in who signed in for an application, without asking again', async () => {
    const browser = new SignerBrowser(rssp.baseUrl)
    const client = await rssp.addClient()
    const answers = { ...user, otp: () => '' }
    await browser.authorize(serviceRequest(client), answers)
    const page = asPage(await browser.open('/account'))
    assert.equal(pathOf(page), '/account')
    assert.equal(page.status, 200)
  })

  it('answers for pages that are not there', async () => {
    const signer = await signedIn(rssp, user)
    const page = asPage(await signer.browser.open('/account/nothing'))
    assert.equal(page.status, 404)
    assert.match(textOf(page.html), /Not found/)
  })

  it('signs out', async () => {
    const signer = await signedIn(rssp, user)
    const page = asPage(await signer.browser.post('/account/sign-out', {}))
    assert.match(textOf(page.html), /Sign in/)
    assert.match(asPage(await signer.browser.open('/account')).url, /\/oauth2\/interaction\//)
  })

  it('ends the visit with the session, however busy it was (S28)', async () => {
    const signer = await signedIn(rssp, user)
    // The library forgives 15 seconds.
    const half = rssp.services.config.lifetimes.sessionSeconds / 2 + 8
    rssp.clock.advance(half)
    assert.equal(pathOf(asPage(await signer.browser.open('/account'))), '/account')
    rssp.clock.advance(half)
    assert.match(asPage(await signer.browser.open('/account')).url, /\/oauth2\/interaction\//)
  })

  it('refuses a form that another site posted (S46)', async () => {
    const signer = await signedIn(rssp, user)
    for (const headers of [
      { 'sec-fetch-site': 'cross-site' },
      { origin: 'https://evil.example' },
    ]) {
      const refused = asPage(await signer.browser.post('/account/sign-out', {}, headers))
      assert.equal(refused.status, 403)
    }
    assert.equal(pathOf(asPage(await signer.browser.open('/account'))), '/account')
  })

  it('takes no answer of a sign-in that did not start in this browser (S46)', async () => {
    const elsewhere = new Signer(rssp, user)
    const start = await get('/account')
    assert.equal(start.status, 303)
    const state = new URL(start.headers.get('location') ?? '', rssp.baseUrl).searchParams.get(
      'state',
    )
    const signer = await signedIn(rssp, user)
    for (const query of [
      `state=${state ?? ''}&code=x&iss=${rssp.baseUrl}`,
      'state=..%2F&code=x',
      'code=x&code=y',
      '',
    ]) {
      const refused = asPage(await signer.browser.open(`/account/signed-in?${query}`))
      assert.equal(refused.status, 400, query)
    }
    assert.match(asPage(await elsewhere.browser.open('/account')).url, /interaction/)
  })

  it('is an application that asks for no signature and no credential', async () => {
    const asked = {
      credential: {
        ...{ credentialID: 'x', numSignatures: '1', hashAlgorithmOID: SHA256 },
        hashes: digestOf('contract').toString('base64url'),
      },
      'credential-creation': {},
    }
    for (const [scope, more] of Object.entries(asked)) {
      const answer = await get(authorizePath(ownRequest({ scope, ...more })))
      const location = answer.headers.get('location') ?? ''
      assert.match(location, /\/account\/signed-in\?error=invalid_scope/, scope)
    }
  })

  it('takes no answer in the name of another server (S36)', async () => {
    const { headers } = await get('/account')
    const state = new URL(headers.get('location') ?? '', rssp.baseUrl).searchParams.get('state')
    const cookie = headers
      .getSetCookie()
      .map((line) => line.split(';')[0])
      .join('; ')
    const answer = (iss: string) =>
      get(`/account/signed-in?state=${state ?? ''}&iss=${encodeURIComponent(iss)}&error=x`, {
        cookie,
      })
    assert.equal((await answer('https://evil.example')).status, 400)
    assert.equal((await answer(rssp.baseUrl)).status, 403)
  })

  it('says so when signing in was cancelled', async () => {
    const signer = new Signer(rssp, user)
    const signIn = asPage(await signer.browser.open('/account'))
    const page = asPage(await signer.browser.post(signIn.url, { action: 'reject' }))
    assert.equal(page.status, 403)
    assert.match(textOf(page.html), /You are not signed in/)
  })

  it('leaves nobody a code or a grant', async () => {
    const signer = new Signer(rssp, user)
    await signer.open('/account')
    const back = signer.browser.visited.find((url) => url.includes('/account/signed-in?')) ?? ''
    const code = new URL(back).searchParams.get('code') ?? ''
    assert.ok(code)
    const answer = await fetch(`${rssp.baseUrl}/oauth2/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        client_id: 'openrssp-account',
        redirect_uri: `${rssp.baseUrl}/account/signed-in`,
        code,
        code_verifier: 'x'.repeat(43),
      }),
    })
    assert.equal(answer.status, 400)
    assert.equal(((await answer.json()) as { error: string }).error, 'invalid_grant')
  })

  it('is an application that nobody can register or change', async () => {
    const signer = await signedIn(rssp, user)
    const { clients } = rssp.services
    const own = await clients.find('openrssp-account')
    assert.ok(own)
    assert.equal(await clients.add(own), false)
    assert.equal(await clients.disable(own.id, rssp.clock.now()), false)
    assert.equal(await clients.setRedirectUris(own.id, ['https://evil.example/']), false)
    assert.ok(!(await clients.list()).some(({ id }) => id === own.id))
    const elsewhere = await signer.browser.open(
      authorizePath(ownRequest({ redirect_uri: 'https://evil.example/' })),
    )
    assert.equal(asPage(elsewhere).status, 400)
  })
})
