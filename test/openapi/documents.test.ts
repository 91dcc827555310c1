import assert from 'node:assert/strict'
import { assertDescribed, DESCRIPTIONS } from '../support/described.js'

interface Node {
  readonly type?: unknown
  readonly description?: string
  readonly properties?: Readonly<Record<string, Node>>
  readonly items?: Node
}

/** Properties without a description, with the way to them. */
function undescribed(node: Node, at: string): string[] {
  const here = Object.entries(node.properties ?? {}).flatMap(([name, property]) => {
    const isGroup = property.properties !== undefined || '$ref' in property
    const missing = property.description === undefined && !isGroup ? [`${at}.${name}`] : []
    return [...missing, ...undescribed(property, `${at}.${name}`)]
  })
  return [...here, ...(node.items ? undescribed(node.items, `${at}[]`) : [])]
}

describe('The OpenAPI documents', () => {
  for (const { name, document } of DESCRIPTIONS) {
    it(`say of every method and parameter what it is: ${name}`, () => {
      const problems = Object.entries(document.paths).flatMap(([path, operations]) =>
        Object.entries(operations).flatMap(([method, operation]) => {
          const { summary } = operation as { summary?: string }
          const bodies = Object.values(operation.requestBody?.content ?? {})
          return [
            ...(summary ? [] : [`${method} ${path}`]),
            ...bodies.flatMap(({ schema }) => undescribed(schema, path)),
          ]
        }),
      )
      const shared = Object.entries(document.components['schemas'] ?? {}).flatMap(
        ([title, schema]) => (name === 'oauth' ? [] : undescribed(schema, title)),
      )
      assert.deepEqual([...problems, ...shared], [])
    })
  }
})

describe('Answers are held against the OpenAPI documents', () => {
  const SIGN = '/csc/v2/signatures/signHash'
  const none = new Headers()
  const json = (more: Record<string, string> = {}) =>
    new Headers({ 'Content-Type': 'application/json; charset=utf-8', ...more })
  const refusal = (error_description: string) => ({ error: 'invalid_request', error_description })

  const described: [string, string, number, Headers, unknown][] = [
    ['a result', SIGN, 200, json(), { signatures: ['AA=='] }],
    ['a refusal of the schema', SIGN, 400, json(), refusal('Invalid parameter clientData')],
    ['a refusal of the method', SIGN, 400, json(), refusal('Empty hash array')],
    [
      'a refusal that names somebody',
      SIGN,
      400,
      json(),
      refusal("Signing certificate 'CN=Ann (x),C=LT' is expired."),
    ],
    ['no content', '/csc/v2/auth/revoke', 204, none, ''],
    [
      'an address that is not there',
      '/csc/v2/none',
      501,
      json(),
      { error: 'not_implemented', error_description: '' },
    ],
  ]
  for (const [title, path, status, headers, body] of described) {
    it(`takes ${title}`, () => {
      assertDescribed('POST', path, { status, headers, body })
    })
  }

  const undeclared: [string, string, number, Headers, unknown][] = [
    ['a status that is not declared', SIGN, 418, json(), refusal('Empty hash array')],
    ['words that are not declared', SIGN, 400, json(), refusal('Empty hash array.')],
    [
      'words of another code',
      SIGN,
      400,
      json(),
      { error: 'invalid_token', error_description: 'Empty hash array' },
    ],
    ['words of another method', SIGN, 400, json(), refusal('Credential locked')],
    ['a member too many', SIGN, 200, json(), { signatures: [], more: 1 }],
    ['a member that is missing', SIGN, 200, json(), {}],
    ['a member of another type', SIGN, 200, json(), { signatures: [1] }],
    ['another media type', SIGN, 200, new Headers({ 'Content-Type': 'text/html' }), ''],
    [
      'a refused token without a challenge',
      SIGN,
      401,
      json(),
      {
        error: 'invalid_token',
        error_description: 'The token provided is not a valid OAuth access or refresh token.',
      },
    ],
    ['content where there is none', '/csc/v2/auth/revoke', 204, json(), {}],
    ['an address that is not there, and is', '/csc/v2/none', 200, json(), {}],
  ]
  for (const [title, path, status, headers, body] of undeclared) {
    it(`notices ${title}`, () => {
      assert.throws(() => {
        assertDescribed('POST', path, { status, headers, body })
      }, assert.AssertionError)
    })
  }
})
