import type { TSchema } from '@sinclair/typebox'
import {
  AuthenticationFailedError,
  CertificateExpiredError,
  CredentialDisabledError,
  CredentialLockedError,
  CertificateRequiredError,
  DpopNonceRequiredError,
  DpopRequiredError,
  ExpiredTokenError,
  DocumentNotAuthorizedError,
  HashNotAuthorizedError,
  HsmOutcomeUnknownError,
  HsmUnavailableError,
  InsufficientScopeError,
  InvalidAuthenticationDataError,
  InvalidDpopProofError,
  InvalidParameterError,
  InvalidTokenError,
  MalformedAuthenticationError,
  MalformedAuthorizationError,
  MalformedRequestError,
  MessageNotSentError,
  MissingParameterError,
  RefusedRequestError,
  RequestTooLargeError,
  SadExpiredError,
  ServiceStoppingError,
  SignatureWithheldError,
  StorageUnavailableError,
  OverloadedError,
  TooManyRequestsError,
  TimestampUnavailableError,
  TooManySignaturesError,
  UnauthorizedClientError,
  UnfitDocumentError,
  UnfitSignedPropertiesError,
  UnusableSadError,
  ValidationDataUnavailableError,
  CertificateUnavailableError,
  UnfitCertificateError,
  type AnyServiceError,
  type ServiceError,
} from '../errors.js'
import { complaint, type EndpointDescription } from './endpoint.js'

type Worded = MissingParameterError | InvalidParameterError | RefusedRequestError
type Kind = Exclude<AnyServiceError['kind'], Worded['kind']>

/** Something a method may refuse with: a kind of error, or one that names a parameter or has a sentence of its own. */
export type Refusal = Kind | Worded

/** Stands in a message for what differs from answer to answer. */
export const VARYING = '…'

/** Several where façades tell them apart. */
const SPECIMENS: {
  readonly [K in Kind]:
    Extract<AnyServiceError, { kind: K }> | readonly Extract<AnyServiceError, { kind: K }>[]
} = {
  'malformed-request': new MalformedRequestError(''),
  'request-too-large': new RequestTooLargeError(''),
  'malformed-authorization': new MalformedAuthorizationError(),
  'invalid-token': new InvalidTokenError(''),
  'expired-token': new ExpiredTokenError(''),
  'dpop-required': new DpopRequiredError(''),
  'dpop-nonce-required': new DpopNonceRequiredError(''),
  'certificate-required': new CertificateRequiredError(''),
  'invalid-dpop-proof': new InvalidDpopProofError(''),
  'insufficient-scope': new InsufficientScopeError(''),
  'unusable-sad': new UnusableSadError('unknown'),
  'sad-expired': new SadExpiredError(''),
  'hash-not-authorized': new HashNotAuthorizedError(''),
  'document-not-authorized': [
    new DocumentNotAuthorizedError('SAD'),
    new DocumentNotAuthorizedError('token'),
  ],
  'too-many-signatures': new TooManySignaturesError(''),
  'credential-disabled': new CredentialDisabledError(''),
  'certificate-expired': new CertificateExpiredError(VARYING),
  'invalid-authentication-data': [
    new InvalidAuthenticationDataError('', ['pin']),
    new InvalidAuthenticationDataError('', ['otp']),
    new InvalidAuthenticationDataError('', []),
  ],
  'credential-locked': new CredentialLockedError(''),
  'unauthorized-client': new UnauthorizedClientError(''),
  'hsm-unavailable': new HsmUnavailableError(''),
  'hsm-outcome-unknown': new HsmOutcomeUnknownError(''),
  'signature-withheld': new SignatureWithheldError(''),
  'storage-unavailable': new StorageUnavailableError(''),
  'service-stopping': new ServiceStoppingError(''),
  'message-not-sent': new MessageNotSentError('unavailable'),
  'too-many-requests': new TooManyRequestsError(1),
  overloaded: new OverloadedError('', 1),
  'malformed-authentication': new MalformedAuthenticationError(''),
  'authentication-failed': new AuthenticationFailedError(''),
  'unfit-document': new UnfitDocumentError(VARYING),
  'unfit-signed-properties': new UnfitSignedPropertiesError([VARYING]),
  'timestamp-unavailable': new TimestampUnavailableError(''),
  'validation-data-unavailable': new ValidationDataUnavailableError(''),
  'certificate-unavailable': new CertificateUnavailableError(''),
  'unfit-certificate': new UnfitCertificateError(''),
}

/** Of every method: the body, the records behind it, and how much there is to do. */
const OF_ALL: readonly Refusal[] = [
  ...(['malformed-request', 'request-too-large', 'storage-unavailable'] as const),
  ...(['too-many-requests', 'overloaded'] as const),
]

/** Of every method that wants a token. */
const OF_TOKENS: readonly Refusal[] = [
  ...(['malformed-authorization', 'invalid-token', 'expired-token'] as const),
  ...(['dpop-required', 'dpop-nonce-required', 'invalid-dpop-proof'] as const),
  ...(['certificate-required', 'insufficient-scope'] as const),
]

/** Errors as the refusal means them, for a façade to render. */
function specimensOf(refusal: Refusal): readonly AnyServiceError[] {
  const specimens = typeof refusal === 'string' ? SPECIMENS[refusal] : refusal
  return specimens instanceof Error ? [specimens] : specimens
}

/** All that a method may refuse with: by its token, its schema, and in its own words. */
export function refusalsOf(endpoint: EndpointDescription): ServiceError[] {
  const { scopes, request, refuses } = endpoint
  return [
    ...[...OF_ALL, ...(scopes.length > 0 ? OF_TOKENS : [])].flatMap(specimensOf),
    ...Object.entries<TSchema>(request.properties).map(([name, property]) =>
      complaint(name, property),
    ),
    ...refuses.flatMap(specimensOf),
  ]
}

export function invalid(...parameters: readonly string[]): Refusal[] {
  return parameters.map((parameter) => new InvalidParameterError(parameter))
}

export function missing(type: MissingParameterError['type'], ...parameters: string[]): Refusal[] {
  return parameters.map((parameter) => new MissingParameterError(parameter, type))
}

export function inWords(...sentences: readonly string[]): Refusal[] {
  return sentences.map((sentence) => new RefusedRequestError(sentence))
}
