import assert from 'node:assert/strict'
import type { Credential } from '../../src/credentials/credential.js'
import {
  digestOf,
  SHA384,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { SignerBrowser, textOf } from '../support/signer-browser.js'
import {
  answersOf,
  asAnswer,
  asPage,
  approvalPage,
  assertRedirectRefusal,
  authorizationCode,
  authorize,
  authorizePath,
  codeGrant,
  credentialRequest,
  openPage,
  openRefused,
  requestToken,
  serviceRequest,
  type Changes,
} from './application.js'

describe('GET /oauth2/authorize', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let credential: Credential
  const digest = digestOf('contract')

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser()
    client = await rssp.addClient()
    credential = await rssp.addCredential(user, { multisign: 3 })
  })
  after(() => rssp.close())

  const service = (changes: Changes = {}) => serviceRequest(client, changes)
  const signing = (changes: Changes = {}) =>
    credentialRequest(client, credential, [digest], changes)

  async function grantedScope(request: Record<string, string>): Promise<unknown> {
    const code = await authorizationCode(rssp, user, request)
    return (await requestToken(rssp, codeGrant(client, code))).body.scope
  }

  describe('scope', () => {
    it('service: tells the application a code, its state and who says it', async () => {
      const { code, ...rest } = Object.fromEntries(await authorize(rssp, user, service()))
      assert.match(code ?? '', /^[\w-]{43}$/)
      assert.deepEqual(rest, { state: 's-1', iss: rssp.baseUrl })
    })

    it('credential: tells the application a code, its state and who says it', async () => {
      const { code, ...rest } = Object.fromEntries(await authorize(rssp, user, signing()))
      assert.match(code ?? '', /^[\w-]{43}$/)
      assert.deepEqual(rest, { state: 's-1', iss: rssp.baseUrl })
    })

    it('is service when the request names none', async () => {
      assert.equal(await grantedScope(service({ scope: null })), 'service')
      assert.equal(await grantedScope(service({ scope: '' })), 'service')
    })

    for (const scope of [
      'signing',
      'openid',
      'openid service',
      'service credential',
      'credential service',
      'Service',
      'service  credential',
      'service service credential',
      'constructor',
    ]) {
      it(`is refused: ${scope}`, async () => {
        const answer = await openRefused(rssp, service({ scope }))
        assert.equal(answer.get('error'), 'invalid_scope')
        assert.equal(answer.get('state'), 's-1')
        assert.equal(answer.get('iss'), rssp.baseUrl)
        assert.equal(answer.get('code'), null)
      })
    }
  })

  describe('leaves the state out when there was none (S36)', () => {
    it('with a code', async () => {
      const answer = await authorize(rssp, user, service({ state: null }))
      assert.deepEqual([...answer.keys()], ['code', 'iss'])
    })

    it('with an error', async () => {
      const answer = await openRefused(rssp, service({ state: null, code_challenge: null }))
      assert.deepEqual([...answer.keys()], ['error', 'error_description', 'iss'])
    })
  })

  describe('PKCE (S32)', () => {
    const cases: [string, Changes, string][] = [
      [
        'no challenge',
        { code_challenge: null, code_challenge_method: null },
        'Authorization Server policy requires PKCE to be used for this request',
      ],
      [
        'a method without challenge',
        { code_challenge: null },
        'code_challenge must be provided with code_challenge_method',
      ],
      [
        'no method, which would mean plain',
        { code_challenge_method: null },
        'code_challenge_method must be provided',
      ],
      ['plain', { code_challenge_method: 'plain' }, 'not supported value of code_challenge_method'],
      ['s256', { code_challenge_method: 's256' }, 'not supported value of code_challenge_method'],
      [
        'a short challenge',
        { code_challenge: 'a'.repeat(42) },
        'code_challenge must be a string with a minimum length of 43 characters',
      ],
      [
        'a long challenge',
        { code_challenge: 'a'.repeat(129) },
        'code_challenge must be a string with a maximum length of 128 characters',
      ],
      [
        'a challenge in Base64',
        { code_challenge: `${'a'.repeat(42)}=` },
        'code_challenge contains invalid characters',
      ],
    ]
    for (const [what, changes, words] of cases) {
      it(`refuses ${what}`, async () => {
        for (const request of [service(changes), signing(changes)]) {
          const answer = await openRefused(rssp, request)
          assertRedirectRefusal(rssp, answer, 'invalid_request', words)
        }
      })
    }
  })

  describe('response_type', () => {
    for (const response_type of ['token', 'id_token', 'none', 'code token', 'code id_token', 'x']) {
      it(`other than code is refused: ${response_type}`, async () => {
        const url = authorizePath(service({ response_type }))
        const response = await fetch(rssp.baseUrl + url, { redirect: 'manual' })
        const { searchParams, hash } = new URL(response.headers.get('location') ?? '')
        assert.equal(hash, '')
        assertRedirectRefusal(
          rssp,
          searchParams,
          'unsupported_response_type',
          'unsupported response_type requested',
        )
      })
    }

    it('is required', async () => {
      const answer = await openRefused(rssp, service({ response_type: null }))
      const words = "missing required parameter 'response_type'"
      assertRedirectRefusal(rssp, answer, 'invalid_request', words)
    })
  })

  describe('shows an error page and sends nobody anywhere (S33, S48)', () => {
    async function assertErrorPage(request: string, title: string, error: string) {
      const response = await fetch(rssp.baseUrl + request, { redirect: 'manual' })
      const html = await response.text()
      assert.equal(response.status, 400, html)
      assert.equal(response.headers.get('location'), null)
      assert.match(textOf(html), new RegExp(title))
      assert.match(textOf(html), new RegExp(`Error ${error} `))
      assert.ok(!html.includes('evil'), html)
    }

    for (const client_id of ['unknown', '', null, '../client', 'constructor', '__proto__']) {
      it(`for the client ${JSON.stringify(client_id)}`, async () => {
        const [title, error] = client_id
          ? ['This application is not known here', 'invalid_client']
          : ['This request cannot be processed', 'invalid_request']
        await assertErrorPage(authorizePath(service({ client_id })), title ?? '', error ?? '')
      })
    }

    it('for a client that was disabled', async () => {
      const disabled = await rssp.addClient()
      await rssp.services.clients.disable(disabled.client_id, rssp.clock.now())
      await assertErrorPage(
        authorizePath(serviceRequest(disabled)),
        'This application is not known here',
        'invalid_client',
      )
    })

    for (const redirect_uri of [
      'https://evil.example/callback',
      'https://app.example/callback/evil',
      'https://app.example/callbackevil',
      'https://app.example.evil.example/callback',
      'https://app.example@evil.example/callback',
      'https://evil@app.example/callback',
      'https://APP.example/callback',
      'https://app.example/Callback',
      'HTTPS://app.example/callback',
      'https://app.example:8443/callback',
      'https://app.example:443/callback',
      'http://app.example/callback',
      'https://app.example./callback',
      'https://app.example/callback#',
      'https://app.example/callback#evil',
      'https://app.example/callback?',
      'https://app.example/callback?evil=1',
      'https://app.example/callback/',
      'https://app.example/callback/../evil',
      'https://app.example/x/../callback',
      'https://app.example//callback',
      'https://app.example%2Fcallback',
      'https://app.example/%63allback',
      'https://app.example\\callback',
      'https://app.example\\@evil.example/callback',
      'https:app.example/callback',
      '//app.example/callback',
      '/callback',
      ' https://app.example/callback',
      'https://app.example/callback ',
      'https://app.example/callback\t',
      'https://app.exаmple/callback',
      'javascript:alert(1)//https://app.example/callback',
      'data:text/html,evil',
    ]) {
      it(`for the address ${JSON.stringify(redirect_uri)}`, async () => {
        for (const request of [service({ redirect_uri }), service({ redirect_uri, scope: 'x' })]) {
          const response = await fetch(rssp.baseUrl + authorizePath(request), {
            redirect: 'manual',
          })
          const text = textOf(await response.text())
          assert.equal(response.status, 400, text)
          assert.equal(response.headers.get('location'), null)
          assert.match(text, /This application is not known here .* Error invalid_redirect_uri/)
        }
      })
    }
  })

  it('takes the one registered address when the request names none', async () => {
    assert.ok((await authorize(rssp, user, service({ redirect_uri: null }))).get('code'))
  })

  it('wants to know which, when several addresses are registered', async () => {
    const redirect_uris = ['https://app.example/a', 'https://app.example/b']
    const several = await rssp.addClient({ redirect_uris })
    const page = await openPage(
      new SignerBrowser(rssp.baseUrl),
      serviceRequest(several, { redirect_uri: null }),
    )
    assert.equal(page.status, 400)
    assert.match(textOf(page.html), /missing required parameter.*redirect_uri/)
  })

  describe('scope credential (S10)', () => {
    const sha1 = '1.3.14.3.2.26'
    const other = digestOf('annex')
    const long = digestOf('contract', 'sha384')
    const list = (...digests: Buffer[]) => digests.map((d) => d.toString('base64url')).join(',')

    const atOnce: [string, Changes, string][] = [
      ['no credentialID', { credentialID: null }, missing('string', 'credentialID')],
      ['an empty credentialID', { credentialID: '' }, missing('string', 'credentialID')],
      ['no numSignatures', { numSignatures: null }, missing('integer', 'numSignatures')],
      ['an empty numSignatures', { numSignatures: '' }, missing('integer', 'numSignatures')],
      ...['0', '-1', '1.5', 'one', '1e9', '1e0', '01', '+1', ' 1', '0x1', '1 ', '9999999'].map(
        (numSignatures): [string, Changes, string] => [
          `numSignatures ${JSON.stringify(numSignatures)}`,
          { numSignatures },
          'Invalid parameter numSignatures',
        ],
      ),
      ['a hash that is not Base64', { hashes: 'not base64!' }, 'Invalid parameter hashes'],
      [
        'a second hash that is not Base64',
        { hashes: `${list(digest)},*` },
        'Invalid parameter hashes',
      ],
      [
        'a hash with stray bits',
        { hashes: `${list(digest).slice(0, -1)}Z` },
        'Invalid parameter hashes',
      ],
      ['a hash of another length', { hashes: list(long) }, 'Invalid digest value length'],
      ['a hash cut short', { hashes: list(digest.subarray(1)) }, 'Invalid digest value length'],
      [
        'a digest that does not fit its algorithm',
        { hashAlgorithmOID: SHA384 },
        'Invalid digest value length',
      ],
      [
        'a weak hash algorithm',
        { hashes: list(digestOf('contract', 'sha1')), hashAlgorithmOID: sha1 },
        'Invalid parameter hashAlgorithmOID',
      ],
      [
        'an unknown hash algorithm',
        { hashAlgorithmOID: '1.2.3' },
        'Invalid parameter hashAlgorithmOID',
      ],
      [
        'hashes without algorithm',
        { hashAlgorithmOID: null },
        missing('string', 'hashAlgorithmOID'),
      ],
      [
        'hashes with an empty algorithm',
        { hashAlgorithmOID: '' },
        missing('string', 'hashAlgorithmOID'),
      ],
      [
        'a description of 501 characters',
        { description: 'x'.repeat(501) },
        'Invalid parameter description',
      ],
      [
        'a signature qualifier',
        { signatureQualifier: 'eu_eidas_qes' },
        'Invalid parameter signatureQualifier',
      ],
    ]
    for (const [what, changes, words] of atOnce) {
      it(`refuses ${what}, before anybody signs in`, async () => {
        assertRedirectRefusal(
          rssp,
          await openRefused(rssp, signing(changes)),
          'invalid_request',
          words,
        )
      })
    }

    const oncePersonIsKnown: [string, Changes, string][] = [
      [
        'more hashes than signatures',
        { hashes: list(digest, other), numSignatures: '1' },
        'Invalid parameter numSignatures',
      ],
      [
        'more signatures than the credential makes at once',
        { numSignatures: '4' },
        'Numbers of signatures is too high',
      ],
      ['no hashes', { hashes: null }, missing('array', 'hashes')],
      ['empty hashes', { hashes: '' }, missing('array', 'hashes')],
      ['hashes of commas', { hashes: ',,' }, missing('array', 'hashes')],
      ['an unknown credential', { credentialID: 'unknown' }, 'Invalid parameter credentialID'],
    ]
    for (const [what, changes, words] of oncePersonIsKnown) {
      it(`refuses ${what}`, async () => {
        const answer = await authorize(rssp, user, signing(changes))
        assertRedirectRefusal(rssp, answer, 'invalid_request', words)
      })
    }

    it('refuses a credentialID in other case', async () => {
      const credentialID = credential.id.toUpperCase()
      const answer = await authorize(rssp, user, signing({ credentialID }))
      assertRedirectRefusal(rssp, answer, 'invalid_request', 'Invalid parameter credentialID')
    })

    it('answers a stranger’s credential like an unknown one, and neither before sign-in (S66)', async () => {
      const stranger = await rssp.addCredential(await rssp.addUser())
      const answers = []
      for (const credentialID of [stranger.id, 'unknown']) {
        const browser = new SignerBrowser(rssp.baseUrl)
        const page = await openPage(browser, signing({ credentialID }))
        assert.match(page.html, /name="password"/)
        const answer = asAnswer(await browser.fillIn(page, answersOf(rssp, user)))
        assertRedirectRefusal(rssp, answer, 'invalid_request', 'Invalid parameter credentialID')
        answers.push(answer.toString())
      }
      assert.equal(answers[0], answers[1])
    })

    it('answers a stranger’s revoked credential like an unknown one', async () => {
      const stranger = await rssp.addCredential(await rssp.addUser())
      await rssp.services.credentials.revoke(stranger.id, 'test')
      const answer = await authorize(rssp, user, signing({ credentialID: stranger.id }))
      assertRedirectRefusal(rssp, answer, 'invalid_request', 'Invalid parameter credentialID')
    })

    it('refuses a credential that was revoked', async () => {
      const revoked = await rssp.addCredential(user)
      await rssp.services.credentials.revoke(revoked.id, 'test')
      const answer = await authorize(rssp, user, signing({ credentialID: revoked.id }))
      const words = 'The credential identified by credentialID is disabled'
      assertRedirectRefusal(rssp, answer, 'invalid_request', words)
    })

    for (const name of [
      'credentialID',
      'numSignatures',
      'hashes',
      'hash',
      'hashAlgorithmOID',
      'signatureQualifier',
    ]) {
      it(`alone takes ${name}: scope service refuses it`, async () => {
        for (const scope of ['service', null]) {
          const answer = await openRefused(rssp, service({ scope, [name]: 'x' }))
          const words = `Invalid parameter ${name}`
          assertRedirectRefusal(rssp, answer, 'invalid_request', words)
        }
      })
    }

    it('takes empty parameters as absent, with scope service too', async () => {
      const empty = { hashes: '', hashAlgorithmOID: '', credentialID: '', numSignatures: '' }
      assert.ok((await authorize(rssp, user, service(empty))).get('code'))
      const unbound = await rssp.addCredential(user, { SCAL: '1' })
      const request = signing({ credentialID: unbound.id, hashes: '', hashAlgorithmOID: '' })
      const more = { description: '', clientData: '', account_token: '', lang: '', prompt: '' }
      assert.ok((await authorize(rssp, user, { ...request, ...more })).get('code'))
    })

    for (const [alphabet, text] of [
      ['base64url', digest.toString('base64url')],
      ['padded base64url', `${digest.toString('base64url')}=`],
      ['Base64', digest.toString('base64')],
      ['unpadded Base64', digest.toString('base64').replace('=', '')],
      ['percent-encoded Base64', encodeURIComponent(digest.toString('base64'))],
    ] as const) {
      it(`takes hashes in ${alphabet} for the same bytes`, async () => {
        const browser = new SignerBrowser(rssp.baseUrl)
        const page = await approvalPage(rssp, browser, user, signing({ hashes: text }))
        assert.ok(page.html.includes(`value="${digest.toString('base64')}"`), page.html)
      })
    }

    it('takes `hash`, which version 1 called it', async () => {
      const hash = digest.toString('base64url')
      assert.ok((await authorize(rssp, user, signing({ hashes: null, hash }))).get('code'))
    })

    it('takes a description of 500 characters', async () => {
      const description = 'x'.repeat(500)
      assert.ok((await authorize(rssp, user, signing({ description }))).get('code'))
    })
  })

  describe('refuses parameters that come twice (S53)', () => {
    for (const name of [
      'credentialID',
      'numSignatures',
      'hashes',
      'hashAlgorithmOID',
      'description',
      'account_token',
      'scope',
      'code_challenge',
      'response_type',
      'lang',
    ]) {
      it(name, async () => {
        const query = new URLSearchParams(signing())
        query.append(name, query.get(name) ?? 'x')
        query.append(name, 'y')
        const browser = new SignerBrowser(rssp.baseUrl)
        const answer = asAnswer(await browser.open(`/oauth2/authorize?${query.toString()}`))
        const words = `'${name}' parameter must not be provided twice`
        assertRedirectRefusal(rssp, answer, 'invalid_request', words)
      })
    }

    it('client_id, with an error page', async () => {
      const query = new URLSearchParams(signing())
      query.append('client_id', client.client_id)
      const browser = new SignerBrowser(rssp.baseUrl)
      const page = asPage(await browser.open(`/oauth2/authorize?${query.toString()}`))
      assert.equal(page.status, 400)
      assert.match(textOf(page.html), /must not be provided twice/)
    })

    it('redirect_uri, without following either', async () => {
      const query = new URLSearchParams(signing())
      query.append('redirect_uri', 'https://evil.example/')
      const response = await fetch(`${rssp.baseUrl}/oauth2/authorize?${query.toString()}`, {
        redirect: 'manual',
      })
      assert.ok(!(response.headers.get('location') ?? '').includes('evil'))
    })
  })

  describe('other parameters', () => {
    it('prompt=login asks for the password although a session exists', async () => {
      const browser = new SignerBrowser(rssp.baseUrl)
      for (const request of [service(), service(), signing()]) {
        const page = await openPage(browser, { ...request, prompt: 'login' })
        assert.match(page.html, /name="password"/)
        let step = await browser.fillIn(page, answersOf(rssp, user))
        if (!(step instanceof URLSearchParams))
          step = await browser.fillIn(step, answersOf(rssp, user))
        assert.ok(asAnswer(step).get('code'))
      }
    })

    it('prompt=none never shows a page', async () => {
      const answer = await openRefused(rssp, service({ prompt: 'none' }))
      assertRedirectRefusal(rssp, answer, 'login_required', 'End-User authentication is required')
      const browser = new SignerBrowser(rssp.baseUrl)
      await browser.authorize(service(), answersOf(rssp, user))
      const silent = asAnswer(await browser.open(authorizePath(signing({ prompt: 'none' }))))
      assertRedirectRefusal(rssp, silent, 'interaction_required', 'the signer has to approve')
    })

    for (const [changes, headers, lang] of [
      [{ lang: 'de' }, {}, 'de'],
      [{ lang: 'de-AT' }, {}, 'de'],
      [{ lang: 'fr' }, {}, 'en'],
      [{ ui_locales: 'fr de' }, {}, 'de'],
      [{ lang: 'en', ui_locales: 'de' }, { 'Accept-Language': 'de' }, 'en'],
      [{}, { 'Accept-Language': 'fr;q=0.9, de;q=0.8' }, 'de'],
      [{}, {}, 'en'],
    ] as [Changes, Record<string, string>, string][]) {
      it(`${JSON.stringify({ ...changes, ...headers })} give pages in ${lang}`, async () => {
        const response = await fetch(rssp.baseUrl + authorizePath(signing(changes)), {
          redirect: 'manual',
        })
        const cookie = response.headers
          .getSetCookie()
          .map((line) => line.split(';')[0])
          .join('; ')
        const page = await fetch(rssp.baseUrl + (response.headers.get('location') ?? ''), {
          headers: { cookie, 'Accept-Language': '', ...headers },
        })
        assert.match(await page.text(), new RegExp(`<html lang="${lang}">`))
      })
    }

    it('an unknown parameter is ignored', async () => {
      assert.ok((await authorize(rssp, user, service({ foo: 'bar' }))).get('code'))
    })
  })

  describe('a posted form', () => {
    const post = (path: string, body: string, type = 'application/x-www-form-urlencoded') =>
      fetch(rssp.baseUrl + path, {
        ...{ method: 'POST', redirect: 'manual', body },
        headers: { 'content-type': type },
      })

    for (const path of ['/oauth2/authorize', '/csc/v1/oauth2/authorize', '/authorize']) {
      it(`at ${path} is asked for by GET, at that address`, async () => {
        const request = service({ description: 'a & b = ü' })
        const answer = await post(path, new URLSearchParams(request).toString())
        assert.equal(answer.status, 303)
        const address = new URL(answer.headers.get('location') ?? '', rssp.baseUrl + path)
        assert.equal(address.pathname, path)
        assert.deepEqual(Object.fromEntries(address.searchParams), request)
      })
    }

    it('keeps what was said twice, so that it is refused', async () => {
      const form = `${new URLSearchParams(service()).toString()}&scope=credential`
      const answer = await post('/oauth2/authorize', form)
      const query = new URL(answer.headers.get('location') ?? '', rssp.baseUrl).searchParams
      assert.deepEqual(query.getAll('scope'), ['service', 'credential'])
    })

    it('is refused when it is too long for an address, or no form', async () => {
      const long = await post('/oauth2/authorize', `hashes=${'a'.repeat(9000)}`)
      assert.equal(long.status, 413)
      const json = await post('/oauth2/authorize', '{}', 'application/json')
      assert.equal(json.status, 405)
    })
  })

  describe('other addresses', () => {
    for (const path of [
      '/csc/v2/oauth2/authorize',
      '//oauth2/authorize',
      '/csc/v2//oauth2/authorize',
      '/csc//v2/oauth2/authorize',
      '/oauth2/authorize/',
    ]) {
      it(`${path} is the same`, async () => {
        for (const request of [service(), signing()]) {
          const browser = new SignerBrowser(rssp.baseUrl)
          const query = new URLSearchParams(request).toString()
          let step = await browser.open(`${rssp.baseUrl}${path}?${query}`)
          for (let pages = 0; pages < 2 && !(step instanceof URLSearchParams); pages += 1) {
            step = await browser.fillIn(step, answersOf(rssp, user))
          }
          const code = asAnswer(step).get('code') ?? ''
          assert.equal((await requestToken(rssp, codeGrant(client, code))).status, 200)
        }
      })
    }
  })

  function missing(type: string, name: string): string {
    return `Missing (or invalid type) ${type} parameter ${name}`
  }
})
