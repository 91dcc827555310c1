/** One mount of the CSC API as an OpenAPI document, from the endpoints that answer there. */
import type { CscMount } from '../../src/csc/index.js'
import { NOT_IMPLEMENTED } from '../../src/csc/mount.js'
import type { EndpointDescription } from '../../src/http/endpoint.js'
import { refusalsOf } from '../../src/http/refusals.js'
import { VERSION } from '../../src/version.js'
import { CLIENT_SECURITY_SCHEMES, OAUTH_TAG, oauthPaths } from './oauth-operations.js'
import { refusalResponses } from './refusals.js'
import { publishRequest, publishResponse, type Json } from './schemas.js'

const TAGS: Readonly<Record<string, string>> = {
  info: 'What the service is and can do.',
  auth: 'Tokens of the API itself.',
  documents: 'Documents for signers to see. An extension: the specification has no such methods.',
  credentials: 'Keys with certificates, and how signatures with them are authorised.',
  signatures: 'Signatures over digests the signer approved.',
}

/** Names of shared answers, by status. */
const SHARED_ANSWERS: Readonly<Record<number, string>> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  413: 'TooLarge',
  500: 'Unexpected',
  501: 'Off',
  503: 'Unavailable',
}

const HEADERS: Json = {
  'WWW-Authenticate': {
    description: 'The challenge of RFC 6750, or of RFC 9449 for tokens bound to a key.',
    required: true,
    schema: { type: 'string', pattern: '^(Bearer|DPoP) error="[a-z_]+"' },
  },
  'Retry-After': {
    description: 'Seconds after which to try again.',
    required: true,
    schema: { type: 'integer', minimum: 1 },
  },
}

const PARAMETERS: Json = {
  DPoP: {
    name: 'DPoP',
    in: 'header',
    description: 'Proof that the caller holds the key the token is bound to (RFC 9449).',
    schema: { type: 'string' },
  },
  'Idempotency-Key': {
    name: 'Idempotency-Key',
    in: 'header',
    description:
      'Names the request: sent again under the same name, it is answered with the same signatures, and nothing is signed twice.',
    schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,255}$' },
  },
}

export function cscDocument(mount: CscMount): Json {
  const { version, base, endpoints, renderError, oauth } = mount
  const schemas = new Map<string, Json>()
  const shared = new Map<string, Json>()
  const paths = endpoints.map((endpoint): [string, Json] => {
    const operation = describe(endpoint, { schemas, shared, renderError })
    if (endpoint.path !== '/info') return [endpoint.path, { post: operation }]
    return [endpoint.path, { post: operation, get: byGet(operation, 'infoByGet') }]
  })
  const tags = new Set(endpoints.map(tagOf))
  return {
    openapi: '3.1.0',
    info: {
      title: `OpenRSSP: CSC API ${version}`,
      version: VERSION,
      summary: 'Remote signing as the Cloud Signature Consortium specifies it.',
      description:
        'Every method is a POST with a JSON object. Members that are not described are ignored, and `null` counts as absent. Refusals are checked in the order of the specification; their words are exact, `…` aside. Methods that are not listed answer 501, other HTTP methods 405. What the authorization server says of itself, and the health of the service, are described in a document of their own, `/oauth2/openapi.json`.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: base, description: 'This service' }],
    tags: [...[...tags].map((name) => ({ name, description: TAGS[name] ?? name })), OAUTH_TAG],
    paths: { ...(Object.fromEntries(paths) as Json), ...oauthPaths(oauth) },
    components: {
      securitySchemes: securitySchemes(mount),
      parameters: PARAMETERS,
      headers: HEADERS,
      schemas: Object.fromEntries(schemas),
      responses: Object.fromEntries(shared),
    },
  }
}

function byGet(operation: Json, operationId: string): Json {
  const members = Object.entries(operation).filter(([name]) => name !== 'requestBody')
  return { ...Object.fromEntries(members), operationId }
}

interface Parts extends Pick<CscMount, 'renderError'> {
  readonly schemas: Map<string, Json>
  readonly shared: Map<string, Json>
}

function describe(endpoint: EndpointDescription, { schemas, shared, renderError }: Parts): Json {
  const { path, summary, scopes, request, response, accepted, created, repeatable, optional } =
    endpoint
  const refusals = [
    ...[...refusalsOf(endpoint), new Error('unforeseen')].map((error) => renderError(error, path)),
    ...(optional ? [NOT_IMPLEMENTED] : []),
  ]
  const responses = [...refusalResponses(refusals)].map(([status, refusal]) => [
    String(status),
    refer(status, refusal, shared),
  ])
  const parameters = [
    ...(scopes.length > 0 ? ['DPoP'] : []),
    ...(repeatable ? ['Idempotency-Key'] : []),
  ]
  return {
    operationId: operationIdOf(path),
    tags: [tagOf(endpoint)],
    summary,
    ...(scopes.length > 0 ? { description: whoMayCall(scopes) } : {}),
    security: securityOf(endpoint),
    ...(parameters.length === 0
      ? {}
      : { parameters: parameters.map((name) => ({ $ref: `#/components/parameters/${name}` })) }),
    requestBody: {
      required: (request.required ?? []).length > 0,
      content: { 'application/json': { schema: publishRequest(request) } },
    },
    responses: {
      ...(response.type === 'null'
        ? { '204': { description: 'Done.' } }
        : { [created ? '201' : '200']: answer('Done.', publishResponse(response, schemas)) }),
      ...(accepted ? { '202': answer('Not yet.', publishResponse(accepted, schemas)) } : {}),
      ...Object.fromEntries(responses),
    },
  }
}

function answer(description: string, schema: Json): Json {
  return { description, content: { 'application/json': { schema } } }
}

/** Answers that are the same everywhere are written down once. */
function refer(status: number, refusal: Json, shared: Map<string, Json>): Json {
  const base = SHARED_ANSWERS[status]
  if (base === undefined) return refusal
  const text = JSON.stringify(refusal)
  for (let variant = 1; ; variant += 1) {
    const name = variant === 1 ? base : `${base}${variant}`
    const known = shared.get(name)
    if (known && JSON.stringify(known) !== text) continue
    shared.set(name, refusal)
    return { $ref: `#/components/responses/${name}` }
  }
}

function whoMayCall(scopes: EndpointDescription['scopes']): string {
  const names = {
    service: 'of scope `service`, of a person',
    client: 'of scope `service`, of an application for itself',
    credential: 'of scope `credential`, of an approval',
    'credential-creation': 'of scope `credential-creation`, good for one credential',
    'credential-deletion': 'of scope `credential-deletion`, good for that credential',
  }
  const list = scopes.map((scope) => `- ${names[scope]}`)
  return `Takes an access token\n\n${list.join('\n')}`
}

/** `auth/login` also takes a refresh token, for which there is no scheme. */
function securityOf({ scopes, basic }: EndpointDescription): Json[] {
  if (scopes.length === 0) return basic ? [{ basic: [] }, {}] : []
  const named = new Set(scopes.map((scope) => (scope === 'client' ? 'service' : scope)))
  return [...[...named].map((scope) => ({ oauth2: [scope] })), { bearer: [] }, { dpop: [] }]
}

function securitySchemes({ base, endpoints, oauth }: CscMount): Json {
  const below = oauth ? base : ''
  const tokenUrl = `${below}/oauth2/token`
  const known = (scopes: Readonly<Record<string, string>>) =>
    Object.fromEntries(
      Object.entries(scopes).filter(([name]) => oauth?.scopes.includes(name) ?? true),
    )
  const basic = {
    ...{ type: 'http', scheme: 'basic' },
    description: 'Name and password of the person, RFC 7617, in UTF-8.',
  }
  return {
    ...CLIENT_SECURITY_SCHEMES,
    ...(endpoints.some((endpoint) => endpoint.basic) ? { basic } : {}),
    oauth2: {
      type: 'oauth2',
      description: oauth
        ? 'The embedded authorization server; PKCE with S256 is needed, unless the application is registered to do without.'
        : 'The embedded authorization server; PKCE with S256 is needed.',
      flows: {
        authorizationCode: {
          authorizationUrl: `${below}/oauth2/authorize`,
          tokenUrl,
          refreshUrl: tokenUrl,
          scopes: known({
            service: 'To see the credentials of the person who agrees to it.',
            credential: 'To sign the digests the signer approves, once.',
            'credential-creation': 'To make one credential for the signer who agrees.',
            'credential-deletion': 'To delete the credential the signer names.',
          }),
        },
        clientCredentials: {
          tokenUrl,
          scopes: { service: 'To see and use what the application itself owns.' },
        },
      },
    },
    bearer: { type: 'http', scheme: 'bearer', description: 'The access token, RFC 6750.' },
    dpop: {
      type: 'http',
      scheme: 'dpop',
      description: 'The access token with a proof in the header `DPoP`, RFC 9449.',
    },
  }
}

function tagOf({ path }: EndpointDescription): string {
  return path.split('/')[1] ?? 'info'
}

function operationIdOf(path: string): string {
  return path.slice(1).replace(/\/(.)/g, (_, letter: string) => letter.toUpperCase())
}
