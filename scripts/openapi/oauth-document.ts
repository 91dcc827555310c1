/** The authorization server and the health of the service, as an OpenAPI document. */
import { SCOPES } from '../../src/oauth/rich-authorization.js'
import type { COMMON_PARAMETERS, CREDENTIAL_PARAMETERS } from '../../src/oauth/credential-scope.js'
import { OAUTH_ROUTES } from '../../src/oauth/routes.js'
import { VERSION } from '../../src/version.js'
import type { Json } from './schemas.js'

type CscParameter = (typeof COMMON_PARAMETERS)[number] | (typeof CREDENTIAL_PARAMETERS)[number]

const text = (description: string, more: Json = {}): Json => ({
  type: 'string',
  description,
  ...more,
})

/** CSC API v2, 8.4.2. */
const CSC_PARAMETERS: Readonly<Record<CscParameter, Json>> = {
  credentialID: text('The credential to sign with; the signer has the choice when it is absent.'),
  signatureQualifier: text('Kind of signature, instead of a credential.', {
    examples: ['eu_eidas_qes'],
  }),
  numSignatures: text('How many signatures; at most the `multisign` of the credential.', {
    examples: ['1'],
  }),
  hashes: text('Digests to sign, base64url, with commas between them; required at SCAL 2.'),
  hash: text('As `hashes`, by its name in version 1.'),
  hashAlgorithmOID: text('OID of the algorithm the digests were made with.', {
    examples: ['2.16.840.1.101.3.4.2.1'],
  }),
  description: text('What is signed, in words for the signer.', { maxLength: 500 }),
  clientData: text('Free data of the application.'),
  lang: text('Language of the pages, RFC 5646.'),
  account_token: text('Which account of the application this is, as a JWT (CSC API v2, 8.3).'),
}

const STATE = text('Comes back as it is.')
const AUTHORIZATION_PARAMETERS: Readonly<Record<string, Json>> = {
  response_type: text('`code`', { enum: ['code'] }),
  client_id: text('The application.'),
  redirect_uri: text('Where to go with the code; one of those registered.'),
  scope: text(
    '`service`; for one approval `credential`; to make or end a credential `credential-creation`, `credential-deletion`.',
    { enum: SCOPES },
  ),
  state: STATE,
  code_challenge: text('PKCE, RFC 7636: SHA-256 of the verifier, base64url.'),
  code_challenge_method: text('`S256`', { enum: ['S256'] }),
  authorization_details: text(
    'Instead of another scope than `service` and its parameters: RFC 9396, a JSON array with one entry, of type `credential`, `credential-creation` or `credential-deletion`, short or after `https://cloudsignatureconsortium.org/2025/`.',
  ),
  prompt: text('`login` to have the person sign in again.'),
  dpop_jkt: text('Thumbprint of the key the token is to be bound to (RFC 9449, 10).'),
  ...CSC_PARAMETERS,
}

const CLIENT_PARAMETERS: Readonly<Record<string, Json>> = {
  client_id: text('The application, unless its authentication names it.'),
  client_secret: text('Its secret, unless it comes in the `Authorization` header.'),
  client_assertion: text('A JWT signed with its key, RFC 7523.'),
  client_assertion_type: text('Kind of assertion.', {
    enum: ['urn:ietf:params:oauth:client-assertion-type:jwt-bearer'],
  }),
}

const PARAMETER_TWICE =
  'The request is missing a required parameter, includes an invalid parameter value, includes a parameter more than once, or is otherwise malformed.'

const CLIENT_REFUSALS: readonly (readonly [string, string])[] = [
  ['invalid_request', PARAMETER_TWICE],
  ['invalid_request', 'Missing parameter client_id'],
  ['invalid_request', 'Invalid parameter client_id'],
  ['invalid_request', 'Invalid parameter client_secret'],
]
const TOKEN_REFUSALS: readonly (readonly [string, string])[] = [
  ...CLIENT_REFUSALS,
  ['invalid_request', 'Missing parameter grant_type'],
  ['invalid_request', 'Invalid parameter grant_type'],
  ['invalid_request', 'Missing parameter code'],
  ['invalid_grant', 'Invalid parameter code'],
  ['invalid_grant', 'Authorization code is invalid or expired'],
  [
    'invalid_grant',
    'redirect_uri parameter does not match redirect_uri parameter of authorization request',
  ],
  ['invalid_grant', 'Invalid parameter authorization_details'],
  ['invalid_request', 'Missing parameter refresh_token'],
  ['invalid_grant', 'Invalid parameter refresh_token'],
  ['invalid_grant', 'Refresh token expired'],
  ['invalid_dpop_proof', 'The DPoP proof was used before'],
]
const REVOCATION_REFUSALS: readonly (readonly [string, string])[] = [
  ...CLIENT_REFUSALS,
  ['invalid_request', 'Missing parameter token'],
  ['invalid_request', 'Invalid string parameter token'],
  ['invalid_request', 'Invalid parameter token_type_hint'],
]
const CLIENT_UNPROVED: readonly (readonly [string, string])[] = [
  ['invalid_request', 'Client authorization required'],
  ['invalid_client', 'Invalid authorization header'],
  ['invalid_client', 'Invalid parameter client_assertion'],
]

/** Codes that the authorization server may answer with; sentences besides the examples are for people. */
const ERRORS = [
  ...['invalid_request', 'invalid_client', 'invalid_grant', 'invalid_scope', 'invalid_target'],
  ...['invalid_authorization_details', 'invalid_dpop_proof', 'use_dpop_nonce', 'access_denied'],
  ...['unauthorized_client', 'unsupported_grant_type', 'unsupported_response_type'],
  ...['unsupported_response_mode', 'request_not_supported', 'invalid_request_object'],
  ...['request_uri_not_supported', 'registration_not_supported', 'invalid_request_uri'],
  ...['invalid_redirect_uri', 'unmet_authentication_requirements'],
]

export function oauthDocument(): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'OpenRSSP: authorization server',
      version: VERSION,
      summary: 'OAuth 2.0 as the CSC API profiles it, and the health of the service.',
      description:
        'Code grant with PKCE, pushed and rich authorization requests, DPoP, revocation and introspection. The endpoints answer at the root and below each base URI of the CSC API. Everything is a form, and no parameter may come twice.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'This service' }],
    tags: [
      { name: 'oauth', description: 'The embedded authorization server.' },
      { name: 'metadata', description: 'What it says of itself.' },
      { name: 'health', description: 'For load balancers and monitoring.' },
    ],
    paths: { ...authorization(), ...applicationEndpoints(), ...metadata(), ...health() },
    components: {
      securitySchemes: {
        client_secret_basic: { type: 'http', scheme: 'basic', description: 'RFC 6749, 2.3.1.' },
      },
      headers: {
        'WWW-Authenticate': {
          description: 'The challenge of RFC 6749, 5.2.',
          schema: { type: 'string' },
        },
      },
      schemas: { Error: errorSchema(), Problem: problemSchema(), Metadata: metadataSchema() },
    },
  }
}

function authorization(): Json {
  return {
    [OAUTH_ROUTES.authorization]: {
      get: {
        operationId: 'authorize',
        tags: ['oauth'],
        summary: 'Begin an authorization in the browser of the signer',
        description: 'After a pushed request, `client_id` and `request_uri` alone.',
        security: [],
        parameters: Object.entries({
          ...AUTHORIZATION_PARAMETERS,
          request_uri: text('Of a pushed request; then nothing else is read.'),
        }).map(([name, { description, ...schema }]) => ({
          ...{ name, in: 'query', description, schema },
          required: name === 'client_id',
        })),
        responses: {
          '303': {
            description:
              'To the pages where the signer signs in and decides, or back to the application with `code`, or `error`, and `iss`.',
            headers: { Location: { required: true, schema: { type: 'string' } } },
            content: {
              'text/html': { schema: { type: 'string' } },
              'text/plain': { schema: { type: 'string' } },
            },
          },
          '400': page('The application cannot be told: a page says why.', 'Error'),
          '401': page('There is no such application.', 'Error'),
          '500': page('Something unforeseen happened.', 'Problem'),
          '503': page('Not now.', 'Problem'),
        },
      },
    },
  }
}

function applicationEndpoints(): Json {
  return {
    [OAUTH_ROUTES.pushed_authorization_request]: {
      post: {
        ...forApplications('pushAuthorization', 'Push an authorization request, RFC 9126'),
        requestBody: form({ ...AUTHORIZATION_PARAMETERS, ...CLIENT_PARAMETERS }),
        responses: {
          '201': json('Go on to the authorization endpoint with this.', {
            request_uri: text('Names the request, once.', {
              pattern: '^urn:ietf:params:oauth:request_uri:',
            }),
            expires_in: { type: 'integer', description: 'Seconds.' },
          }),
          ...refusals([], []),
        },
      },
    },
    [OAUTH_ROUTES.token]: {
      post: {
        ...forApplications('token', 'Trade a code, a refresh token or nothing for an access token'),
        requestBody: form(
          {
            grant_type: text('Which of the three.', {
              enum: ['authorization_code', 'refresh_token', 'client_credentials'],
            }),
            code: text('Of the authorization; used once.'),
            redirect_uri: text('As it was in the authorization request.'),
            code_verifier: text('PKCE, RFC 7636.'),
            refresh_token: text('Used once; the answer holds the next.'),
            scope: text('`service`, for what the application itself owns.', { enum: ['service'] }),
            authorization_details: text('As requested or less, RFC 9396.'),
            ...CLIENT_PARAMETERS,
            clientData: CSC_PARAMETERS.clientData,
          },
          ['grant_type'],
        ),
        responses: { '200': tokenAnswer(), ...refusals(TOKEN_REFUSALS, CLIENT_UNPROVED) },
      },
    },
    [OAUTH_ROUTES.revocation]: {
      post: {
        ...forApplications('revoke', 'End a token, RFC 7009'),
        requestBody: form(
          {
            token: text('Access token or refresh token.'),
            token_type_hint: text('What it is.', { enum: ['access_token', 'refresh_token'] }),
            ...CLIENT_PARAMETERS,
            clientData: CSC_PARAMETERS.clientData,
          },
          ['token'],
        ),
        responses: {
          '204': { description: 'It is over.' },
          ...refusals(REVOCATION_REFUSALS, CLIENT_UNPROVED),
        },
      },
    },
    [OAUTH_ROUTES.introspection]: {
      post: {
        ...forApplications('introspect', 'What a token stands for, RFC 7662'),
        requestBody: form(
          {
            token: text('Of the application itself, or any for those who are told so.'),
            token_type_hint: text('What it is.'),
            ...CLIENT_PARAMETERS,
          },
          ['token'],
        ),
        responses: { '200': introspectionAnswer(), ...refusals([], []) },
      },
    },
    [OAUTH_ROUTES.jwks]: {
      get: {
        operationId: 'jwks',
        tags: ['metadata'],
        summary: 'Public keys of the authorization server, RFC 7517',
        security: [],
        responses: {
          '200': {
            description: 'Public halves alone.',
            content: { 'application/jwk-set+json': { schema: jwksSchema() } },
          },
        },
      },
    },
  }
}

function metadata(): Json {
  const paths = ['oauth-authorization-server', 'openid-configuration'] as const
  return Object.fromEntries(
    paths.map((name) => [
      `/.well-known/${name}`,
      {
        get: {
          operationId: name === 'openid-configuration' ? 'openidMetadata' : 'oauthMetadata',
          tags: ['metadata'],
          summary: 'Where the endpoints are and what they can do, RFC 8414',
          security: [],
          responses: {
            '200': {
              description: 'The same at both addresses.',
              content: {
                'application/json': { schema: { $ref: '#/components/schemas/Metadata' } },
              },
            },
          },
        },
      },
    ]),
  )
}

function health(): Json {
  const ready = (value: string) => ({
    status: { type: 'string', const: value },
    hsm: { type: 'boolean', description: 'The token answers.' },
    database: { type: 'boolean', description: 'The database answers.' },
  })
  const live = { status: { type: 'string', const: 'live' } }
  return {
    '/health/live': {
      get: {
        ...{ operationId: 'live', tags: ['health'], security: [] },
        summary: 'Whether the process answers',
        responses: { '200': json('It does.', live) },
      },
    },
    '/health/ready': {
      get: {
        ...{ operationId: 'ready', tags: ['health'], security: [] },
        summary: 'Whether it can sign',
        responses: {
          '200': json('It can.', ready('ready')),
          '503': json('It cannot.', ready('not ready')),
        },
      },
    },
  }
}

function forApplications(operationId: string, summary: string): Json {
  return {
    operationId,
    tags: ['oauth'],
    summary,
    description:
      'The application proves who it is by `client_secret_basic`, `client_secret_post`, `private_key_jwt` or, behind a proxy that is set up for it, by its certificate; public applications name themselves.',
    security: [{ client_secret_basic: [] }, {}],
    parameters: [
      {
        name: 'DPoP',
        in: 'header',
        description: 'Proof of the key a token is to be bound to (RFC 9449).',
        schema: { type: 'string' },
      },
    ],
  }
}

function form(properties: Json, required: readonly string[] = []): Json {
  return {
    required: true,
    content: {
      'application/x-www-form-urlencoded': {
        schema: { type: 'object', properties, ...(required.length > 0 ? { required } : {}) },
      },
    },
  }
}

function json(description: string, properties: Json, optional: Json = {}): Json {
  return {
    description,
    content: {
      'application/json': {
        schema: {
          type: 'object',
          required: Object.keys(properties),
          properties: { ...properties, ...optional },
          additionalProperties: false,
        },
      },
    },
  }
}

/** JSON for whoever prefers it. */
function page(description: string, schema: 'Error' | 'Problem'): Json {
  return {
    description,
    content: {
      'text/html': { schema: { type: 'string' } },
      'application/json': { schema: { $ref: `#/components/schemas/${schema}` } },
    },
  }
}

type Pairs = readonly (readonly [string, string])[]

function refusals(pairs: Pairs, unproved: Pairs): Json {
  return {
    '400': refusal('The request is refused.', pairs, 'Error'),
    '401': {
      ...refusal('The application has not proved who it is.', unproved, 'Error'),
      headers: { 'WWW-Authenticate': { $ref: '#/components/headers/WWW-Authenticate' } },
    },
    '413': refusal('The form is too large.', [], 'Error'),
    '500': refusal('Something unforeseen happened.', [], 'Problem'),
    '503': refusal('Not now.', [], 'Problem'),
  }
}

function refusal(description: string, pairs: Pairs, schema: 'Error' | 'Problem'): Json {
  const examples = pairs.map(([error, error_description], index) => [
    `refusal-${index + 1}`,
    { summary: error_description, value: { error, error_description } },
  ])
  return {
    description,
    content: {
      'application/json': {
        schema: { $ref: `#/components/schemas/${schema}` },
        ...(pairs.length > 0 ? { examples: Object.fromEntries(examples) as Json } : {}),
      },
    },
  }
}

function errorSchema(): Json {
  return {
    type: 'object',
    required: ['error'],
    additionalProperties: false,
    properties: {
      error: { type: 'string', enum: ERRORS },
      error_description: text(
        'For people; in the exact words of the examples where there are any.',
      ),
      scope: text('The scope that was refused.'),
      state: STATE,
    },
  }
}

function problemSchema(): Json {
  return {
    type: 'object',
    required: ['error'],
    additionalProperties: false,
    properties: {
      error: { type: 'string', enum: ['server_error', 'temporarily_unavailable'] },
      error_description: text('For people.'),
      state: STATE,
    },
  }
}

const AUTHORIZATION_DETAILS: Json = {
  type: 'array',
  description: 'What was approved, RFC 9396.',
  items: { type: 'object' },
}

function tokenAnswer(): Json {
  return json(
    'The token.',
    {
      access_token: text('Opaque.'),
      token_type: text('`DPoP` when it is bound to a key.', { enum: ['Bearer', 'DPoP'] }),
      expires_in: { type: 'integer', description: 'Seconds.' },
    },
    {
      scope: text('What it is for; `service` when absent.', { enum: SCOPES }),
      refresh_token: text('For scope `service`, where the application may have one.'),
      credentialID: text('Which credential the signer chose, if there was a choice.'),
      authorization_details: AUTHORIZATION_DETAILS,
    },
  )
}

function introspectionAnswer(): Json {
  return json(
    'What is to be known; of others’ tokens, only that they are not active.',
    { active: { type: 'boolean', description: 'Whether it can be used.' } },
    {
      sub: text('The person.'),
      client_id: text('The application.'),
      exp: { type: 'integer', description: 'Seconds since 1970.' },
      iat: { type: 'integer', description: 'Seconds since 1970.' },
      iss: text('This service.'),
      jti: text('Name of the token.'),
      sid: text('Name of the session.'),
      aud: { type: ['string', 'array'], items: { type: 'string' }, description: 'This service.' },
      scope: text('What it is for.'),
      token_type: text('How it is sent.', { enum: ['Bearer', 'DPoP'] }),
      cnf: {
        type: 'object',
        description: 'The key or the TLS certificate it is bound to.',
        properties: {
          jkt: text('SHA-256 thumbprint of the key.'),
          'x5t#S256': text('SHA-256 thumbprint of the certificate.'),
        },
        additionalProperties: false,
      },
      authorization_details: AUTHORIZATION_DETAILS,
    },
  )
}

function jwksSchema(): Json {
  return {
    type: 'object',
    required: ['keys'],
    additionalProperties: false,
    properties: {
      keys: {
        type: 'array',
        items: {
          type: 'object',
          required: ['kty', 'use', 'alg', 'kid', 'crv', 'x', 'y'],
          additionalProperties: false,
          properties: Object.fromEntries(
            ['kty', 'use', 'alg', 'kid', 'crv', 'x', 'y'].map((name) => [name, { type: 'string' }]),
          ),
        },
      },
    },
  }
}

function metadataSchema(): Json {
  const uri = { type: 'string', format: 'uri' }
  const uris = ['issuer', 'authorization_endpoint', 'token_endpoint', 'revocation_endpoint']
  return {
    type: 'object',
    description: 'RFC 8414; members besides those named here may come.',
    required: [...uris, 'pushed_authorization_request_endpoint', 'jwks_uri', 'scopes_supported'],
    properties: {
      ...Object.fromEntries(uris.map((name) => [name, uri])),
      pushed_authorization_request_endpoint: uri,
      introspection_endpoint: uri,
      jwks_uri: uri,
      scopes_supported: { type: 'array', items: { type: 'string' } },
      code_challenge_methods_supported: { type: 'array', items: { const: 'S256' } },
    },
  }
}
