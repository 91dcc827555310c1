import { isServiceError } from '../errors.js'

/** A failure as a CSC client sees it (CSC API v2, 10.1). */
export interface RenderedError {
  readonly status: number
  readonly error: string
  readonly error_description: string
  /** Seconds after which to try again. */
  readonly retryAfter?: number
  /** Whether RFC 6750, RFC 9449 for tokens bound to a key, or RFC 7617 wants a challenge. */
  readonly challenge?: boolean | 'DPoP' | 'Basic'
}

const MALFORMED =
  'The request is missing a required parameter, includes an invalid parameter value, includes a parameter more than once, or is otherwise malformed.'
const UNEXPECTED =
  'The authorization server encountered an unexpected condition that prevented it from fulfilling the request.'
const OVERLOADED =
  'The authorization server is currently unable to handle the request due to a temporary overloading or maintenance of the server.'
const EXPIRED = 'The access or refresh token is expired or has been revoked.'
const UNKNOWN_TOKEN = 'The token provided is not a valid OAuth access or refresh token.'

/** All that CSC clients learn of a failure. A new `kind` without a case does not compile. */
export function renderCscError(error: unknown): RenderedError {
  if (!isServiceError(error))
    return { status: 500, error: 'server_error', error_description: UNEXPECTED }
  switch (error.kind) {
    case 'missing-parameter':
    case 'invalid-parameter':
    case 'refused-request':
    case 'unfit-document':
    case 'unfit-signed-properties':
    case 'malformed-authorization':
      return refusal(error.message)
    case 'malformed-request':
      return refusal(MALFORMED)
    case 'request-too-large':
      return { ...refusal('The request body is too large.'), status: 413 }
    case 'invalid-token':
      return {
        status: 401,
        error: 'invalid_token',
        error_description: UNKNOWN_TOKEN,
        challenge: true,
      }
    case 'expired-token':
      return { status: 401, error: 'expired_token', error_description: EXPIRED, challenge: true }
    case 'dpop-required':
      return {
        status: 401,
        error: 'invalid_token',
        error_description: 'The access token is bound to a key and needs a DPoP proof.',
        challenge: 'DPoP',
      }
    case 'dpop-nonce-required':
      return {
        status: 401,
        error: 'use_dpop_nonce',
        error_description: 'The DPoP proof needs the nonce of the DPoP-Nonce header.',
        challenge: 'DPoP',
      }
    case 'certificate-required':
      return {
        status: 401,
        error: 'invalid_token',
        error_description: 'The access token is bound to a TLS certificate.',
        challenge: true,
      }
    case 'invalid-dpop-proof':
      return {
        status: 401,
        error: 'invalid_dpop_proof',
        error_description: 'The DPoP proof does not fit the request.',
        challenge: 'DPoP',
      }
    case 'insufficient-scope':
      return {
        status: 403,
        error: 'insufficient_scope',
        error_description:
          'The request requires higher privileges than provided by the access token.',
        challenge: true,
      }
    case 'unusable-sad':
      return refusal('Invalid parameter SAD')
    case 'sad-expired':
      return refusal('SAD expired')
    case 'hash-not-authorized':
      return refusal('Hash is not authorized by the SAD.')
    case 'document-not-authorized':
      if (error.by === 'SAD') {
        return refusal('documentDigests or documents are not authorized by the SAD.')
      }
      return {
        status: 403,
        error: 'invalid_hash',
        // As the specification spells it.
        error_description: 'Document or documentDigest does not match authroized hash',
      }
    case 'too-many-signatures':
      return refusal('Numbers of signatures is too high')
    case 'credential-disabled':
      return refusal('The credential identified by credentialID is disabled')
    case 'certificate-expired':
      return refusal(`Signing certificate '${error.subject}' is expired.`)
    case 'invalid-authentication-data':
      return {
        status: 400,
        error: 'invalid_authentication_data',
        error_description: 'The authentication data is invalid',
      }
    case 'credential-locked':
      return refusal('Credential locked')
    case 'unauthorized-client':
      return {
        status: 400,
        error: 'unauthorized_client',
        error_description: 'The client is not authorized to use this method.',
      }
    case 'too-many-requests':
      return {
        status: 429,
        error: 'too_many_requests',
        error_description: 'Too many requests wait already; try again later.',
        retryAfter: error.retryAfter,
      }
    case 'malformed-authentication':
      return {
        ...refusal('Malformed authentication parameter.'),
        ...{ status: 401, challenge: 'Basic' },
      }
    case 'authentication-failed':
      return {
        status: 400,
        error: 'authentication_error',
        error_description: 'An error occurred during authentication process',
      }
    case 'overloaded':
      return {
        status: 503,
        error: 'temporarily_unavailable',
        error_description: OVERLOADED,
        retryAfter: error.retryAfter,
      }
    case 'hsm-unavailable':
    case 'storage-unavailable':
    case 'timestamp-unavailable':
    case 'validation-data-unavailable':
    case 'certificate-unavailable':
    case 'unfit-certificate':
    case 'message-not-sent':
    case 'service-stopping':
      return {
        status: 503,
        error: 'temporarily_unavailable',
        error_description: OVERLOADED,
        retryAfter: 1,
      }
    case 'hsm-outcome-unknown':
    case 'signature-withheld':
      return { status: 500, error: 'server_error', error_description: UNEXPECTED }
  }
}

function refusal(error_description: string): RenderedError {
  return { status: 400, error: 'invalid_request', error_description }
}
