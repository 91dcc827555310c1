import { BasicOCSPResponse, OCSPResponse } from 'pkijs'
import type { Fetch } from '../../conformance/exchange.js'
import type { Rssp } from '../support/rssp.js'

type Json = Record<string, unknown>

/** A server with one rule broken: by a proxy before ours, or by a change within. */
export interface Mutant {
  /** What is wrong with it. */
  readonly name: string
  /** The chapter that has to notice. */
  readonly chapter: string
  readonly version?: 'v1' | 'v2'
  readonly proxy?: (forward: Fetch) => Fetch
  /** Breaks something; returns what mends it. */
  readonly within?: (rssp: Rssp, userIds: readonly string[]) => () => void
}

interface Seen {
  readonly status: number
  readonly json: Json
  readonly headers: Headers
  /** What was asked for, as far as it was JSON. */
  readonly asked: Json
}

interface Told {
  readonly status?: number
  readonly json?: Json | null
  readonly headers?: Record<string, string>
}

function pathOf(url: string): string {
  return new URL(url).pathname
}

function parsed(text: unknown): Json {
  try {
    const value: unknown = JSON.parse(typeof text === 'string' ? text : '')
    return typeof value === 'object' && value !== null ? (value as Json) : {}
  } catch {
    return {}
  }
}

/** Alters what is answered to paths that end so; null leaves it. */
function answers(path: string, change: (seen: Seen) => Told | null): (forward: Fetch) => Fetch {
  return (forward) => async (url, init) => {
    const response = await forward(url, init)
    if (!pathOf(url).endsWith(path)) return response
    const text = await response.text()
    const { status, headers } = response
    const told = change({ status, headers, json: parsed(text), asked: parsed(init.body) })
    const newHeaders = new Headers(headers)
    newHeaders.delete('content-length')
    for (const [name, value] of Object.entries(told?.headers ?? {})) newHeaders.set(name, value)
    const newStatus = told?.status ?? status
    const json =
      told?.json === undefined ? text : told.json === null ? '' : JSON.stringify(told.json)
    const body = newStatus === 204 ? null : json
    return new Response(body, { status: newStatus, headers: newHeaders })
  }
}

/** Adds or replaces members of successful answers. */
function members(path: string, change: (json: Json) => Json): (forward: Fetch) => Fetch {
  return answers(path, ({ status, json }) =>
    status < 300 ? { json: { ...json, ...change(json) } } : null,
  )
}

/** Alters the JSON that is asked for. */
function requests(path: string, change: (asked: Json) => Json): (forward: Fetch) => Fetch {
  return (forward) => (url, init) => {
    const asked = parsed(init.body)
    if (!pathOf(url).endsWith(path) || Object.keys(asked).length === 0) return forward(url, init)
    return forward(url, { ...init, body: JSON.stringify(change(asked)) })
  }
}

/** Alters the form that is posted. */
function forms(path: string, change: (form: URLSearchParams, init: RequestInit) => void) {
  return (forward: Fetch): Fetch =>
    (url, init) => {
      if (!pathOf(url).endsWith(path) || init.method !== 'POST') return forward(url, init)
      const form = new URLSearchParams(typeof init.body === 'string' ? init.body : '')
      const headers = { ...(init.headers as Record<string, string>) }
      const changed = { ...init, headers }
      change(form, changed)
      return forward(url, { ...changed, body: form.toString() })
    }
}

/** Alters the query of an authorization request. */
function query(change: (query: URLSearchParams) => void): (forward: Fetch) => Fetch {
  return (forward) => (url, init) => {
    const address = new URL(url)
    if (address.pathname !== '/oauth2/authorize') return forward(url, init)
    change(address.searchParams)
    return forward(address.href, init)
  }
}

/** Alters what the application is told by redirect. */
function redirects(change: (told: URLSearchParams) => void): (forward: Fetch) => Fetch {
  return (forward) => async (url, init) => {
    const response = await forward(url, init)
    const location = response.headers.get('location')
    if (!location?.startsWith('https://app.example/callback')) return response
    const address = new URL(location)
    change(address.searchParams)
    const headers = new Headers(response.headers)
    headers.set('location', address.href)
    return new Response(null, { status: response.status, headers })
  }
}

/** Grants what was refused in these words. */
function grants(
  path: string,
  words: string,
  json: (asked: Json) => Json,
): (forward: Fetch) => Fetch {
  return answers(path, (seen) =>
    seen.json['error_description'] === words ? { status: 200, json: json(seen.asked) } : null,
  )
}

/** Says other words. */
function says(path: string, words: string, instead: string): (forward: Fetch) => Fetch {
  return answers(path, ({ json }) =>
    json['error_description'] === words ? { json: { ...json, error_description: instead } } : null,
  )
}

/** Gives the first good answer again to whoever asks the same. */
function repeats(path: string): (forward: Fetch) => Fetch {
  return (forward) => {
    const earlier = new Map<string, Json>()
    return async (url, init) => {
      const key = JSON.stringify([url, init.body])
      const known = earlier.get(key)
      const proxied = answers(path, ({ status, json }) => {
        if (status === 200) earlier.set(key, json)
        else if (known) return { status: 200, json: known }
        return null
      })
      return proxied(forward)(url, init)
    }
  }
}

const fakeSignatures = (asked: Json): Json => ({
  signatures: ((asked['hashes'] ?? []) as unknown[]).map(() =>
    Buffer.alloc(70, 1).toString('base64'),
  ),
})

function eachInfo(change: (info: Json) => Json): (forward: Fetch) => Fetch {
  return members('credentials/list', ({ credentialInfos }) =>
    Array.isArray(credentialInfos)
      ? {
          credentialInfos: (credentialInfos as Json[]).map((info) => ({
            ...info,
            ...change(info),
          })),
        }
      : {},
  )
}

function part(json: Json, name: string, change: Json): Json {
  return { [name]: { ...(json[name] as Json), ...change } }
}

const LIST = 'credentials/list'
const INFO = 'credentials/info'
const AUTHORIZE = 'credentials/authorize'
const EXTEND = 'credentials/extendTransaction'
const SIGN = 'signatures/signHash'
const TOKEN = 'oauth2/token'
const REVOKE = 'oauth2/revoke'
const PAR = 'oauth2/pushed_authorize'
const CREATE_DELETE = 'credentials/create and delete'
const HEADER = 'Malformed authorization header.'
const FOREIGN = 'Hash is not authorized by the SAD.'

const SIGN_DOC = '/signatures/signDoc'
const LOGIN = 'auth/login'
const SIGN_DOC_CHAPTER = 'signatures/signDoc'
const ECDSA_SHA256 = '1.2.840.10045.4.3.2'
const ECDSA_SHA384 = '1.2.840.10045.4.3.3'
const RSA_SHA256 = '1.2.840.113549.1.1.11'
const ED25519 = '1.3.101.112'
const unknownAlgorithm = {
  error: 'invalid_request',
  error_description: 'Invalid parameter signAlgo',
}
const ON_THE_FLY = 'credentials made on the fly'

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'info says an edition of v1',
    chapter: 'info',
    proxy: members('/info', () => ({ specs: '1.0.3.0' })),
  },
  {
    name: 'info has a name of 300 characters',
    chapter: 'info',
    proxy: members('/info', () => ({ name: 'x'.repeat(300) })),
  },
  {
    name: 'info names authType oauth2token',
    chapter: 'info',
    proxy: members('/info', () => ({ authType: ['oauth2token'] })),
  },
  {
    name: 'info names oauth2 and oauth2Issuer',
    chapter: 'info',
    proxy: members('/info', () => ({ oauth2Issuer: 'https://as.example' })),
  },
  {
    name: 'info names a method twice',
    chapter: 'info',
    proxy: members('/info', ({ methods }) => ({
      methods: [...(methods as string[]), ...(methods as string[])],
    })),
  },
  {
    name: 'info has no signAlgorithms',
    chapter: 'info',
    proxy: members('/info', () => ({ signAlgorithms: null })),
  },
  {
    name: 'info writes the region small',
    chapter: 'info',
    proxy: members('/info', () => ({ region: 'lt' })),
  },
  { name: 'info wants a token', chapter: 'info', proxy: wantsToken },
  {
    name: 'info lists formats without their properties',
    chapter: 'info',
    proxy: members('/info', () => ({
      signature_formats: { formats: ['P', 'C'], envelope_properties: [['Revision']] },
    })),
  },
  {
    name: 'info names an unknown conformance level',
    chapter: 'info',
    proxy: members('/info', () => ({ conformance_levels: ['B-B'] })),
  },
  {
    name: 'info claims a method that is not there',
    chapter: 'signatures/timestamp',
    proxy: answers('/signatures/timestamp', () => ({
      status: 501,
      json: { error: 'not_implemented', error_description: 'This method is not implemented.' },
    })),
  },
  {
    name: 'the logo is a web page',
    chapter: 'info',
    proxy: answers('logo.png', () => ({ headers: { 'content-type': 'text/html' } })),
  },

  {
    name: 'answers are declared as text',
    chapter: 'requests and answers',
    proxy: answers(LIST, () => ({ headers: { 'content-type': 'text/plain' } })),
  },
  {
    name: 'a missing token is refused in the words of v1',
    chapter: 'access token',
    proxy: says(
      LIST,
      HEADER,
      'The request is missing a required parameter, includes an invalid parameter value, includes a parameter more than once, or is otherwise malformed.',
    ),
  },
  {
    name: 'a missing token is answered with 401',
    chapter: 'access token',
    proxy: answers(INFO, ({ json }) =>
      json['error_description'] === HEADER ? { status: 401 } : null,
    ),
  },
  {
    name: 'an unknown token is answered with 403',
    chapter: 'access token',
    proxy: answers(SIGN, ({ status }) => (status === 401 ? { status: 403 } : null)),
  },
  {
    name: 'the token is taken from the query',
    chapter: 'access token',
    proxy: takesTokenFromQuery,
  },
  {
    name: 'any token opens credentials/list',
    chapter: 'access token',
    proxy: answers(LIST, ({ status }) =>
      status === 401 ? { status: 200, json: { credentialIDs: [] } } : null,
    ),
  },
  {
    name: 'a method that is not offered is answered with 404',
    chapter: 'requests and answers',
    proxy: answers('', ({ status }) => (status === 501 ? { status: 404 } : null)),
  },
  {
    name: 'a body that is no JSON counts as empty',
    chapter: 'requests and answers',
    proxy: forgivesJson,
  },
  { name: 'Bearer has to be written like that', chapter: 'requests and answers', proxy: mindsCase },
  {
    name: 'refusals are a sentence without code',
    chapter: 'requests and answers',
    proxy: answers(INFO, ({ status, json }) =>
      status === 400 ? { json: { error_description: json['error_description'] } } : null,
    ),
  },
  {
    name: 'an unknown token ends in an error of the server',
    chapter: 'access token',
    proxy: answers(LIST, ({ status }) => (status === 401 ? { status: 500 } : null)),
  },

  { name: 'credentials of everybody are listed', chapter: LIST, within: listsEverybody },
  {
    name: 'credentialInfos come unasked',
    chapter: LIST,
    proxy: requests(LIST, (asked) => ({ ...asked, credentialInfo: true })),
  },
  {
    name: 'credentialInfos are in another order',
    chapter: LIST,
    proxy: members(LIST, ({ credentialInfos }) =>
      Array.isArray(credentialInfos)
        ? { credentialInfos: credentialInfos.toReversed() as unknown }
        : {},
    ),
  },
  {
    name: 'userID is passed over',
    chapter: LIST,
    proxy: requests(LIST, (asked) => ({ ...asked, userID: undefined })),
  },
  {
    name: 'userID is refused in the words of signPolling',
    chapter: LIST,
    proxy: says(LIST, 'userID parameter MUST be null', 'userID parameter SHALL be null'),
  },
  {
    name: 'the chain begins with the authority',
    chapter: LIST,
    proxy: eachInfo((info) => part(info, 'cert', reversedChain(info))),
  },
  {
    name: 'certificates come although none was asked for',
    chapter: LIST,
    proxy: requests(LIST, (asked) => ({ ...asked, certificates: 'single' })),
  },
  {
    name: 'certificates have line breaks',
    chapter: LIST,
    proxy: eachInfo((info) => part(info, 'cert', brokenLines(info))),
  },
  {
    name: 'the names of v1 are used in v2',
    chapter: LIST,
    proxy: eachInfo(({ auth }) => ({ auth: undefined, authMode: (auth as Json)['mode'] })),
  },
  {
    name: 'a credential token opens credentials/list',
    chapter: LIST,
    proxy: answers(LIST, ({ status }) =>
      status === 403 ? { status: 200, json: { credentialIDs: [] } } : null,
    ),
  },

  { name: 'a foreign credential is told from an unknown one', chapter: INFO, within: tellsForeign },
  {
    name: 'the serial number is decimal',
    chapter: INFO,
    proxy: members(INFO, (json) => certChange(json, 'serialNumber', (text) => `${text}.0`)),
  },
  {
    name: 'dates are in ISO 8601',
    chapter: INFO,
    proxy: members(INFO, (json) => certChange(json, 'validTo', () => '2030-01-01T00:00:00Z')),
  },
  {
    name: 'multisign is a text',
    chapter: INFO,
    proxy: members(INFO, ({ multisign }) => ({ multisign: String(multisign) })),
  },
  {
    name: 'SCAL is a number',
    chapter: INFO,
    proxy: members(INFO, ({ SCAL }) => ({ SCAL: Number(SCAL) })),
  },
  {
    name: 'the curve has a name',
    chapter: INFO,
    proxy: members(INFO, (json) =>
      (json['key'] as Json)['curve'] ? part(json, 'key', { curve: 'P-256' }) : {},
    ),
  },
  {
    name: 'an unknown value of certificates means single',
    chapter: INFO,
    proxy: requests(INFO, (asked) => ({ ...asked, certificates: 'single' })),
  },
  {
    name: 'another length of the key is told',
    chapter: INFO,
    proxy: members(INFO, (json) => part(json, 'key', { len: 1024 })),
  },
  { name: 'a certificate of another key is given', chapter: SIGN, within: givesWrongCertificate },

  {
    name: 'more signatures than multisign are agreed to',
    chapter: AUTHORIZE,
    proxy: requests(AUTHORIZE, (asked) =>
      Number(asked['numSignatures']) > 5 ? { ...asked, numSignatures: 1 } : asked,
    ),
  },
  {
    name: 'the sentence for too many signatures was mended',
    chapter: AUTHORIZE,
    proxy: says(AUTHORIZE, 'Numbers of signatures is too high', 'Number of signatures is too high'),
  },
  {
    name: 'a text is taken for numSignatures',
    chapter: AUTHORIZE,
    proxy: requests(AUTHORIZE, (asked) =>
      typeof asked['numSignatures'] === 'string' ? { ...asked, numSignatures: 1 } : asked,
    ),
  },
  {
    name: 'any factor does',
    chapter: AUTHORIZE,
    proxy: grants(AUTHORIZE, 'The authentication data is invalid', () => ({ SAD: 'x'.repeat(40) })),
  },
  {
    name: 'it tells which factor was wrong',
    chapter: AUTHORIZE,
    proxy: says(AUTHORIZE, 'The authentication data is invalid', 'The PIN is invalid'),
  },
  {
    name: 'the lifetime is called as in OAuth',
    chapter: AUTHORIZE,
    proxy: members(AUTHORIZE, ({ expiresIn }) => ({ expires_in: expiresIn })),
  },
  {
    name: 'SCAL 2 does without hashes',
    chapter: AUTHORIZE,
    proxy: answers(AUTHORIZE, ({ status, asked }) =>
      status === 400 && !asked['hashes'] && asked['credentialID'] && asked['numSignatures'] === 1
        ? { status: 200, json: { SAD: 'x'.repeat(40) } }
        : null,
    ),
  },
  {
    name: 'guesses are never stopped',
    chapter: AUTHORIZE,
    proxy: answers(AUTHORIZE, ({ json }) =>
      json['error_description'] === 'Credential locked'
        ? {
            json: {
              error: 'invalid_authentication_data',
              error_description: 'The authentication data is invalid',
            },
          }
        : null,
    ),
  },
  {
    name: 'every SAD is the same',
    chapter: AUTHORIZE,
    proxy: members(AUTHORIZE, () => ({ SAD: 'the-one-and-only-SAD-there-is' })),
  },
  {
    name: 'a SAD never expires',
    chapter: AUTHORIZE,
    proxy: grants(SIGN, 'SAD expired', fakeSignatures),
  },
  {
    name: 'extending gives the same SAD',
    chapter: EXTEND,
    proxy: answers(EXTEND, ({ status, asked }) =>
      status === 200 ? { json: { SAD: asked['SAD'] } } : null,
    ),
  },
  {
    name: 'an expired SAD can be extended',
    chapter: EXTEND,
    proxy: grants(EXTEND, 'SAD expired', () => ({ SAD: 'x'.repeat(40) })),
  },
  {
    name: 'getChallenge does not look at the object',
    chapter: 'credentials/getChallenge',
    proxy: answers('credentials/getChallenge', ({ json }) =>
      json['error_description'] === 'Invalid parameter authObjectID'
        ? { status: 204, json: null }
        : null,
    ),
  },

  { name: 'hashes are not bound', chapter: SIGN, proxy: grants(SIGN, FOREIGN, fakeSignatures) },
  {
    name: 'authorised hashes are signed, foreign ones left out',
    chapter: SIGN,
    proxy: grants(SIGN, FOREIGN, () => ({ signatures: [] })),
  },
  { name: 'what was signed is signed again', chapter: SIGN, proxy: repeats(SIGN) },
  {
    name: 'signatures come in another order',
    chapter: SIGN,
    proxy: members(SIGN, ({ signatures }) => ({
      signatures: (signatures as string[]).toReversed(),
    })),
  },
  {
    name: 'hashes are sorted before they are signed',
    chapter: SIGN,
    proxy: requests(SIGN, (asked) =>
      Array.isArray(asked['hashes']) && asked['hashes'].length > 1
        ? { ...asked, hashes: (asked['hashes'] as string[]).toSorted() }
        : asked,
    ),
  },
  {
    name: 'only the first hash is signed',
    chapter: SIGN,
    proxy: members(SIGN, ({ signatures }) => ({
      signatures: (signatures as string[]).slice(0, 1),
    })),
  },
  {
    name: 'a signature is given for what was not asked',
    chapter: SIGN,
    proxy: members(SIGN, ({ signatures }) => ({
      signatures: (signatures as string[]).map(() => Buffer.alloc(71, 48).toString('base64')),
    })),
  },
  {
    name: 'signatures are in base64url',
    chapter: SIGN,
    proxy: members(SIGN, ({ signatures }) => ({
      signatures: (signatures as string[]).map((each) =>
        Buffer.from(each, 'base64').toString('base64url'),
      ),
    })),
  },
  {
    name: 'the error for hashes uses the name of v2',
    chapter: SIGN,
    proxy: says(
      SIGN,
      'Missing (or invalid type) array parameter hash',
      'Missing (or invalid type) array parameter hashes',
    ),
  },
  {
    name: 'the full stop after a foreign hash is missing',
    chapter: SIGN,
    proxy: says(SIGN, FOREIGN, 'Hash is not authorized by the SAD'),
  },
  {
    name: 'the code of refusals begins with a capital',
    chapter: SIGN,
    proxy: answers(SIGN, ({ json }) =>
      json['error'] === 'invalid_request' ? { json: { ...json, error: 'Invalid_request' } } : null,
    ),
  },
  {
    name: 'the length of digests does not matter',
    chapter: SIGN,
    proxy: grants(SIGN, 'Invalid digest value length', fakeSignatures),
  },
  {
    name: 'an unknown algorithm means the usual one',
    chapter: SIGN,
    proxy: grants(SIGN, 'Invalid parameter signAlgo', fakeSignatures),
  },
  {
    name: 'the RSA key OID means SHA-256',
    chapter: SIGN,
    proxy: grants(
      SIGN,
      'Missing (or invalid type) string parameter hashAlgorithmOID',
      fakeSignatures,
    ),
  },
  {
    name: 'numbers are taken for clientData',
    chapter: SIGN,
    proxy: requests(SIGN, ({ clientData, ...asked }) => ({
      ...asked,
      ...(typeof clientData === 'string' ? { clientData } : {}),
    })),
  },
  {
    name: 'an unknown operationMode means S',
    chapter: SIGN,
    proxy: requests(SIGN, (asked) => ({ ...asked, operationMode: undefined })),
  },
  {
    name: 'an empty list of hashes is signed',
    chapter: SIGN,
    proxy: grants(SIGN, 'Empty hash array', fakeSignatures),
  },
  {
    name: 'any application may use a SAD',
    chapter: SIGN,
    proxy: grants(SIGN, 'Invalid parameter SAD', fakeSignatures),
  },
  { name: 'a refusal uses the authorisation up', chapter: SIGN, proxy: refusalsSpend },
  {
    name: 'signing answers 201',
    chapter: SIGN,
    proxy: answers(SIGN, ({ status }) => (status === 200 ? { status: 201 } : null)),
  },

  {
    name: 'PKCE is not demanded',
    chapter: 'oauth2/authorize',
    proxy: query(
      (all) =>
        void (
          all.has('code_challenge') ||
          (all.set('code_challenge', 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'),
          all.set('code_challenge_method', 'S256'))
        ),
    ),
  },
  {
    name: 'an unknown scope means service',
    chapter: 'oauth2/authorize',
    proxy: query((all) => void (all.get('scope') === 'everything' && all.set('scope', 'service'))),
  },
  {
    name: 'the state is missing from refusals',
    chapter: 'oauth2/authorize',
    proxy: redirects((told) => void (told.has('error') && told.delete('state'))),
  },
  {
    name: 'the state is cut off',
    chapter: 'oauth2/authorize',
    proxy: redirects(
      (told) =>
        void (told.has('state') && told.set('state', (told.get('state') ?? '').slice(0, 5))),
    ),
  },
  {
    name: 'iss is missing',
    chapter: 'oauth2/authorize',
    proxy: redirects((told) => {
      told.delete('iss')
    }),
  },
  {
    name: 'a rejection is called an error of the server',
    chapter: 'oauth2/authorize',
    proxy: redirects(
      (told) => void (told.get('error') === 'access_denied' && told.set('error', 'server_error')),
    ),
  },
  {
    name: 'any redirect_uri is redirected to',
    chapter: 'oauth2/authorize',
    proxy: redirectsAnywhere,
  },
  {
    name: 'pages can be framed',
    chapter: 'oauth2/authorize',
    proxy: answers('', ({ headers }) =>
      headers.has('content-security-policy')
        ? { headers: { 'content-security-policy': "default-src 'self'", 'x-frame-options': '' } }
        : null,
    ),
  },
  {
    name: 'numSignatures may be absent',
    chapter: 'oauth2/authorize',
    proxy: query(
      (all) =>
        void (
          all.get('scope') === 'credential' &&
          !all.has('numSignatures') &&
          all.set('numSignatures', '1')
        ),
    ),
  },
  {
    name: 'hashAlgorithmOID may be absent',
    chapter: 'oauth2/authorize',
    proxy: query(
      (all) =>
        void (
          all.has('hashes') &&
          !all.has('hashAlgorithmOID') &&
          all.set('hashAlgorithmOID', '2.16.840.1.101.3.4.2.1')
        ),
    ),
  },
  {
    name: 'pushing answers 200',
    chapter: PAR,
    proxy: answers(PAR, ({ status }) => (status === 201 ? { status: 200 } : null)),
  },
  {
    name: 'a request is pushed without authentication',
    chapter: PAR,
    proxy: answers(PAR, ({ status }) =>
      status === 401 || status === 400
        ? { status: 201, json: { request_uri: 'urn:x', expires_in: 60 } }
        : null,
    ),
  },
  {
    name: 'approved details do not come back',
    chapter: 'authorization_details',
    proxy: members(TOKEN, () => ({ authorization_details: undefined })),
  },
  {
    name: 'approved details lose their labels',
    chapter: 'authorization_details',
    proxy: members(TOKEN, withoutLabels),
  },
  {
    name: 'details beside parameters are taken',
    chapter: 'authorization_details',
    proxy: query((all) => {
      if (all.has('authorization_details'))
        for (const name of ['credentialID', 'numSignatures', 'hashes', 'hashAlgorithmOID'])
          all.delete(name)
    }),
  },
  { name: 'a code is taken twice', chapter: TOKEN, proxy: repeats(TOKEN) },
  {
    name: 'the verifier is not compared',
    chapter: TOKEN,
    proxy: answers(TOKEN, ({ status, json }) =>
      status === 400 && json['error'] === 'invalid_grant'
        ? { status: 200, json: { access_token: 'x'.repeat(40), token_type: 'Bearer' } }
        : null,
    ),
  },
  {
    name: 'credential tokens are of type SAD, as in v1',
    chapter: TOKEN,
    proxy: members(TOKEN, ({ scope }) => (scope === 'credential' ? { token_type: 'SAD' } : {})),
  },
  {
    name: 'credential tokens come with a refresh token',
    chapter: TOKEN,
    proxy: members(TOKEN, ({ scope }) =>
      scope === 'credential' ? { refresh_token: 'x'.repeat(40) } : {},
    ),
  },
  {
    name: 'the words of OAuth are used at the token endpoint',
    chapter: TOKEN,
    proxy: answers(TOKEN, ({ json }) =>
      json['error_description'] === 'Invalid parameter grant_type'
        ? { json: { error: 'unsupported_grant_type' } }
        : null,
    ),
  },
  {
    name: 'tokens may be stored by caches',
    chapter: TOKEN,
    proxy: answers(TOKEN, () => ({ headers: { 'cache-control': 'public' } })),
  },
  {
    name: 'a refresh token gives any scope',
    chapter: TOKEN,
    proxy: answers(TOKEN, ({ status, json }) =>
      status === 400 && json['error'] === 'invalid_scope'
        ? { status: 200, json: { access_token: 'x'.repeat(40), scope: 'credential' } }
        : null,
    ),
  },
  {
    name: 'a secret is not needed',
    chapter: TOKEN,
    proxy: answers(TOKEN, ({ json }) =>
      json['error_description'] === 'Client authorization required'
        ? { status: 200, json: { access_token: 'x' } }
        : null,
    ),
  },
  {
    name: 'tokens never expire',
    chapter: TOKEN,
    proxy: answers(LIST, ({ json }) =>
      json['error'] === 'expired_token' ? { status: 200, json: { credentialIDs: [] } } : null,
    ),
  },
  {
    name: 'revoking answers 200',
    chapter: REVOKE,
    proxy: answers(REVOKE, ({ status }) => (status === 204 ? { status: 200, json: {} } : null)),
  },
  {
    name: 'revoking an unknown token is a success',
    chapter: REVOKE,
    proxy: answers(REVOKE, ({ json }) =>
      json['error_description'] === 'Invalid string parameter token'
        ? { status: 204, json: null }
        : null,
    ),
  },
  { name: 'revoking ends nothing', chapter: REVOKE, proxy: revokesNothing },
  {
    name: 'an unknown token_type_hint is passed over',
    chapter: REVOKE,
    proxy: forms(REVOKE, (form) => {
      form.delete('token_type_hint')
    }),
  },
  {
    name: 'auth/revoke answers 200',
    chapter: 'auth/revoke',
    proxy: answers('auth/revoke', ({ status }) =>
      status === 204 ? { status: 200, json: {} } : null,
    ),
  },
  {
    name: 'auth/login without credentials is answered with 400',
    chapter: 'auth/login',
    proxy: answers('auth/login', ({ status }) => (status === 401 ? { status: 400 } : null)),
  },
  {
    name: 'mode A signs at once',
    chapter: 'signatures/signPolling',
    proxy: answers(SIGN, ({ status, asked }) =>
      status === 200 && asked['operationMode'] === 'A' ? { json: { signatures: ['AAAA'] } } : null,
    ),
  },
  {
    name: 'results are given to whoever asks',
    chapter: 'signatures/signPolling',
    proxy: grants('signatures/signPolling', 'Invalid parameter requestID', () => ({
      signatures: [],
    })),
  },
  {
    name: 'userID is refused in polling in the words of credentials/list',
    chapter: 'signatures/signPolling',
    proxy: says(
      'signatures/signPolling',
      'userID parameter SHALL be null',
      'userID parameter MUST be null',
    ),
  },
  {
    name: 'an unknown handle goes on waiting',
    chapter: 'credentials/authorizeCheck',
    proxy: answers('credentials/authorizeCheck', ({ status }) =>
      status === 400 ? { status: 202, json: { handle: 'x' } } : null,
    ),
  },
  {
    name: 'a new credential is not listed',
    chapter: CREATE_DELETE,
    proxy: members('credentials/list', ({ credentialIDs }) => ({
      credentialIDs: (credentialIDs as string[]).slice(0, 10),
    })),
  },
  {
    name: 'an agreement makes any number of credentials',
    chapter: CREATE_DELETE,
    proxy: answers('credentials/create', ({ status }) =>
      status === 401 ? { status: 201, json: {} } : null,
    ),
  },
  {
    name: 'a deleted credential stays',
    chapter: CREATE_DELETE,
    proxy: deletesNothing,
  },
  {
    name: 'any credential can be deleted with one agreement',
    chapter: CREATE_DELETE,
    proxy: answers('credentials/delete', ({ status }) =>
      status === 400 ? { status: 204, json: null } : null,
    ),
  },
  {
    name: 'a deleted key still signs',
    chapter: CREATE_DELETE,
    proxy: answers(SIGN, ({ status, asked }) =>
      status >= 400 ? { status: 200, json: fakeSignatures(asked) } : null,
    ),
  },
  {
    name: 'an account_token may be used again',
    chapter: 'oauth2/authorize',
    proxy: query((all) => {
      all.delete('account_token')
    }),
  },
  {
    name: 'a bound token opens the API without proof',
    chapter: 'DPoP',
    proxy: answers(LIST, ({ status }) =>
      status === 401 ? { status: 200, json: { credentialIDs: [] } } : null,
    ),
  },
  {
    name: 'proofs do not bind tokens',
    chapter: 'DPoP',
    proxy: members(TOKEN, ({ token_type }) =>
      token_type === 'DPoP' ? { token_type: 'Bearer' } : {},
    ),
  },
  {
    name: 'a code is redeemed with any key',
    chapter: 'DPoP',
    proxy: answers(TOKEN, ({ status, json }) =>
      status === 400 && json['error'] === 'invalid_grant'
        ? { status: 200, json: { access_token: 'x'.repeat(40), token_type: 'DPoP' } }
        : null,
    ),
  },
  {
    name: 'any assertion authenticates an application',
    chapter: 'private_key_jwt',
    proxy: answers(TOKEN, ({ json }) =>
      json['error'] === 'invalid_client'
        ? { status: 400, json: { error: 'invalid_grant', error_description: 'x' } }
        : null,
    ),
  },
  {
    name: 'the keys that sign announcements are not published',
    chapter: 'announcements at response_uri',
    proxy: members('/jwks', () => ({ keys: [] })),
  },
  {
    name: 'metadata offer the implicit grant',
    chapter: 'authorization server metadata',
    proxy: members('oauth-authorization-server', () => ({ grant_types_supported: ['implicit'] })),
  },
  {
    name: 'metadata name another issuer than iss',
    chapter: 'authorization server metadata',
    proxy: members('oauth-authorization-server', () => ({ issuer: 'https://other.example' })),
  },
  {
    name: 'signDoc takes digests nobody agreed to',
    chapter: 'signatures/signDoc',
    proxy: answers(SIGN_DOC, ({ json }) => {
      const isForeign = /authorized|authroized/.test(String(json['error_description']))
      return isForeign ? { status: 200, json: { SignatureObject: ['AAAA'] } } : null
    }),
  },
  {
    name: 'signDoc gives a signature that does not verify',
    chapter: 'signatures/signDoc',
    proxy: members(SIGN_DOC, signaturesAs('SignatureObject', lastByteFlipped)),
  },
  {
    name: 'signDoc gives a signature of a digest for a document',
    chapter: 'signatures/signDoc',
    proxy: answers(SIGN_DOC, ({ status, json: { SignatureObject } }) =>
      status === 200 && SignatureObject
        ? { json: { DocumentWithSignature: SignatureObject } }
        : null,
    ),
  },
  {
    name: 'signDoc changes what it signs',
    chapter: 'signatures/signDoc',
    proxy: members(SIGN_DOC, signaturesAs('DocumentWithSignature', anEarlyByteFlipped)),
  },
  {
    name: 'signDoc gives an XML signature with another value',
    chapter: 'signatures/signDoc',
    proxy: members(SIGN_DOC, signaturesAs('DocumentWithSignature', anotherXmlValue)),
  },
  {
    name: 'signDoc changes XML after it signed it',
    chapter: 'signatures/signDoc',
    proxy: members(SIGN_DOC, signaturesAs('DocumentWithSignature', anotherParty)),
  },
  {
    name: 'signDoc gives a PDF for a container',
    chapter: 'signatures/signDoc',
    proxy: members(SIGN_DOC, signaturesAs('DocumentWithSignature', noContainer)),
  },
  {
    name: 'signDoc gives signatures in another order',
    chapter: 'signatures/signDoc',
    proxy: members(SIGN_DOC, ({ SignatureObject }) =>
      Array.isArray(SignatureObject) ? { SignatureObject: SignatureObject.toReversed() } : {},
    ),
  },
  {
    name: 'signDoc leaves the timestamps out',
    chapter: 'signatures/signDoc',
    proxy: requests(SIGN_DOC, (asked) => {
      const text = JSON.stringify(asked).replaceAll('AdES-B-T', 'AdES-B-B')
      return JSON.parse(text) as Json
    }),
  },
  {
    name: 'signDoc signs every item with the signAlgo of the first',
    chapter: 'signatures/signDoc',
    proxy: requests(SIGN_DOC, (asked) => {
      const { documentDigests: items } = asked as { documentDigests?: Json[] }
      if (!Array.isArray(items)) return asked
      const { signAlgo, signAlgoParams, hashAlgorithmOID } = items[0] ?? {}
      const first = { signAlgo, signAlgoParams, hashAlgorithmOID }
      return { ...asked, documentDigests: items.map((item) => ({ ...item, ...first })) }
    }),
  },
  {
    name: 'info names an algorithm that no key has',
    chapter: INFO,
    proxy: members('/info', ({ signAlgorithms }) =>
      isListOfAlgorithms(signAlgorithms)
        ? { signAlgorithms: { ...signAlgorithms, algos: [...signAlgorithms.algos, ED25519] } }
        : {},
    ),
  },
  {
    name: 'a key claims an algorithm of another kind of key',
    chapter: INFO,
    proxy: members(INFO, (json) => part(json, 'key', { algo: [ECDSA_SHA256, RSA_SHA256] })),
  },
  {
    name: 'a key claims an algorithm that it refuses',
    chapter: SIGN,
    proxy: answers(SIGN, ({ asked }) =>
      asked['signAlgo'] === ECDSA_SHA384 ? { status: 400, json: unknownAlgorithm } : null,
    ),
  },
  {
    name: 'certificates of two credentials are swapped',
    chapter: SIGN,
    proxy: swapsCertificates,
  },
  {
    name: 'a credential of somebody else is listed',
    chapter: LIST,
    within: listsOneMore,
  },
  {
    name: 'the lifetime of a SAD is a text',
    chapter: AUTHORIZE,
    proxy: members(AUTHORIZE, expiresInAsText),
  },
  {
    name: 'the lifetime of an extended SAD is a text',
    chapter: EXTEND,
    proxy: members(EXTEND, expiresInAsText),
  },
  {
    name: 'the lifetime of a SAD is a text in v1',
    chapter: 'v1 credentials/authorize',
    version: 'v1',
    proxy: members(AUTHORIZE, expiresInAsText),
  },
  {
    name: 'the lifetime of a pushed request is a text',
    chapter: PAR,
    proxy: members(PAR, ({ expires_in }) => ({ expires_in: String(expires_in) })),
  },
  {
    name: 'the lifetime of a token is a text',
    chapter: TOKEN,
    proxy: members(TOKEN, ({ expires_in }) => ({ expires_in: String(expires_in) })),
  },
  {
    name: 'the lifetime of a token for a password is a text',
    chapter: LOGIN,
    proxy: members(LOGIN, ({ expires_in }) => ({ expires_in: String(expires_in) })),
  },
  {
    name: 'caches may store tokens for a password',
    chapter: LOGIN,
    proxy: answers(LOGIN, notForbiddenToStore),
  },
  {
    name: 'signatures come in another order in v1',
    chapter: 'v1 signatures/signHash',
    version: 'v1',
    proxy: members(SIGN, ({ signatures }) => ({
      signatures: (signatures as string[]).toReversed(),
    })),
  },
  {
    name: 'an extended SAD goes on signing',
    chapter: EXTEND,
    proxy: grants(SIGN, 'Invalid parameter SAD', fakeSignatures),
  },
  {
    name: 'caches may store SADs',
    chapter: AUTHORIZE,
    proxy: answers(AUTHORIZE, notForbiddenToStore),
  },
  {
    name: 'caches may store SADs that were extended',
    chapter: EXTEND,
    proxy: answers(EXTEND, notForbiddenToStore),
  },
  {
    name: 'caches may store signatures',
    chapter: SIGN,
    proxy: answers(SIGN, notForbiddenToStore),
  },
  {
    name: 'caches may store tokens that sign',
    chapter: TOKEN,
    proxy: answers(TOKEN, (seen) =>
      seen.json['scope'] === 'credential' ? notForbiddenToStore(seen) : null,
    ),
  },
  {
    name: 'signatures are declared as a web page',
    chapter: SIGN,
    proxy: answers(SIGN, ({ status }) =>
      status === 200 ? { headers: { 'content-type': 'text/html' } } : null,
    ),
  },
  {
    name: 'refusals to sign are declared as text',
    chapter: SIGN,
    proxy: answers(SIGN, ({ status }) =>
      status === 400 ? { headers: { 'content-type': 'text/plain' } } : null,
    ),
  },
  {
    name: 'refusals to sign come with status 200',
    chapter: SIGN,
    proxy: answers(SIGN, ({ status }) => (status === 400 ? { status: 200 } : null)),
  },
  {
    name: 'signatures come with an error beside them',
    chapter: SIGN,
    proxy: members(SIGN, () => ({ error: 'none' })),
  },
  {
    name: 'a foreign hash is refused with 403',
    chapter: SIGN,
    proxy: answers(SIGN, ({ json }) =>
      json['error_description'] === FOREIGN ? { status: 403 } : null,
    ),
  },
  {
    name: 'invalid_hash is said with 400',
    chapter: SIGN_DOC_CHAPTER,
    proxy: answers(SIGN_DOC, ({ json }) =>
      json['error'] === 'invalid_hash' ? { status: 400 } : null,
    ),
  },
  {
    name: 'a credential token is refused for its scope with 401',
    chapter: LIST,
    proxy: answers(LIST, ({ json }) =>
      json['error'] === 'insufficient_scope' ? { status: 401 } : null,
    ),
  },
  {
    name: 'signDoc gives documents in another order',
    chapter: SIGN_DOC_CHAPTER,
    proxy: members(SIGN_DOC, ({ DocumentWithSignature }) =>
      Array.isArray(DocumentWithSignature)
        ? { DocumentWithSignature: DocumentWithSignature.toReversed() }
        : {},
    ),
  },
  {
    name: 'signDoc signs another digest',
    chapter: SIGN_DOC_CHAPTER,
    proxy: members(SIGN_DOC, signaturesAs('SignatureObject', anotherDigest)),
  },
  {
    name: 'signDoc gives signatures in base64url',
    chapter: SIGN_DOC_CHAPTER,
    proxy: members(SIGN_DOC, ({ SignatureObject }) =>
      Array.isArray(SignatureObject)
        ? { SignatureObject: (SignatureObject as string[]).map(asBase64url) }
        : {},
    ),
  },
  {
    name: 'validation data are about another certificate',
    chapter: SIGN_DOC_CHAPTER,
    proxy: members(SIGN_DOC, (json) => validationData(json, 'of another certificate')),
  },
  {
    name: 'validation data have a signature that does not verify',
    chapter: SIGN_DOC_CHAPTER,
    proxy: members(SIGN_DOC, (json) => validationData(json, 'of nobody')),
  },
  ...['B-LT', 'B-LTA'].map((level) => ({
    name: `signDoc signs at a lower level than AdES-${level}`,
    chapter: SIGN_DOC_CHAPTER,
    proxy: requests(SIGN_DOC, (asked: Json) => {
      const lower = level === 'B-LT' ? 'AdES-B-T' : 'AdES-B-LT'
      return JSON.parse(JSON.stringify(asked).replaceAll(`"AdES-${level}"`, `"${lower}"`)) as Json
    }),
  })),
  {
    name: 'signDoc gives a signature with the timestamp of another',
    chapter: SIGN_DOC_CHAPTER,
    proxy: members(SIGN_DOC, signaturesAs('DocumentWithSignature', anotherImprint)),
  },
  {
    name: 'signDoc gives a JWS with the timestamp of another',
    chapter: SIGN_DOC_CHAPTER,
    proxy: members(SIGN_DOC, signaturesAs('DocumentWithSignature', anotherImprintOfJws)),
  },
  {
    name: 'signDoc adds to a PDF after it signed it',
    chapter: SIGN_DOC_CHAPTER,
    proxy: members(SIGN_DOC, signaturesAs('DocumentWithSignature', oneLineMore)),
  },
  {
    name: 'timestamps come without the nonce',
    chapter: 'signatures/timestamp',
    proxy: requests('/signatures/timestamp', (asked) => ({ ...asked, nonce: undefined })),
  },
  {
    name: 'timestamps are over another hash',
    chapter: 'signatures/timestamp',
    proxy: requests('/signatures/timestamp', (asked) =>
      typeof asked['hash'] === 'string' && asked['hash'].length === 44
        ? { ...asked, hash: Buffer.alloc(32, 1).toString('base64') }
        : asked,
    ),
  },
  {
    name: 'the key that a pushed request is bound to is forgotten',
    chapter: 'DPoP',
    proxy: forms(PAR, (form) => {
      form.delete('dpop_jkt')
    }),
  },
  {
    name: 'announcements name another job',
    chapter: 'announcements at response_uri',
    proxy: answers(SIGN, ({ json }) =>
      typeof json['responseID'] === 'string' ? { json: { responseID: 'another' } } : null,
    ),
  },
  {
    name: 'a credential made on the fly is not named',
    chapter: ON_THE_FLY,
    proxy: members('oauth2/token', () => ({ credentialID: '' })),
  },
  {
    name: 'a credential made on the fly signs for every kind',
    chapter: ON_THE_FLY,
    proxy: requests(SIGN_DOC, (asked) => ({ ...asked, signatureQualifier: 'za_ecta_aes' })),
  },
]

function wantsToken(forward: Fetch): Fetch {
  let calls = 0
  return async (url, init) => {
    if (!pathOf(url).endsWith('/info') || pathOf(url).endsWith('credentials/info'))
      return forward(url, init)
    calls += 1
    return calls === 1 ? forward(url, init) : new Response('{"error":"x"}', { status: 401 })
  }
}

function takesTokenFromQuery(forward: Fetch): Fetch {
  return (url, init) => {
    const token = new URL(url).searchParams.get('access_token')
    if (token === null) return forward(url, init)
    const headers = {
      ...(init.headers as Record<string, string>),
      Authorization: `Bearer ${token}`,
    }
    return forward(url, { ...init, headers })
  }
}

function forgivesJson(forward: Fetch): Fetch {
  return (url, init) => {
    if (!pathOf(url).endsWith(LIST)) return forward(url, init)
    return forward(url, { ...init, body: JSON.stringify(parsed(init.body)) })
  }
}

function mindsCase(forward: Fetch): Fetch {
  return (url, init) => {
    const { Authorization, ...others } = (init.headers ?? {}) as Record<string, string>
    const fits = Authorization === undefined || /^(Bearer|Basic)/.test(Authorization)
    return forward(url, fits ? init : { ...init, headers: others })
  }
}

function redirectsAnywhere(forward: Fetch): Fetch {
  return async (url, init) => {
    const response = await forward(url, init)
    const wanted = new URL(url).searchParams.get('redirect_uri')
    if (response.status !== 400 || wanted === null) return response
    return new Response(null, {
      status: 303,
      headers: { location: `${wanted}?error=invalid_request` },
    })
  }
}

function refusalsSpend(forward: Fetch): Fetch {
  const spent = new Set<string>()
  return async (url, init) => {
    const token = (init.headers as Record<string, string> | undefined)?.['Authorization'] ?? ''
    const proxied = answers(SIGN, ({ status }) => {
      if (spent.has(token)) {
        return {
          status: 400,
          json: { error: 'invalid_request', error_description: 'Invalid parameter SAD' },
        }
      }
      if (status === 400) spent.add(token)
      return null
    })
    return proxied(forward)(url, init)
  }
}

function revokesNothing(forward: Fetch): Fetch {
  return (url, init) => {
    if (!pathOf(url).endsWith(REVOKE)) return forward(url, init)
    const form = new URLSearchParams(init.body as string)
    const isReal = (form.get('token') ?? '').length > 20
    return isReal ? Promise.resolve(new Response(null, { status: 204 })) : forward(url, init)
  }
}

function deletesNothing(forward: Fetch): Fetch {
  return (url, init) => {
    const { credentialDeletionRequest } = parsed(init.body)
    const { revoke } = (credentialDeletionRequest ?? {}) as Json
    const isReal = pathOf(url).endsWith('credentials/delete') && revoke === undefined
    return isReal ? Promise.resolve(new Response(null, { status: 204 })) : forward(url, init)
  }
}

function signaturesAs(name: string, change: (bytes: Buffer) => Buffer): (json: Json) => Json {
  return ({ [name]: signatures }) =>
    Array.isArray(signatures)
      ? {
          [name]: (signatures as string[]).map((each) =>
            change(Buffer.from(each, 'base64')).toString('base64'),
          ),
        }
      : {}
}

function lastByteFlipped(bytes: Buffer): Buffer {
  return Buffer.from(bytes.with(-1, (bytes.at(-1) ?? 0) ^ 1))
}

/** Behind the header of a PDF. */
function anEarlyByteFlipped(bytes: Buffer): Buffer {
  return Buffer.from(bytes.with(40, (bytes[40] ?? 0) ^ 1))
}

/** In messageDigest, the octets behind its OID, a SET and a length. */
function anotherDigest(bytes: Buffer): Buffer {
  const at = bytes.indexOf(Buffer.from('06092a864886f70d010904', 'hex')) + 20
  return at < 20 ? bytes : Buffer.from(bytes.with(at, (bytes[at] ?? 0) ^ 1))
}

/** In the messageImprint of a time-stamp token, the octets behind the OID of its hash. */
function anotherImprint(bytes: Buffer): Buffer {
  const token = bytes.indexOf(Buffer.from('060b2a864886f70d0109100104', 'hex'))
  const oid = Buffer.from('0609608648016503040201', 'hex')
  const at = token < 0 ? -1 : bytes.indexOf(oid, token) + 15
  return at < 0 ? bytes : Buffer.from(bytes.with(at, (bytes[at] ?? 0) ^ 1))
}

function anotherImprintOfJws(bytes: Buffer): Buffer {
  const jws = parsed(bytes.toString())
  const { etsiU = [] } = (jws['header'] ?? {}) as { etsiU?: string[] }
  if (etsiU.length === 0) return bytes
  const changed = etsiU.map((each) => {
    const text = Buffer.from(each, 'base64url').toString()
    const other = text.replace(/"val":"([^"]+)"/, (_, val: string) => {
      return `"val":"${anotherImprint(Buffer.from(val, 'base64')).toString('base64')}"`
    })
    return Buffer.from(other).toString('base64url')
  })
  return Buffer.from(JSON.stringify({ ...jws, header: { etsiU: changed } }))
}

function oneLineMore(bytes: Buffer): Buffer {
  const isPdf = bytes.subarray(0, 4).toString() === '%PDF'
  return isPdf ? Buffer.concat([bytes, Buffer.from('\n% more\n')]) : bytes
}

function asBase64url(base64: string): string {
  return Buffer.from(base64, 'base64').toString('base64url')
}

/** Answers with the serial numbers changed, or with the end of their signatures. */
function validationData({ validationInfo }: Json, what: 'of another certificate' | 'of nobody') {
  if (validationInfo === undefined) return {}
  const { ocsp = [], ...others } = validationInfo as { ocsp?: string[] }
  const change = (base64: string) => {
    const der = Buffer.from(base64, 'base64')
    const { serialAt, signatureAt } = placesOf(der)
    const at = what === 'of nobody' ? signatureAt : serialAt
    return Buffer.from(der.with(at, (der[at] ?? 0) ^ 1)).toString('base64')
  }
  return { validationInfo: { ...others, ocsp: ocsp.map(change) } }
}

/** Of an OCSP response: the last octets of its serial number and of its signature. */
function placesOf(der: Buffer) {
  const { responseBytes } = OCSPResponse.fromBER(new Uint8Array(der))
  const basic = BasicOCSPResponse.fromBER(responseBytes?.response.getValue() ?? new ArrayBuffer())
  const serial = basic.tbsResponseData.responses[0]?.certID.serialNumber.valueBlock.valueHexView
  const octetsOf = (view: Uint8Array = new Uint8Array()) => der.indexOf(view) + view.length - 1
  return {
    serialAt: octetsOf(serial),
    signatureAt: octetsOf(basic.signature.valueBlock.valueHexView),
  }
}

function anotherXmlValue(bytes: Buffer): Buffer {
  return textChanged(bytes, /(SignatureValue[^>]*>\s*)(\w)/, (_, before: string, digit: string) => {
    return before + (digit === 'A' ? 'B' : 'A')
  })
}

function anotherParty(bytes: Buffer): Buffer {
  return textChanged(bytes, /<party>B</, () => '<party>C<')
}

function noContainer(bytes: Buffer): Buffer {
  return textChanged(bytes, /^PK/, () => '%P')
}

function textChanged(bytes: Buffer, part: RegExp, change: (...found: string[]) => string): Buffer {
  return Buffer.from(bytes.toString('latin1').replace(part, change), 'latin1')
}

function withoutLabels({ authorization_details }: Json): Json {
  if (!Array.isArray(authorization_details)) return {}
  return {
    authorization_details: (authorization_details as Json[]).map((detail) => ({
      ...detail,
      documentDigests: (detail['documentDigests'] as Json[]).map(({ hash }) => ({ hash })),
    })),
  }
}

function reversedChain({ cert }: Json): Json {
  const { certificates } = cert as { certificates?: string[] }
  return certificates ? { certificates: certificates.toReversed() } : {}
}

function brokenLines({ cert }: Json): Json {
  const { certificates } = cert as { certificates?: string[] }
  const broken = certificates?.map((each) => each.replace(/.{64}/g, '$&\n'))
  return broken ? { certificates: broken } : {}
}

function isListOfAlgorithms(value: unknown): value is { readonly algos: string[] } {
  return typeof value === 'object' && value !== null && 'algos' in value
}

function expiresInAsText({ expiresIn }: Json): Json {
  return { expiresIn: String(expiresIn) }
}

function notForbiddenToStore({ status }: Seen): Told | null {
  return status === 200 ? { headers: { 'cache-control': 'private, max-age=60' } } : null
}

/** Of those whose key is of the same kind, each time the one before. */
function swapsCertificates(forward: Fetch): Fetch {
  const earlier = new Map<string, Json>()
  return members(INFO, (json) => {
    const { algo } = json['key'] as { algo: string[] }
    const kind = String(algo)
    const other = earlier.get(kind)
    earlier.set(kind, json['cert'] as Json)
    return other === undefined ? {} : { cert: other }
  })(forward)
}

function certChange(json: Json, name: string, change: (text: string) => string): Json {
  const text = (json['cert'] as Json)[name]
  return typeof text === 'string' ? part(json, 'cert', { [name]: change(text) }) : {}
}

function listsEverybody({ services: { credentials } }: Rssp, userIds: readonly string[]) {
  const list = credentials.list.bind(credentials)
  credentials.list = async () => (await Promise.all(userIds.map((userId) => list(userId)))).flat()
  return () => {
    credentials.list = list
  }
}

function listsOneMore({ services: { credentials } }: Rssp, [own, other = '']: readonly string[]) {
  const list = credentials.list.bind(credentials)
  credentials.list = async (userId) => {
    const [foreign] = userId === own ? await list(other) : []
    return [...(await list(userId)), ...(foreign ? [foreign] : [])]
  }
  return () => {
    credentials.list = list
  }
}

function tellsForeign({ services: { credentials } }: Rssp) {
  const find = credentials.find.bind(credentials)
  credentials.find = async (id) => {
    const found = await find(id)
    if (found === null) throw new Error('unknown')
    return found
  }
  return () => {
    credentials.find = find
  }
}

function givesWrongCertificate({ services: { credentials } }: Rssp, userIds: readonly string[]) {
  const find = credentials.find.bind(credentials)
  credentials.find = async (id) => {
    const found = await find(id)
    const [other] = await credentials.list(userIds[1] ?? '')
    return found && other ? { ...found, certificates: other.certificates } : found
  }
  return () => {
    credentials.find = find
  }
}
