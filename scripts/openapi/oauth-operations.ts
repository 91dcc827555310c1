/** The OAuth endpoints as operations, for the root and for each version of the CSC API that has them. */
import type { TSchema } from '@sinclair/typebox'
import type { OAuthDialect } from '../../src/csc/v1/oauth2.js'
import { CreationDetail, DeletionDetail } from '../../src/oauth/management-details.js'
import { CredentialDetail } from '../../src/oauth/authorization-details.js'
import {
  CERTIFICATE_AUTH_METHOD,
  CLIENT_AUTH_METHODS,
} from '../../src/oauth/client-authentication.js'
import { FIXED_REFUSALS, type Answer } from '../../src/oauth/csc-errors.js'
import { OAUTH_PARAMETERS, type ParameterRoute } from '../../src/oauth/parameters.js'
import { OAUTH_ROUTES } from '../../src/oauth/routes.js'
import { pairsSchema } from './refusals.js'
import { publishRequest, type Json } from './schemas.js'

/** Without a dialect, the endpoints of v2 and of the root. */
type Dialect = OAuthDialect | undefined

export const OAUTH_TAG = { name: 'oauth', description: 'The embedded authorization server.' }

/** Ways for an application to say who it is; the others go in the form, for which there is no scheme. */
export const CLIENT_SECURITY_SCHEMES: Json = {
  client_secret_basic: {
    ...{ type: 'http', scheme: 'basic' },
    description: 'Name and secret of the application, RFC 6749, 2.3.1.',
  },
  [CERTIFICATE_AUTH_METHOD]: {
    type: 'mutualTLS',
    description: 'The certificate of the application, RFC 8705, where it is registered with one.',
  },
}

/**
 * What the library says of itself may be in other words some day: its codes are listed, and where all
 * sentences are ours, those alone are let pass.
 */
const LIBRARY_CODES: Readonly<Record<Exclude<ParameterRoute, 'authorization'>, readonly string[]>> =
  {
    pushed_authorization_request: [
      ...['invalid_request', 'invalid_scope', 'invalid_target', 'invalid_dpop_proof'],
      ...['use_dpop_nonce', 'access_denied', 'unauthorized_client', 'invalid_redirect_uri'],
      ...['unsupported_response_type', 'unsupported_response_mode', 'request_not_supported'],
      ...['request_uri_not_supported', 'registration_not_supported'],
      ...['invalid_authorization_details'],
    ],
    token: [
      ...['invalid_request', 'invalid_scope', 'invalid_target', 'invalid_dpop_proof'],
      ...['use_dpop_nonce', 'unauthorized_client', 'invalid_authorization_details'],
    ],
    revocation: ['invalid_request', 'unauthorized_client'],
    introspection: ['invalid_request', 'unauthorized_client'],
  }

/** In the words of the library, which says no more. */
const GRANT_REFUSED: Answer = {
  ...{ status: 400, error: 'invalid_grant' },
  error_description: 'grant request is invalid',
}
const CLIENT_REFUSED: Answer = {
  ...{ status: 401, error: 'invalid_client' },
  error_description: 'client authentication failed',
}

export function oauthPaths(dialect?: OAuthDialect): Json {
  const paths: Record<string, Json> = {
    [OAUTH_ROUTES.authorization]: { get: authorization(dialect) },
    [OAUTH_ROUTES.pushed_authorization_request]: { post: pushedRequest(dialect) },
    [OAUTH_ROUTES.token]: { post: token(dialect) },
    [OAUTH_ROUTES.revocation]: { post: revocation(dialect) },
    [OAUTH_ROUTES.introspection]: { post: introspection(dialect) },
    [OAUTH_ROUTES.jwks]: { get: keys() },
  }
  const isThere = (path: string) => dialect?.routes.includes(path) ?? true
  return Object.fromEntries(Object.entries(paths).filter(([path]) => isThere(path)))
}

function authorization(dialect: Dialect): Json {
  const { properties, required } = parametersOf('authorization', dialect)
  return {
    operationId: 'authorize',
    tags: ['oauth'],
    summary: 'Begin an authorization in the browser of the signer',
    description: dialect
      ? 'The scopes are asked for one after the other.'
      : 'After a pushed request, `client_id` and `request_uri` alone.',
    security: [],
    parameters: Object.entries(properties).map(([name, { description, ...schema }]) => ({
      ...{ name, in: 'query', description, schema },
      required: required.includes(name),
    })),
    responses: {
      '303': {
        description:
          'To the pages where the signer signs in and decides, or back to the application with `code`, or `error`, and `iss`.',
        headers: {
          Location: { required: true, schema: { type: 'string', format: 'uri-reference' } },
        },
        content: {
          'text/html': { schema: { type: 'string' } },
          'text/plain': { schema: { type: 'string' } },
        },
      },
      '400': page('The application cannot be told: a page says why.', [
        ...['invalid_request', 'invalid_client', 'invalid_redirect_uri', 'invalid_request_uri'],
        ...['request_uri_not_supported', 'request_not_supported', 'unauthorized_client'],
      ]),
      '401': page('There is no such application.', ['invalid_client']),
      '429': page('Too much at once.', ['too_many_requests']),
      '500': page('Something unforeseen happened.', ['server_error']),
      '503': page('Not now.', ['temporarily_unavailable']),
    },
  }
}

function pushedRequest(dialect: Dialect): Json {
  return {
    ...forApplications('pushAuthorization', 'Push an authorization request, RFC 9126'),
    requestBody: form('pushed_authorization_request', dialect),
    responses: {
      '201': json('Go on to the authorization endpoint with this.', {
        request_uri: {
          ...{ type: 'string', pattern: '^urn:ietf:params:oauth:request_uri:' },
          description: 'Names the request, once.',
        },
        expires_in: { type: 'integer', minimum: 1, description: 'Seconds.' },
      }),
      ...refusals('pushed_authorization_request', [CLIENT_REFUSED]),
    },
  }
}

function token(dialect: Dialect): Json {
  return {
    ...forApplications('token', 'Trade a code, a refresh token or nothing for an access token'),
    requestBody: form('token', dialect),
    responses: {
      '200': {
        description: 'The token.',
        content: { 'application/json': { schema: tokenAnswer(dialect) } },
      },
      ...refusals('token', [...FIXED_REFUSALS.token, GRANT_REFUSED]),
    },
  }
}

function revocation(dialect: Dialect): Json {
  return {
    ...forApplications('revoke', 'End a token, RFC 7009'),
    requestBody: form('revocation', dialect),
    responses: {
      '204': { description: 'It is over.' },
      ...refusals('revocation', FIXED_REFUSALS.revocation),
    },
  }
}

function introspection(dialect: Dialect): Json {
  return {
    ...forApplications('introspect', 'What a token stands for, RFC 7662'),
    requestBody: form('introspection', dialect),
    responses: { '200': introspectionAnswer(), ...refusals('introspection', [CLIENT_REFUSED]) },
  }
}

function keys(): Json {
  const members = ['kty', 'use', 'alg', 'kid', 'crv', 'x', 'y']
  const key = {
    type: 'object',
    ...{ required: members, additionalProperties: false },
    properties: Object.fromEntries(members.map((name) => [name, { type: 'string' }])),
  }
  return {
    ...{ operationId: 'jwks', tags: ['oauth'], security: [] },
    summary: 'Public keys of the authorization server, RFC 7517',
    responses: {
      '200': {
        description: 'Public halves alone.',
        content: {
          'application/jwk-set+json': {
            schema: {
              type: 'object',
              ...{ required: ['keys'], additionalProperties: false },
              properties: { keys: { type: 'array', items: key } },
            },
          },
        },
      },
    },
  }
}

function forApplications(operationId: string, summary: string): Json {
  const inForm = CLIENT_AUTH_METHODS.filter((each) => each !== 'client_secret_basic')
  const named = inForm.map((each) => `\`${each}\``).join(', ')
  const isPublic = operationId === 'introspect' ? ' Public applications learn nothing.' : ''
  return {
    ...{ operationId, tags: ['oauth'], summary },
    description: `The application says who it is in the header (\`client_secret_basic\`), by its certificate behind a proxy that is set up for it (\`${CERTIFICATE_AUTH_METHOD}\`), or in the form: ${named}.${isPublic}`,
    security: [{ client_secret_basic: [] }, { [CERTIFICATE_AUTH_METHOD]: [] }, {}],
    ...(operationId === 'token' || operationId === 'pushAuthorization'
      ? {
          parameters: [
            {
              ...{ name: 'DPoP', in: 'header', schema: { type: 'string' } },
              description: 'Proof of the key a token is to be bound to (RFC 9449).',
            },
          ],
        }
      : {}),
  }
}

function form(route: ParameterRoute, dialect: Dialect): Json {
  const { properties, required } = parametersOf(route, dialect)
  const schema = { type: 'object', properties, ...(required.length > 0 ? { required } : {}) }
  const takesJson = route === 'token' && dialect?.json === true
  return {
    required: true,
    content: {
      'application/x-www-form-urlencoded': { schema },
      ...(takesJson ? { 'application/json': { schema } } : {}),
    },
  }
}

function parametersOf(
  route: ParameterRoute,
  dialect: Dialect,
): { properties: Readonly<Record<string, Json>>; required: readonly string[] } {
  const { properties, required } = OAUTH_PARAMETERS[route]
  const known = Object.entries(properties).filter(([name]) => !dialect?.unknown.includes(name))
  return {
    properties: Object.fromEntries(
      known.map(([name, schema]) => [
        name,
        name === 'scope' && dialect && route === 'authorization'
          ? { type: 'string', enum: dialect.scopes, description: dialect.scopes.join(' or ') }
          : publishParameter(schema),
      ]),
    ),
    required,
  }
}

/** JSON within a form has a schema of its own. */
function publishParameter(schema: TSchema): Json {
  const { contentSchema, ...published } = publishRequest(schema)
  return contentSchema ? { ...published, contentSchema: publishRequest(contentSchema) } : published
}

function json(description: string, properties: Json): Json {
  const schema = closed(properties, Object.keys(properties))
  return { description, content: { 'application/json': { schema } } }
}

function closed(properties: Json, required: readonly string[]): Json {
  return { type: 'object', required, properties, additionalProperties: false }
}

/** JSON for whoever prefers it. */
function page(description: string, codes: readonly string[]): Json {
  return {
    description,
    content: {
      'text/html': { schema: { type: 'string' } },
      'application/json': { schema: freeWords(codes) },
    },
  }
}

/** @param fixed refusals in fixed words; what the library may say besides stands with its codes alone */
function refusals(route: keyof typeof LIBRARY_CODES, fixed: readonly Answer[]): Json {
  const of = (status: number) => fixed.filter((each) => each.status === status)
  return {
    '400': refusal('The request is refused.', of(400), LIBRARY_CODES[route]),
    '401': {
      ...refusal('The application has not proved who it is.', of(401)),
      headers: {
        'WWW-Authenticate': {
          description: 'The challenge of RFC 6749, 5.2.',
          ...{ required: true, schema: { type: 'string', pattern: '^Basic realm=' } },
        },
      },
    },
    '413': refusal('The form is too large.', [], ['invalid_request']),
    '429': refusal('Too much at once.', [], ['too_many_requests']),
    '500': refusal('Something unforeseen happened.', [], ['server_error']),
    '503': refusal('Not now.', [], ['temporarily_unavailable']),
  }
}

function refusal(
  description: string,
  fixed: readonly Answer[],
  libraryCodes: readonly string[] = [],
): Json {
  const ours = fixed.filter(({ error }) => !libraryCodes.includes(error))
  const schemas = [
    ...(ours.length > 0 ? [pairsSchema(ours)] : []),
    ...(libraryCodes.length > 0 ? [freeWords(libraryCodes)] : []),
  ]
  const examples = fixed.map(({ error, error_description }, index) => [
    `refusal-${index + 1}`,
    { summary: error_description, value: { error, error_description } },
  ])
  return {
    description,
    content: {
      'application/json': {
        schema: schemas.length === 1 ? schemas[0] : { oneOf: schemas },
        ...(examples.length > 0 ? { examples: Object.fromEntries(examples) as Json } : {}),
      },
    },
  }
}

function freeWords(codes: readonly string[]): Json {
  return closed(
    {
      error: { type: 'string', enum: codes },
      error_description: {
        ...{ type: 'string', minLength: 1 },
        description: 'For people; in the exact words of the examples where there are any.',
      },
      scope: { type: 'string', description: 'The scope that was refused.' },
      state: { type: 'string', description: 'As it came.' },
    },
    ['error'],
  )
}

const text = (description: string, more: Json = {}): Json => ({
  ...{ type: 'string', ...more },
  description,
})
const seconds = (description: string): Json => ({ type: 'integer', minimum: 0, description })

function approved(...details: readonly TSchema[]): Json {
  const items = details.map((each) => publishRequest(each))
  return {
    ...{ type: 'array', minItems: 1, maxItems: 1 },
    items: items.length === 1 ? items[0] : { anyOf: items },
    description: 'What was approved, RFC 9396.',
  }
}

/** One of three, by what was agreed to. */
function tokenAnswer(dialect: Dialect): Json {
  const answer = (types: readonly string[], more: Json, required: readonly string[]) =>
    closed(
      {
        access_token: text('Opaque.', { minLength: 1 }),
        token_type: text('`DPoP` when it is bound to a key.', { enum: types }),
        expires_in: seconds('Seconds.'),
        ...more,
      },
      ['access_token', 'token_type', 'expires_in', ...required],
    )
  const scope = (...names: readonly string[]) => text('What it is for.', { enum: names })
  const service = answer(
    ['Bearer', 'DPoP'],
    {
      scope: scope('service'),
      refresh_token: text(
        'Where the application may have one. It replaces the one it was got with.',
      ),
    },
    [],
  )
  const credential = answer(
    [dialect?.credentialTokenType ?? 'Bearer', 'DPoP'],
    {
      scope: scope('credential'),
      ...(dialect
        ? {}
        : {
            credentialID: text('Which credential the signer chose, if there was a choice.'),
            authorization_details: approved(CredentialDetail),
          }),
    },
    ['scope'],
  )
  if (dialect) return { anyOf: [service, credential] }
  const management = answer(
    ['Bearer', 'DPoP'],
    {
      scope: scope('credential-creation', 'credential-deletion'),
      authorization_details: approved(CreationDetail, DeletionDetail),
    },
    ['scope', 'authorization_details'],
  )
  return { anyOf: [service, credential, management] }
}

function introspectionAnswer(): Json {
  const inactive = closed({ active: { type: 'boolean', const: false } }, ['active'])
  const active = closed(
    {
      active: { type: 'boolean', const: true },
      sub: text('The person.'),
      client_id: text('The application.'),
      exp: seconds('Since 1970.'),
      iat: seconds('Since 1970.'),
      iss: text('This service.'),
      jti: text('Name of the token.'),
      sid: text('Name of the session.'),
      aud: { type: ['string', 'array'], items: { type: 'string' }, description: 'This service.' },
      scope: text('What it is for.'),
      token_type: text('How it is sent; of refresh tokens nothing.', { enum: ['Bearer', 'DPoP'] }),
      cnf: {
        ...closed(
          {
            jkt: text('SHA-256 thumbprint of the key.'),
            'x5t#S256': text('SHA-256 thumbprint of the certificate.'),
          },
          [],
        ),
        description: 'The key or the TLS certificate it is bound to.',
      },
      authorization_details: approved(CredentialDetail, CreationDetail, DeletionDetail),
    },
    ['active', 'client_id', 'exp', 'iat', 'iss'],
  )
  return {
    description: 'What is to be known; of others’ tokens, only that they are not active.',
    content: { 'application/json': { schema: { oneOf: [inactive, active] } } },
  }
}
