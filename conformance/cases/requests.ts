import { randomBytes } from 'node:crypto'
import {
  demand,
  demandNotStored,
  MALFORMED,
  refused,
  refusedSomehow,
  same,
  succeeded,
  UNKNOWN_TOKEN,
} from '../expectations.js'
import { requirement, type Chapter, type Requirement } from '../requirement.js'
import { V2_METHODS } from './info.js'

/** Methods that need `Authorization: Bearer`. */
const PROTECTED = V2_METHODS.filter(
  (method) =>
    !['info', 'auth/login', 'credentials/sendOTP'].includes(method) &&
    !method.startsWith('oauth2/'),
)
const HEADER = 'Malformed authorization header.'
const BEARER = { clause: 'CSC v2.0.0.2 §8.1, §10.1' }
const RFC6750 = { clause: 'RFC 6750 §3', level: 'SHOULD' } as const
const BODY = { clause: 'CSC v2.0.0.2 §7.2, §10.1' }
const STATUS = { clause: 'CSC v2.0.0.2 §10.1' }

/** What every protected method does before it looks at anything else. */
export const bearer: Chapter = {
  name: 'access token',
  versions: ['v2'],
  requirements: PROTECTED.flatMap(bearerCases),
}

function bearerCases(method: string): Requirement[] {
  return [
    requirement(`${method} without Authorization is refused`, BEARER, async (t) => {
      t.needs(method)
      refused(await t.call(method, {}), { words: HEADER })
    }),
    requirement(`${method} with another scheme is refused`, BEARER, async (t) => {
      t.needs(method)
      const headers = { Authorization: 'Basic dXNlcjpwYXNzd29yZA==' }
      refused(await t.call(method, {}, null, headers), { words: HEADER })
    }),
    requirement(`${method} with an empty token is refused`, BEARER, async (t) => {
      t.needs(method)
      refused(await t.call(method, {}, null, { Authorization: 'Bearer ' }), { words: HEADER })
    }),
    requirement(`${method} with an unknown token is refused`, BEARER, async (t) => {
      t.needs(method)
      const unknown = randomBytes(32).toString('base64url')
      refused(await t.call(method, {}, unknown), {
        status: 401,
        error: 'invalid_token',
        words: UNKNOWN_TOKEN,
      })
    }),
    requirement(
      `${method} does not take the token from the query`,
      { clause: 'RFC 9700 §4.3.2' },
      async (t) => {
        t.needs(method)
        const token = await t.serviceToken()
        refusedSomehow(await t.call(`${method}?access_token=${encodeURIComponent(token)}`, {}))
      },
    ),
  ]
}

/** The form of requests and answers, whatever the method. */
export const form: Chapter = {
  name: 'requests and answers',
  versions: ['v2'],
  requirements: [
    requirement('an unknown token is answered with a Bearer challenge', RFC6750, async (t) => {
      const { headers } = await t.call('credentials/list', {}, 'nobody-has-this-token')
      demand(
        /^Bearer\b/i.test(headers.get('www-authenticate') ?? ''),
        'no WWW-Authenticate: Bearer',
      )
    }),
    requirement('a token with characters no token has is refused', BEARER, async (t) => {
      const answer = await t.call('credentials/list', {}, 'a b"c')
      refused(answer, {
        status: [400, 401],
        error: ['invalid_request', 'invalid_token'],
        words: null,
      })
    }),
    requirement(
      'the scheme Bearer may be written in any case',
      { clause: 'RFC 9110 §11.1' },
      async (t) => {
        const token = await t.serviceToken()
        for (const scheme of ['bearer', 'BEARER']) {
          succeeded(
            await t.call('credentials/list', {}, null, { Authorization: `${scheme} ${token}` }),
          )
        }
      },
    ),
    ...V2_METHODS.filter((method) => method !== 'info' && !method.startsWith('oauth2/')).map(
      (method) =>
        requirement(
          `${method}, where it is not claimed, is answered with 501`,
          STATUS,
          async (t) => {
            if (t.claims(method)) t.notApplicable('info lists it')
            const answer = await t.call(method, {}, await t.serviceToken())
            same(answer.status, 501, 'status')
            answer.string('error')
          },
        ),
    ),
    requirement('a method that does not exist is not answered with success', STATUS, async (t) => {
      const { status } = await t.call('credentials/nonsense', {}, await t.serviceToken())
      demand(status === 501 || status === 404, `status ${status}`)
    }),
    ...malformedBodies().map(([what, body]) =>
      requirement(`a body that is ${what} is refused`, BODY, async (t) => {
        const answer = await t.call('credentials/list', body, await t.serviceToken())
        refused(answer, { words: MALFORMED })
      }),
    ),
    requirement(
      'a body that is not declared as JSON is refused',
      { ...BODY, level: 'SHOULD' },
      async (t) => {
        const headers = { 'Content-Type': 'text/plain' }
        refusedSomehow(await t.call('credentials/list', '{}', await t.serviceToken(), headers))
      },
    ),
    requirement('Content-Type may have parameters', BODY, async (t) => {
      const headers = { 'Content-Type': 'application/json; charset=utf-8' }
      succeeded(await t.call('credentials/list', {}, await t.serviceToken(), headers))
    }),
    requirement(
      'methods are called by POST, not by GET',
      { clause: 'CSC v2.0.0.2 §7.2' },
      async (t) => {
        const token = await t.serviceToken()
        const answer = await t.http.send({
          method: 'GET',
          url: `${t.baseUrl}/credentials/list`,
          headers: { Authorization: `Bearer ${token}` },
        })
        refusedSomehow(answer)
      },
    ),
    requirement(
      'members the server does not know are ignored',
      { ...BODY, level: 'SHOULD' },
      async (t) => {
        succeeded(await t.call('credentials/list', { unknownMember: [1] }, await t.serviceToken()))
      },
    ),
    requirement('null counts as absent', { ...BODY, level: 'SHOULD' }, async (t) => {
      const body = { clientData: null, lang: null, credentialInfo: null, userID: null }
      succeeded(await t.call('credentials/list', body, await t.serviceToken()))
    }),
    requirement('answers are JSON in UTF-8', { clause: 'CSC v2.0.0.2 §7.2' }, async (t) => {
      const { contentType } = await t.call('credentials/list', {}, await t.serviceToken())
      demand(/^application\/json *(; *charset=utf-8)?$/i.test(contentType), contentType)
    }),
    requirement('refusals are JSON', STATUS, async (t) => {
      const answer = await t.call('credentials/list', {})
      demand(/^application\/json/i.test(answer.contentType), answer.contentType)
    }),
    requirement(
      'a refusal has error and error_description as text, and no nulls',
      STATUS,
      async (t) => {
        const answer = await t.call('credentials/info', {}, await t.serviceToken())
        answer.string('error')
        answer.string('error_description')
      },
    ),
    requirement(
      'a refusal does not echo what was sent',
      { ...STATUS, level: 'SHOULD' },
      async (t) => {
        const marker = `marker-${randomBytes(6).toString('hex')}`
        const answer = await t.call(
          'credentials/info',
          { credentialID: marker },
          await t.serviceToken(),
        )
        demand(!answer.text.includes(marker), 'it does')
      },
    ),
    requirement(
      'answers with personal data are not stored by caches',
      { ...BODY, level: 'SHOULD' },
      async (t) => {
        demandNotStored(await t.call('credentials/list', {}, await t.serviceToken()))
      },
    ),
    requirement('a very large body does not end in an error of the server', BODY, async (t) => {
      const body = { clientData: 'x'.repeat(4_000_000) }
      const { status } = await t.call('credentials/list', body, await t.serviceToken())
      demand(status < 500, `status ${status}`)
    }),
    requirement(
      'text that is not UTF-8 does not end in an error of the server',
      BODY,
      async (t) => {
        const { status } = await t.call(
          'credentials/info',
          '{"credentialID":"\\ud800"}',
          await t.serviceToken(),
        )
        demand(status < 500, `status ${status}`)
      },
    ),
  ],
}

function malformedBodies(): [string, string][] {
  return [
    ['no JSON', '{"userID":'],
    ['an array', '[]'],
    ['a text', '"credentials"'],
    ['null', 'null'],
    ['JSON and more', '{} {}'],
  ]
}
