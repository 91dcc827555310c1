import { calculateJwkThumbprint } from 'jose'
import type { Answer, HeaderFields, Json } from '../exchange.js'
import { demand, refused, refusedSomehow, same, succeeded } from '../expectations.js'
import { newPkce } from '../oauth-client.js'
import { DpopKey } from '../proofs.js'
import { requirement, type Chapter, type Requirement } from '../requirement.js'
import { codeOf, type Subject } from '../subject.js'

const CHECKING = { clause: 'RFC 9449 §4.3' }
const RESOURCE = { clause: 'RFC 9449 §7.1' }
const TOKEN = { clause: 'RFC 9449 §5' }
const METHOD = 'credentials/list'
const TOKEN_SECONDS = 1500

/** Tokens bound to a key: who takes one away cannot use it. */
export const dpop: Chapter = {
  name: 'DPoP',
  versions: ['v2'],
  precondition: async (t) => void (await algorithms(t)),
  requirements: [
    requirement(
      'is offered with asymmetric algorithms only',
      { clause: 'RFC 9449 §5.1' },
      async (t) => {
        const unfit = (await algorithms(t)).filter((each) => /^(none|HS)/i.test(each))
        same(unfit, [], 'algorithms')
      },
    ),
    requirement('binds the token of a request with a proof, and says so', TOKEN, async (t) => {
      same((await bound(t)).answer.string('token_type').toLowerCase(), 'dpop', 'token_type')
    }),
    requirement('opens the API to who holds the key', RESOURCE, async (t) => {
      succeeded(await list(t))
    }),
    requirement('takes the scheme DPoP in any case', { clause: 'RFC 9110 §11.1' }, async (t) => {
      succeeded(await list(t, {}, {}, { scheme: 'dpop' }))
    }),
    requirement('does not mind query and fragment of htu', CHECKING, async (t) => {
      succeeded(await list(t, { htu: `${urlOf(t)}?a=b#c` }))
    }),
    requirement('refuses a bound token as Bearer', RESOURCE, async (t) => {
      const { token } = await bound(t)
      refusedToken(await t.call(METHOD, {}, token))
    }),
    requirement('refuses a bound token as Bearer, though with a proof', RESOURCE, async (t) => {
      refusedToken(await list(t, {}, {}, { scheme: 'Bearer' }))
    }),
    requirement('refuses a bound token without proof', RESOURCE, async (t) => {
      const { token } = await bound(t)
      refusedToken(await t.call(METHOD, {}, null, { Authorization: `DPoP ${token}` }))
    }),
    requirement('says in a challenge what proofs it takes', RESOURCE, async (t) => {
      const { token } = await bound(t)
      const { headers } = await t.call(METHOD, {}, null, { Authorization: `DPoP ${token}` })
      const challenge = headers.get('www-authenticate') ?? ''
      demand(/^DPoP\b.*algs=/.test(challenge), `WWW-Authenticate is ${challenge}`)
    }),
    requirement('refuses a token that is not bound, with a proof', RESOURCE, async (t) => {
      const token = await t.serviceToken()
      refusedToken(await list(t, {}, {}, { token }))
    }),
    requirement('refuses a proof by another key', CHECKING, async (t) => {
      refusedToken(await list(t, {}, {}, { key: await another(t) }))
    }),
    requirement(
      'refuses a proof that names the key and is signed by another',
      CHECKING,
      async (t) => {
        const jwk = (await bound(t)).key.publicJwk
        refusedToken(await list(t, {}, { jwk }, { key: await another(t) }))
      },
    ),
    requirement(
      'refuses a proof that was used before',
      { clause: 'RFC 9449 §11.1', level: 'SHOULD' },
      async (t) => {
        const jti = crypto.randomUUID()
        succeeded(await list(t, { jti }))
        refusedToken(await list(t, { jti }))
      },
    ),
    requirement('refuses two proofs', CHECKING, async (t) => {
      const { token, key } = await bound(t)
      const proofs = [await proofFor(t, key, token), await proofFor(t, key, token)]
      const headers = { Authorization: `DPoP ${token}`, DPoP: proofs.join(', ') }
      refusedToken(await t.call(METHOD, {}, null, headers))
    }),
    ...row('for another method', () => ({ htm: 'GET' })),
    ...row('without method', () => ({ htm: null })),
    ...row('for another method of the API', (t) => ({ htu: `${t.baseUrl}/info` })),
    ...row('for another host', () => ({ htu: 'https://other.example/credentials/list' })),
    ...row('without address', () => ({ htu: null })),
    ...row('without identifier', () => ({ jti: null })),
    ...row('without time', () => ({ iat: null })),
    ...row('of an hour ago', (t) => ({ iat: epoch(t) - 3600 })),
    ...row('of an hour ahead', (t) => ({ iat: epoch(t) + 3600 })),
    ...row('without hash of the token', () => ({ ath: null })),
    ...row('with the hash of another token', () => ({ ath: 'A'.repeat(43) })),
    ...headerRow('of another type', () => ({ typ: 'JWT' })),
    ...headerRow('without key', () => ({ jwk: undefined })),
    ...headerRow('with a symmetric key', () => ({ jwk: { kty: 'oct', k: 'AAAA' } })),
    requirement('refuses a proof that gives its private key away', CHECKING, async (t) => {
      const jwk = await (await bound(t)).key.privateJwk()
      refusedToken(await list(t, {}, { jwk }))
    }),
    ...['none', 'HS256'].map((alg) =>
      requirement(`refuses a proof whose header says ${alg}`, CHECKING, async (t) => {
        const { token, key } = await bound(t)
        const [header = '', ...rest] = (await proofFor(t, key, token)).split('.')
        const members = JSON.parse(Buffer.from(header, 'base64url').toString()) as Json
        const changed = Buffer.from(JSON.stringify({ ...members, alg })).toString('base64url')
        const DPoP = [changed, ...rest].join('.')
        refusedToken(await t.call(METHOD, {}, null, { Authorization: `DPoP ${token}`, DPoP }))
      }),
    ),
    requirement('refuses at the token endpoint a proof for another address', TOKEN, async (t) => {
      const { code, code_verifier } = await newCode(t)
      const key = await another(t)
      const answer = await redeemWith(t, key, code, code_verifier, { htu: `${t.baseUrl}/info` })
      refused(answer, {
        status: [400, 401],
        error: ['invalid_dpop_proof', 'invalid_request'],
        words: null,
      })
    }),
    requirement(
      'gives a code that was bound to a key to its holder alone',
      { clause: 'RFC 9449 §10' },
      async (t) => {
        const key = await another(t)
        const dpop_jkt = await calculateJwkThumbprint(key.publicJwk)
        const first = await newCode(t, { dpop_jkt })
        const stolen = await redeemWith(t, await another(t), first.code, first.code_verifier)
        refused(stolen, {
          status: [400, 401],
          error: ['invalid_grant', 'invalid_dpop_proof'],
          words: null,
        })
        const second = await newCode(t, { dpop_jkt })
        succeeded(await redeemWith(t, key, second.code, second.code_verifier))
      },
    ),
    ...(
      [
        ['by dpop_jkt', async (key) => [{ dpop_jkt: await calculateJwkThumbprint(key.publicJwk) }]],
        ['by a proof', async (key, url, now) => [{}, { DPoP: await key.proof({ url, now }, {}) }]],
      ] as [string, Binding][]
    ).map(([how, binding]) =>
      requirement(
        `gives the code of a pushed request that was bound ${how} to the holder of the key`,
        { clause: 'RFC 9449 §10.1' },
        async (t) => {
          const key = await another(t)
          const first = await pushedCode(t, key, binding)
          const stolen = await redeemWith(t, await another(t), first.code, first.code_verifier)
          refused(stolen, {
            status: [400, 401],
            error: ['invalid_grant', 'invalid_dpop_proof'],
            words: null,
          })
          const second = await pushedCode(t, key, binding)
          succeeded(await redeemWith(t, key, second.code, second.code_verifier))
        },
      ),
    ),
    requirement(
      'refuses a pushed request whose dpop_jkt is of another key than its proof',
      { clause: 'RFC 9449 §10.1' },
      async (t) => {
        const url = pushedEndpoint(t)
        const dpop_jkt = await calculateJwkThumbprint((await another(t)).publicJwk)
        const key = await another(t)
        const answer = await proving(async (nonce) => {
          const DPoP = await key.proof({ url, now: t.authorizationServerTime() }, nonce)
          return t.push({ ...t.request(), dpop_jkt }, t.target.client, { DPoP })
        })
        refused(answer, {
          status: [400, 401],
          error: ['invalid_request', 'invalid_dpop_proof'],
          words: null,
        })
      },
    ),
    requirement('lets a bound credential token sign, for its holder alone', RESOURCE, async (t) => {
      t.needs('signatures/signHash')
      const credential = await t.credential({ mode: 'oauth2code' })
      const documents = t.documentsFor(credential)
      const [first] = documents
      if (!first) return
      const { code_verifier, code_challenge } = newPkce()
      const request = t.credentialRequest(credential, documents, { code_challenge })
      const key = await another(t)
      const code = codeOf(await t.authorize(request))
      const token = succeeded(await redeemWith(t, key, code, code_verifier)).string('access_token')
      const algorithm = t.algorithmFor(credential, first)
      const authorised = { credential, documents, bearer: token, SAD: null, algorithm }
      refusedSomehow(await t.sign(authorised))
      const body = t.signBody(authorised)
      const url = `${t.baseUrl}/signatures/signHash`
      const answer = await proving(async (nonce) => {
        const DPoP = await key.proof({ url, accessToken: token, now: t.clock.now() }, nonce)
        const headers = { Authorization: `DPoP ${token}`, DPoP }
        return t.callToSign('signatures/signHash', body, null, headers)
      })
      t.verifySignatures(answer, authorised)
    }),
  ],
}

async function algorithms(t: Subject): Promise<readonly string[]> {
  const metadata = await t.metadata()
  const name = 'dpop_signing_alg_values_supported'
  if (!metadata.has(name)) return t.notApplicable(`the metadata have no ${name}`)
  return metadata.strings(name)
}

/** What keys are made for: what is in widest use first. */
async function another(t: Subject): Promise<DpopKey> {
  const offered = await algorithms(t)
  const alg = ['ES256', 'PS256', 'RS256', 'EdDSA'].find((each) => offered.includes(each))
  if (alg === undefined) return t.notApplicable('it offers no algorithm this runner has')
  return DpopKey.make(alg)
}

async function newCode(t: Subject, changes: Record<string, string> = {}) {
  const { code_verifier, code_challenge } = newPkce()
  const code = codeOf(await t.authorize(t.request({ code_challenge, ...changes })))
  return { code, code_verifier }
}

/** What a pushed request is bound to a key by: parameters, and headers. */
type Binding = (key: DpopKey, url: string, now: Date) => Promise<[Json, HeaderFields?]>

function pushedEndpoint(t: Subject): string {
  return t.oauth.pushed ?? t.notApplicable('the server has no endpoint for pushed requests')
}

async function pushedCode(t: Subject, key: DpopKey, binding: Binding) {
  const { code_verifier, code_challenge } = newPkce()
  const [fields, headers] = await binding(key, pushedEndpoint(t), t.authorizationServerTime())
  const { client } = t.target
  const request = { ...t.request({ code_challenge }), ...(fields as Record<string, string>) }
  const answer = succeeded(await t.push(request, client, headers), 201)
  const { client_id } = client
  const told = await t.authorize({ client_id, request_uri: answer.string('request_uri') })
  return { code: codeOf(told), code_verifier }
}

/** A service token bound to a key; used by all cases. */
function bound(t: Subject): Promise<{ token: string; key: DpopKey; answer: Answer }> {
  return t.kept('service token, bound', TOKEN_SECONDS, async () => {
    const key = await another(t)
    const { code, code_verifier } = await newCode(t)
    const answer = succeeded(await redeemWith(t, key, code, code_verifier))
    return { token: answer.string('access_token'), key, answer }
  })
}

function redeemWith(
  t: Subject,
  key: DpopKey,
  code: string,
  code_verifier: string,
  changes: Json = {},
): Promise<Answer> {
  const { client } = t.target
  return proving(async (nonce) => {
    const proven = { url: t.oauth.token, now: t.authorizationServerTime() }
    const DPoP = await key.proof(proven, { ...nonce, ...changes })
    return t.redeem(code, code_verifier, {}, client, { DPoP })
  })
}

/** Sends with a proof; once more with the server's nonce where it asks for one (RFC 9449 §8, §9). */
async function proving(send: (nonce: Json) => Promise<Answer>): Promise<Answer> {
  const answer = await send({})
  const nonce = answer.headers.get('dpop-nonce')
  return answer.get('error') === 'use_dpop_nonce' && nonce !== null ? send({ nonce }) : answer
}

function urlOf(t: Subject): string {
  return `${t.baseUrl}/${METHOD}`
}

function epoch(t: Subject): number {
  return Math.floor(t.clock.now().getTime() / 1000)
}

function proofFor(
  t: Subject,
  key: DpopKey,
  accessToken: string,
  changes: Json = {},
  header: Json = {},
): Promise<string> {
  return key.proof({ url: urlOf(t), accessToken, now: t.clock.now() }, changes, header)
}

/** Calls a method with the bound token and a proof, right but for the changes. */
async function list(
  t: Subject,
  changes: Json = {},
  header: Json = {},
  instead: { key?: DpopKey; token?: string; scheme?: string } = {},
): Promise<Answer> {
  const { key, token, scheme = 'DPoP' } = { ...(await bound(t)), ...instead }
  return proving(async (nonce) => {
    const DPoP = await proofFor(t, key, token, { ...nonce, ...changes }, header)
    const headers: HeaderFields = { Authorization: `${scheme} ${token}`, DPoP }
    return t.call(METHOD, {}, null, headers)
  })
}

function refusedToken(answer: Answer): void {
  refused(answer, {
    status: [400, 401],
    error: ['invalid_dpop_proof', 'invalid_token', 'invalid_request'],
    words: null,
  })
}

function row(what: string, changes: (t: Subject) => Json): Requirement[] {
  return [
    requirement(`refuses a proof ${what}`, CHECKING, async (t) => {
      refusedToken(await list(t, changes(t)))
    }),
  ]
}

function headerRow(what: string, header: (t: Subject) => Json): Requirement[] {
  return [
    requirement(`refuses a proof ${what}`, CHECKING, async (t) => {
      refusedToken(await list(t, {}, header(t)))
    }),
  ]
}
