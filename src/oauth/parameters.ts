import { Type, type TProperties, type TSchema } from '@sinclair/typebox'
import { CredentialDetail } from './authorization-details.js'
import { CommonParameters, CredentialParameters } from './credential-scope.js'
import { CreationDetail, DeletionDetail } from './management-details.js'
import { SCOPES } from './rich-authorization.js'
import type { OAUTH_ROUTES } from './routes.js'

/** What a token may be, for whoever knows (RFC 7009, 2.1). */
export const TokenTypeHint = Type.Union(
  [Type.Literal('access_token'), Type.Literal('refresh_token')],
  { description: 'What it is.' },
)

/** Details of an authorization (RFC 9396): one entry, of one of our kinds. */
export const AuthorizationDetails = Type.Array(
  Type.Union([CredentialDetail, CreationDetail, DeletionDetail]),
  { minItems: 1, maxItems: 1 },
)

/** JSON within a form. */
const details = (description: string) =>
  Type.String({
    description,
    contentMediaType: 'application/json',
    contentSchema: AuthorizationDetails,
  })

const text = (description: string, more: object = {}) => Type.String({ description, ...more })

const choice = (values: readonly string[], description: string) =>
  Type.Union(
    values.map((value) => Type.Literal(value)),
    { description },
  )

/** Of an authorization request, however it comes. */
const Request = {
  response_type: choice(['code'], '`code`'),
  client_id: text('The application.'),
  redirect_uri: text('Where to go with the code; one of those registered.'),
  scope: choice(
    SCOPES,
    '`service`; for one approval `credential`; to make or end a credential `credential-creation`, `credential-deletion`.',
  ),
  state: text('Comes back as it is.'),
  code_challenge: text('PKCE, RFC 7636: SHA-256 of the verifier, base64url.', {
    pattern: '^[\\w.~-]{43,128}$',
  }),
  code_challenge_method: choice(['S256'], '`S256`'),
  authorization_details: details(
    'Instead of another scope than `service` and its parameters: RFC 9396, one entry, of type `credential`, `credential-creation` or `credential-deletion`, short or after `https://cloudsignatureconsortium.org/2025/`.',
  ),
  prompt: choice(['login', 'consent', 'none'], '`login` to have the person sign in again.'),
  response_mode: choice(['query'], '`query`, as it is without.'),
  resource: text('What the token is for (RFC 8707): the issuer, if anything.'),
  dpop_jkt: text('Thumbprint of the key the token is to be bound to (RFC 9449, 10).'),
  ui_locales: text('Languages of the pages, where `lang` does not say.'),
  login_hint: text('Of OpenID Connect, without effect.'),
  display: text('Of OpenID Connect, without effect.'),
  ...CredentialParameters.properties,
  ...CommonParameters.properties,
}

/** How an application says who it is, where no header and no certificate does. */
const Proof = {
  client_id: text('The application, unless its authentication names it.'),
  client_secret: text('Its secret, unless it comes in the `Authorization` header.'),
  client_assertion: text('A JWT signed with its key, RFC 7523.'),
  client_assertion_type: choice(
    ['urn:ietf:params:oauth:client-assertion-type:jwt-bearer'],
    'Kind of assertion.',
  ),
}

const { clientData } = CommonParameters.properties

/** Endpoints that take parameters. */
export type ParameterRoute = Exclude<keyof typeof OAUTH_ROUTES, 'jwks'>

/** What an endpoint takes, by name; all of it is text. */
export interface OAuthParameters {
  readonly properties: TProperties
  /** Without them every request is refused. */
  readonly required: readonly string[]
}

/**
 * What the OAuth endpoints take, for openapi/. The CSC parameters and the details are the schemas that
 * are checked here; the others are checked by the library, and tests hold them against what it reads.
 */
export const OAUTH_PARAMETERS: Readonly<Record<ParameterRoute, OAuthParameters>> = {
  authorization: {
    properties: {
      ...Request,
      request_uri: text('Of a pushed request; then `client_id` and nothing else is read.', {
        pattern: '^urn:ietf:params:oauth:request_uri:',
      }),
      max_age: text('Of OpenID Connect: has the person sign in again.'),
      ...Object.fromEntries(
        ['nonce', 'acr_values', 'id_token_hint'].map((name): [string, TSchema] => [
          name,
          text('Of OpenID Connect, without effect.'),
        ]),
      ),
    },
    required: ['client_id'],
  },
  pushed_authorization_request: { properties: { ...Request, ...Proof }, required: [] },
  token: {
    properties: {
      grant_type: choice(
        ['authorization_code', 'refresh_token', 'client_credentials'],
        'What is traded: a code, a refresh token, or nothing.',
      ),
      code: text('Of the authorization; used once.'),
      redirect_uri: text('As it was in the authorization request.'),
      code_verifier: text('PKCE, RFC 7636.'),
      refresh_token: text('Used once; the answer holds the next.'),
      refreshToken: text('As `refresh_token`, by the name in the samples of the CSC API.'),
      scope: choice(['service'], '`service`, for what the application itself owns.'),
      authorization_details: details('As requested or less, RFC 9396.'),
      resource: text('What the token is for (RFC 8707): the issuer, if anything.'),
      ...Proof,
      clientData,
    },
    required: ['grant_type'],
  },
  revocation: {
    properties: {
      token: text('Access token or refresh token.'),
      token_type_hint: TokenTypeHint,
      ...Proof,
      clientData,
    },
    required: ['token'],
  },
  introspection: {
    properties: {
      token: text('Of the application itself, or any for those who are told so.'),
      token_type_hint: text('What it is; others than we know are ignored.'),
      ...Proof,
    },
    required: ['token'],
  },
}
