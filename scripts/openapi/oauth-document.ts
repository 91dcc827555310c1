/** The authorization server and the health of the service, as an OpenAPI document. */
import { VERSION } from '../../src/version.js'
import { CLIENT_SECURITY_SCHEMES, OAUTH_TAG, oauthPaths } from './oauth-operations.js'
import type { Json } from './schemas.js'

export function oauthDocument(): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'OpenRSSP: authorization server',
      version: VERSION,
      summary: 'OAuth 2.0 as the CSC API profiles it, and the health of the service.',
      description:
        'Code grant with PKCE, pushed and rich authorization requests, DPoP, revocation and introspection. The endpoints answer at the root and below each base URI of the CSC API, in the words of that version: its own document describes them. Everything is a form, and no parameter may come twice.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'This service' }],
    tags: [
      OAUTH_TAG,
      { name: 'metadata', description: 'What it says of itself.' },
      { name: 'health', description: 'For load balancers and monitoring.' },
    ],
    paths: { ...oauthPaths(), ...metadata(), ...health() },
    components: {
      securitySchemes: CLIENT_SECURITY_SCHEMES,
      schemas: { Metadata: metadataSchema() },
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
    leaving: { type: 'boolean', description: 'It is about to stop.' },
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
