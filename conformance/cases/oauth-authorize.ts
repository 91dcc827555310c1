import { createHash } from 'node:crypto'
import { newDocument } from '../algorithms.js'
import { Answer, show, type Json } from '../exchange.js'
import { demand, refused, same, succeeded } from '../expectations.js'
import { codeOf, type Subject } from '../subject.js'
import { newPkce, type Changes } from '../oauth-client.js'
import { accountToken } from '../proofs.js'
import { requirement, type Chapter, type Requirement, type Version } from '../requirement.js'
import { reveal } from '../target.js'

const shall = { clause: 'CSC v2.0.0.2 §8.4.2' }
const should = { ...shall, level: 'SHOULD' } as const
const PKCE = { clause: 'CSC v2.0.0.2 §8.4.2; RFC 7636' }
const REDIRECT = { clause: 'RFC 6749 §4.1.2.1; RFC 9700 §2.1' }
const VOUCHED = { clause: 'CSC v2.0.0.2 §8.4.1' }
const both: readonly Version[] = ['v2']

export const oauthAuthorize: Chapter = {
  name: 'oauth2/authorize',
  versions: both,
  precondition: (t) => void t.oauth,
  requirements: [
    ...row('no response_type', { response_type: null }, 'invalid_request'),
    ...row('response_type token', { response_type: 'token' }, [
      'unsupported_response_type',
      'unauthorized_client',
    ]),
    ...row('response_type id_token', { response_type: 'id_token' }, [
      'unsupported_response_type',
      'unauthorized_client',
    ]),
    ...row('an unknown scope', { scope: 'everything' }, 'invalid_scope'),
    ...row(
      'scopes service and credential at once',
      { scope: 'service credential' },
      'invalid_scope',
      should,
    ),
    ...row(
      'no code_challenge',
      { code_challenge: null, code_challenge_method: null },
      'invalid_request',
      PKCE,
    ),
    ...row(
      'an unknown code_challenge_method',
      { code_challenge_method: 'S1' },
      'invalid_request',
      PKCE,
    ),
    ...row(
      'a code_challenge of wrong length',
      { code_challenge: 'short' },
      'invalid_request',
      PKCE,
    ),
    ...row('code_challenge_method plain', { code_challenge_method: 'plain' }, 'invalid_request', {
      clause: 'RFC 9700 §2.1.1',
      level: 'SHOULD',
    }),
    ...row('a description of 501 characters', { description: 'x'.repeat(501) }, 'invalid_request'),
    ...row(
      'an account_token that is none',
      { account_token: 'a.b.c' },
      ['access_denied', 'invalid_request'],
      should,
    ),
    ...row('scope service with a credentialID', { credentialID: 'x' }, 'invalid_request', should),
    ...credentialRow('no credentialID', { credentialID: null }),
    ...credentialRow('no numSignatures', { numSignatures: null }),
    ...credentialRow('0 signatures', { numSignatures: '0' }),
    ...credentialRow('-1 signatures', { numSignatures: '-1' }),
    ...credentialRow('a word for numSignatures', { numSignatures: 'one' }),
    ...credentialRow('a fraction for numSignatures', { numSignatures: '1.5' }),
    ...credentialRow('hashes without hashAlgorithmOID', { hashAlgorithmOID: null }),
    ...credentialRow('an unknown hashAlgorithmOID', { hashAlgorithmOID: '1.2.3' }),
    ...credentialRow('SHA-1 for hashAlgorithmOID', { hashAlgorithmOID: '1.3.14.3.2.26' }),
    ...credentialRow('hashes that are no base64url', { hashes: '*' }),
    ...credentialRow('a hash of 31 bytes', { hashes: Buffer.alloc(31, 1).toString('base64url') }),
    ...credentialRow(
      'credentialID and signatureQualifier together',
      { signatureQualifier: 'eu_eidas_qes' },
      should,
    ),
    ...credentialRow(
      'an unknown signatureQualifier',
      { credentialID: null, signatureQualifier: 'xx_none' },
      should,
    ),
    ...credentialRow('a parameter twice', null),
    requirement('shows an unknown client_id a page, and redirects nowhere', REDIRECT, (t) =>
      showsPage(t, { client_id: 'nobody' }),
    ),
    requirement('shows a missing client_id a page, and redirects nowhere', REDIRECT, (t) =>
      showsPage(t, { client_id: null }),
    ),
    ...[
      ['an unregistered redirect_uri', 'https://attacker.example/callback'],
      ['a redirect_uri that goes on after a registered one', null],
      ['a redirect_uri with a fragment', '#'],
      ['a redirect_uri that is a script', 'javascript:alert(1)'],
    ].map(([what, redirect_uri]) =>
      requirement(`shows ${what} a page, and redirects nowhere`, REDIRECT, (t) => {
        const own = t.target.client.redirect_uri
        const used =
          redirect_uri === null ? `${own}/more` : redirect_uri === '#' ? `${own}#x` : redirect_uri
        return showsPage(t, { redirect_uri: used ?? '' })
      }),
    ),
    requirement('asks the person to sign in', shall, async (t) => {
      const page = await t.open(t.request())
      demand(page instanceof Answer, 'it redirected to the application at once')
      succeeded(page)
      demand(/^text\/html/.test(page.contentType), `Content-Type is ${page.contentType}`)
    }),
    requirement('does not let its pages be framed', { clause: 'RFC 9700 §4.16' }, async (t) => {
      const page = await t.open(t.request())
      demand(page instanceof Answer, 'there is no page')
      const policy = page.headers.get('content-security-policy') ?? ''
      const options = page.headers.get('x-frame-options') ?? ''
      demand(
        /frame-ancestors/.test(policy) || options !== '',
        'neither frame-ancestors nor X-Frame-Options',
      )
    }),
    requirement('means scope service when none is named', shall, async (t) => {
      const page = await t.open(t.request({ scope: null }))
      demand(
        page instanceof Answer,
        `it was refused: ${page instanceof URLSearchParams ? page.toString() : ''}`,
      )
    }),
    ...['state', 'lang', 'clientData', 'description', 'ui_locales'].map((name) =>
      requirement(`takes ${name} in scope service`, shall, async (t) => {
        const value = name === 'lang' || name === 'ui_locales' ? 'de' : 'text'
        demand((await t.open(t.request({ [name]: value }))) instanceof Answer, 'it was refused')
      }),
    ),
    requirement('takes empty hashes and hashAlgorithmOID for none', should, async (t) => {
      const credential = await t.credential({ mode: 'oauth2code' })
      const request = t.credentialRequest(credential, [], {
        ...{ numSignatures: '1', hashes: '', hashAlgorithmOID: '' },
      })
      const page = await t.open(request)
      demand(page instanceof Answer || credential.SCAL === '2', 'it was refused')
    }),
    requirement('takes hashes of standard Base64, too', should, async (t) => {
      const credential = await t.credential({ mode: 'oauth2code' })
      const documents = t.documentsFor(credential)
      const request = t.credentialRequest(credential, documents, {
        hashes: documents[0]?.base64 ?? '',
      })
      demand((await t.open(request)) instanceof Answer, 'it was refused')
    }),
    requirement('gives a code and the state, and no error', shall, async (t) => {
      const told = await t.authorize(t.request({ state: 'a b&c=d/é' }))
      codeOf(told)
      same(told.get('state'), 'a b&c=d/é', 'state')
      demand(!told.has('error'), 'it has error')
    }),
    requirement('gives no state when none was sent', should, async (t) => {
      const told = await t.authorize(t.request({ state: null }))
      codeOf(told)
      demand(!told.has('state'), 'it has state')
    }),
    requirement(
      'says who answers, in iss',
      { clause: 'RFC 9207 §2', level: 'SHOULD' },
      async (t) => {
        const told = await t.authorize(t.request())
        demand(told.has('iss'), 'there is no iss')
      },
    ),
    requirement('does not give a token in the address', REDIRECT, async (t) => {
      demand(!(await t.authorize(t.request())).has('access_token'), 'it does')
    }),
    requirement('says access_denied when the signer rejects', shall, async (t) => {
      const credential = await t.credential({ mode: 'oauth2code' })
      const request = t.credentialRequest(credential, t.documentsFor(credential))
      const told = await t.authorize(request, { decision: 'reject' })
      same(told.get('error'), 'access_denied', 'error')
      same(told.get('state'), 'conformance-state', 'state')
      demand(!told.has('code'), 'it has a code, too')
    }),
    ...afterSigningIn(),
    ...accountTokens(),
  ],
}

/** What can be refused only once it is known who signs. */
function afterSigningIn(): Requirement[] {
  return [
    requirement('refuses an unknown credentialID', shall, async (t) => {
      const told = await t.authorize(
        t.credentialRequest({ id: 'nobody-has-this' }, [newDocument()]),
      )
      refusedTo(told, ['invalid_request', 'access_denied'])
    }),
    requirement('refuses a credential of another person like an unknown one', shall, async (t) => {
      const other = await t.credential({ signer: t.otherSigner() })
      const told = await t.authorize(t.credentialRequest(other, t.documentsFor(other)))
      const unknown = await t.authorize(
        t.credentialRequest({ id: 'nobody' }, t.documentsFor(other)),
      )
      refusedTo(told, ['invalid_request', 'access_denied'])
      same(told.get('error_description'), unknown.get('error_description'), 'error_description')
    }),
    requirement('refuses more signatures than multisign', shall, async (t) => {
      const credential = await t.credential({ mode: 'oauth2code' })
      const numSignatures = String(credential.multisign + 1)
      const request = t.credentialRequest(credential, t.documentsFor(credential), { numSignatures })
      refusedTo(await t.authorize(request), ['invalid_request'])
    }),
    requirement('refuses SCAL 2 without hashes', shall, async (t) => {
      const credential = await t.credential({ mode: 'oauth2code', SCAL: '2' })
      const request = t.credentialRequest(credential, [], { numSignatures: '1' })
      refusedTo(await t.authorize(request), ['invalid_request'])
    }),
    requirement('refuses more hashes than signatures', shall, async (t) => {
      const credential = await t.credential({ mode: 'oauth2code' })
      const request = t.credentialRequest(credential, t.documentsFor(credential, 2), {
        numSignatures: '1',
      })
      refusedTo(await t.authorize(request), ['invalid_request'])
    }),
    requirement('refuses an explicit credential', should, async (t) => {
      const explicit = await t.credential({ mode: 'explicit' })
      const told = await t.authorize(t.credentialRequest(explicit, t.documentsFor(explicit)))
      refusedTo(told, ['invalid_request', 'access_denied', 'unauthorized_client'])
    }),
  ]
}

/** What an application says of its own account of the person. */
function accountTokens(): Requirement[] {
  const hour = 3600
  const wrong: [string, (t: Subject) => Promise<string>][] = [
    ['for another application', (t) => vouched(t, { azp: 'another-application' })],
    ['of yesterday', (t) => vouched(t, { iat: epoch(t) - 24 * hour })],
    ['without iat', (t) => vouched(t, { iat: null })],
    ['without jti', (t) => vouched(t, { jti: null })],
    ['without sub', (t) => vouched(t, { sub: null })],
    ['signed with another secret', (t) => vouched(t, {}, sha256('another secret').digest())],
    ['signed with the secret itself', (t) => vouched(t, {}, Buffer.from(voucher(t).secret))],
    [
      'signed with the hexadecimal hash of the secret',
      (t) => vouched(t, {}, Buffer.from(sha256(voucher(t).secret).digest('hex'))),
    ],
    [
      'without signature',
      async (t) => {
        const [, payload = ''] = (await vouched(t)).split('.')
        return `${Buffer.from('{"typ":"JWT","alg":"none"}').toString('base64url')}.${payload}.`
      },
    ],
  ]
  return [
    requirement('takes an account_token', VOUCHED, async (t) => {
      const account_token = await vouched(t)
      demand((await t.open(t.request({ account_token }))) instanceof Answer, 'it was refused')
    }),
    requirement('takes an account_token once', VOUCHED, async (t) => {
      const account_token = await vouched(t)
      demand((await t.open(t.request({ account_token }))) instanceof Answer, 'it was refused')
      toldRefusal(await t.open(t.request({ account_token })), ['access_denied', 'invalid_request'])
    }),
    ...wrong.map(([what, make]) =>
      requirement(`refuses an account_token ${what}`, VOUCHED, async (t) => {
        const account_token = await make(t)
        toldRefusal(await t.open(t.request({ account_token })), [
          'access_denied',
          'invalid_request',
        ])
      }),
    ),
  ]
}

function sha256(text: string) {
  return createHash('sha256').update(text)
}

function epoch(t: Subject): number {
  return Math.floor(t.clock.now().getTime() / 1000)
}

function voucher(t: Subject) {
  const { accountID } = t.signerSettings(0)
  const { client_id, client_secret } = t.target.client
  if (accountID === undefined) return t.skip('the configuration has no signers[0].accountID')
  if (client_secret === undefined) return t.notApplicable('the client has no secret')
  return { sub: accountID, client_id, secret: reveal(client_secret) }
}

function vouched(t: Subject, changes: Json = {}, key?: Uint8Array): Promise<string> {
  const { sub, ...client } = voucher(t)
  return accountToken(client, { sub, now: t.clock.now() }, changes, key)
}

function refusedTo(told: URLSearchParams, errors: readonly string[]): void {
  demand(!told.has('code'), 'a code came back')
  demand(errors.includes(told.get('error') ?? ''), `told was ${told.toString()}`)
}

function row(
  what: string,
  changes: Changes,
  errors: string | readonly string[],
  clause: { clause: string; level?: 'SHALL' | 'SHOULD' } = shall,
): Requirement[] {
  return [
    requirement(`refuses ${what}, at the redirect_uri`, clause, async (t) => {
      toldRefusal(await t.open(t.request(changes)), errors)
    }),
  ]
}

/** A refusal of scope `credential`, all else being right. Null: one parameter comes twice. */
function credentialRow(
  what: string,
  changes: Changes | null,
  clause: { clause: string; level?: 'SHALL' | 'SHOULD' } = shall,
): Requirement[] {
  return [
    requirement(`refuses ${what} in scope credential`, clause, async (t) => {
      const credential = await t.credential({ mode: 'oauth2code' })
      const request = t.credentialRequest(credential, t.documentsFor(credential), changes ?? {})
      const query = new URLSearchParams(request)
      if (changes === null) query.append('numSignatures', '2')
      const told = await t.open(query.toString())
      // Not all servers know before signing in what is wrong with a credential.
      if (told instanceof Answer && told.status === 200) {
        refusedTo(await t.authorize(request), ['invalid_request'])
      } else if (changes === null && told instanceof Answer) same(told.status, 400, 'status')
      else toldRefusal(told, 'invalid_request')
    }),
  ]
}

function toldRefusal(told: Answer | URLSearchParams, errors: string | readonly string[]): void {
  if (told instanceof Answer) {
    demand(false, `no redirect to the application, but a page with status ${told.status}`)
  } else {
    const wanted = typeof errors === 'string' ? [errors] : errors
    demand(!told.has('code'), 'a code came back')
    demand(
      wanted.includes(told.get('error') ?? ''),
      `expected ${show(wanted)}, told was ${told.toString()}`,
    )
    same(told.get('state'), 'conformance-state', 'state')
  }
}

async function showsPage(t: Subject, changes: Changes): Promise<void> {
  const url = t.authorizeUrl(t.request(changes))
  const answer = await t.http.send({ method: 'GET', url })
  const location = answer.headers.get('location') ?? ''
  const own = new URL(t.oauth.authorize).origin
  demand(location === '' || new URL(location, url).origin === own, `it redirects to ${location}`)
  demand(answer.status >= 400 || location !== '', `status ${answer.status}`)
}

const PAR = { clause: 'CSC v2.0.0.2 §8.4.3; RFC 9126' }
const parShould = { ...PAR, level: 'SHOULD' } as const

export const pushed: Chapter = {
  name: 'oauth2/pushed_authorize',
  versions: ['v2'],
  precondition: async (t) => {
    const answer = await t.push(t.request())
    if (answer.status === 404 || answer.status === 501) t.notApplicable('there is no such endpoint')
  },
  requirements: [
    requirement('answers 201 with request_uri and expires_in', PAR, async (t) => {
      const answer = succeeded(await t.push(t.request()), 201)
      demand(answer.string('request_uri') !== '', 'request_uri is empty')
      const seconds = answer.get('expires_in')
      demand(Number.isInteger(seconds) && Number(seconds) > 0, `expires_in is ${show(seconds)}`)
    }),
    requirement('names request_uri as a URN of RFC 9126', parShould, async (t) => {
      const uri = (await t.push(t.request())).string('request_uri')
      demand(uri.startsWith('urn:ietf:params:oauth:request_uri:'), uri)
    }),
    requirement('is not stored by caches', PAR, async (t) => {
      const { headers } = await t.push(t.request())
      demand(/no-store/.test(headers.get('cache-control') ?? ''), 'Cache-Control lacks no-store')
    }),
    requirement('leads from client_id and request_uri alone to a code', PAR, async (t) => {
      const { code_verifier, code_challenge } = newPkce()
      const told = await t.authorize(await pushedRequest(t, { code_challenge }))
      same(told.get('state'), 'conformance-state', 'state')
      succeeded(await t.redeem(codeOf(told), code_verifier))
    }),
    requirement('carries a credential request to a token that signs', PAR, async (t) => {
      const credential = await t.credential({ mode: 'oauth2code' })
      const documents = t.documentsFor(credential)
      const { code_verifier, code_challenge } = newPkce()
      const pushedOne = await pushedRequest(
        t,
        t.credentialRequest(credential, documents, { code_challenge }),
      )
      const told = await t.authorize(pushedOne)
      const bearer = succeeded(await t.redeem(codeOf(told), code_verifier)).string('access_token')
      const [first] = documents
      if (!first) return
      const algorithm = t.algorithmFor(credential, first)
      const authorised = { credential, documents, bearer, SAD: null, algorithm }
      t.verifySignatures(await t.sign(authorised), authorised)
    }),
    requirement('takes state beside request_uri without complaint', parShould, async (t) => {
      const request = { ...(await pushedRequest(t, {})), state: 'conformance-state' }
      demand((await t.open(request)) instanceof Answer, 'it was refused')
    }),
    requirement('does not let the query change what was pushed', PAR, async (t) => {
      const request = {
        ...(await pushedRequest(t, {})),
        scope: 'credential',
        redirect_uri: 'https://attacker.example/',
      }
      const url = t.authorizeUrl(request)
      const { headers } = await t.http.send({ method: 'GET', url })
      demand(!(headers.get('location') ?? '').startsWith('https://attacker.example'), 'it does')
    }),
    requirement('uses a request_uri once', PAR, async (t) => {
      const request = await pushedRequest(t, {})
      codeOf(await t.authorize(request))
      await refusedRequestUri(t, request)
    }),
    requirement('lets a request_uri expire', PAR, async (t) => {
      const answer = succeeded(await t.push(t.request()), 201)
      await t.clock.pass(Number(answer.get('expires_in')) + 5)
      await refusedRequestUri(t, requestOf(t, answer))
    }),
    requirement('refuses the request_uri of another application', PAR, async (t) => {
      const { client_id } = t.otherClient()
      await refusedRequestUri(t, { ...(await pushedRequest(t, {})), client_id })
    }),
    requirement('refuses an unknown request_uri', PAR, async (t) => {
      const request_uri = 'urn:ietf:params:oauth:request_uri:unknown'
      await refusedRequestUri(t, { client_id: t.target.client.client_id, request_uri })
    }),
    ...(
      [
        ['no response_type', { response_type: null }],
        ['an unknown scope', { scope: 'everything' }],
        ['no code_challenge', { code_challenge: null, code_challenge_method: null }],
        ['an unregistered redirect_uri', { redirect_uri: 'https://attacker.example/' }],
        ['a request_uri', { request_uri: 'urn:ietf:params:oauth:request_uri:x' }],
        ['scope credential without credentialID', { scope: 'credential', numSignatures: '1' }],
        [
          'a bad hash',
          {
            scope: 'credential',
            credentialID: 'x',
            numSignatures: '1',
            hashes: '*',
            hashAlgorithmOID: '2.16.840.1.101.3.4.2.1',
          },
        ],
      ] as [string, Changes][]
    ).map(([what, changes]) =>
      requirement(`refuses ${what} when it is pushed`, PAR, async (t) => {
        const answer = await t.push(t.request(changes))
        refused(answer, {
          error: [
            'invalid_request',
            'invalid_scope',
            'unsupported_response_type',
            'invalid_redirect_uri',
            'request_uri_not_supported',
          ],
          words: null,
        })
      }),
    ),
    requirement('refuses an application that does not authenticate', PAR, async (t) => {
      const { client } = t.target
      if (client.client_secret === undefined) t.notApplicable('the client is public')
      const { client_id, redirect_uri } = client
      const answer = await t.push(t.request(), { client_id, redirect_uri, authentication: 'none' })
      demand(answer.status === 400 || answer.status === 401, `status ${answer.status}`)
    }),
    requirement('is called by POST', PAR, async (t) => {
      const { status } = await t.http.send({ method: 'GET', url: t.oauth.pushed ?? '' })
      demand(status >= 400 && status < 500, `status ${status}`)
    }),
  ],
}

function requestOf(t: Subject, answer: Answer): Record<string, string> {
  const request_uri = answer.string('request_uri')
  return { client_id: t.target.client.client_id, request_uri }
}

async function pushedRequest(t: Subject, changes: Changes): Promise<Record<string, string>> {
  return requestOf(t, succeeded(await t.push(t.request(changes)), 201))
}

async function refusedRequestUri(t: Subject, request: Record<string, string>): Promise<void> {
  const told = await t.open(request)
  if (told instanceof Answer) demand(told.status >= 400, `a page with status ${told.status}`)
  else demand(told.has('error') && !told.has('code'), `told was ${told.toString()}`)
}
