/** What can go wrong, in our own words. Each public API renders these in its own vocabulary. */
export abstract class ServiceError extends Error {
  abstract readonly kind: string
}

/** A required member is absent, or has another JSON type than the specification gives it. */
export class MissingParameterError extends ServiceError {
  override readonly name = 'MissingParameterError'
  readonly kind = 'missing-parameter'
  readonly parameter: string
  readonly type: 'string' | 'integer' | 'array' | 'object' | 'boolean'
  constructor(parameter: string, type: MissingParameterError['type']) {
    super(`Missing (or invalid type) ${type} parameter ${parameter}`)
    this.parameter = parameter
    this.type = type
  }
}

/** A member is there and well typed, but its value is unknown, foreign or out of range. */
export class InvalidParameterError extends ServiceError {
  override readonly name = 'InvalidParameterError'
  readonly kind = 'invalid-parameter'
  readonly parameter: string
  constructor(parameter: string) {
    super(`Invalid parameter ${parameter}`)
    this.parameter = parameter
  }
}

/** A refusal for which the specification prints a sentence of its own; the message is that sentence. */
export class RefusedRequestError extends ServiceError {
  override readonly name = 'RefusedRequestError'
  readonly kind = 'refused-request'
}

/** The body as a whole cannot be read: syntax, nesting, duplicate members, media type, encoding. */
export class MalformedRequestError extends ServiceError {
  override readonly name = 'MalformedRequestError'
  readonly kind = 'malformed-request'
}

/** The body is larger than the endpoint takes. */
export class RequestTooLargeError extends ServiceError {
  override readonly name = 'RequestTooLargeError'
  readonly kind = 'request-too-large'
}

/** The `Authorization` header is absent or not of the form `Bearer <token>`. */
export class MalformedAuthorizationError extends ServiceError {
  override readonly name = 'MalformedAuthorizationError'
  readonly kind = 'malformed-authorization'
  constructor() {
    super('Malformed authorization header.')
  }
}

export class InvalidTokenError extends ServiceError {
  override readonly name = 'InvalidTokenError'
  readonly kind = 'invalid-token'
}

/** The token was good once: it has expired, was revoked, or its account or client was disabled. */
export class ExpiredTokenError extends ServiceError {
  override readonly name = 'ExpiredTokenError'
  readonly kind = 'expired-token'
}

/** The token is bound to a key, and was shown without proof that the caller holds it. */
export class DpopRequiredError extends ServiceError {
  override readonly name = 'DpopRequiredError'
  readonly kind = 'dpop-required'
}

/** The proof has to carry a nonce of ours, and did not, or an old one (RFC 9449, 9). */
export class DpopNonceRequiredError extends ServiceError {
  override readonly name = 'DpopNonceRequiredError'
  readonly kind = 'dpop-nonce-required'
}

/** The token is bound to a TLS certificate, and came with none or with another (RFC 8705, 3). */
export class CertificateRequiredError extends ServiceError {
  override readonly name = 'CertificateRequiredError'
  readonly kind = 'certificate-required'
}

/** The proof is not for this request, key or token, or was used before; the message says what is wrong. */
export class InvalidDpopProofError extends ServiceError {
  override readonly name = 'InvalidDpopProofError'
  readonly kind = 'invalid-dpop-proof'
}

/** The token is good, but for another scope than the method needs. */
export class InsufficientScopeError extends ServiceError {
  override readonly name = 'InsufficientScopeError'
  readonly kind = 'insufficient-scope'
}

/** The SAD does not authorise this call. `why` is for the audit log; clients see one sentence for most of them. */
export class UnusableSadError extends ServiceError {
  override readonly name = 'UnusableSadError'
  readonly kind = 'unusable-sad'
  readonly why:
    'unknown' | 'spent' | 'revoked' | 'other credential' | 'other client or user' | 'tampered with'
  constructor(why: UnusableSadError['why']) {
    super(`SAD is not usable: ${why}`)
    this.why = why
  }
}

export class SadExpiredError extends ServiceError {
  override readonly name = 'SadExpiredError'
  readonly kind = 'sad-expired'
}

/** At least one digest of the call is not among the authorised ones that are still unspent. */
export class HashNotAuthorizedError extends ServiceError {
  override readonly name = 'HashNotAuthorizedError'
  readonly kind = 'hash-not-authorized'
}

/** The same of documents; the specification words it by what authorises the call. */
export class DocumentNotAuthorizedError extends ServiceError {
  override readonly name = 'DocumentNotAuthorizedError'
  readonly kind = 'document-not-authorized'
  readonly by: 'SAD' | 'token'
  constructor(by: DocumentNotAuthorizedError['by']) {
    super('A document is not among what was authorised')
    this.by = by
  }
}

/** More digests than the authorisation has signatures left. */
export class TooManySignaturesError extends ServiceError {
  override readonly name = 'TooManySignaturesError'
  readonly kind = 'too-many-signatures'
}

/** The credential cannot sign now: disabled, revoked or suspended. */
export class CredentialDisabledError extends ServiceError {
  override readonly name = 'CredentialDisabledError'
  readonly kind = 'credential-disabled'
}

/** The signing certificate is outside its validity; the subject is the RFC 4514 text of its holder. */
export class CertificateExpiredError extends ServiceError {
  override readonly name = 'CertificateExpiredError'
  readonly kind = 'certificate-expired'
  readonly subject: string
  constructor(subject: string) {
    super('Signing certificate is expired')
    this.subject = subject
  }
}

/** The token was not asked to sign: nothing was used up, the caller may try again. */
export class HsmUnavailableError extends ServiceError {
  override readonly name = 'HsmUnavailableError'
  readonly kind = 'hsm-unavailable'
}

/** Others are before us: the token was not asked, and may be asked again. */
export class HsmBusyError extends HsmUnavailableError {
  readonly isBusy = true
}

/** The token was asked and no one can tell whether it signed: counts as used. */
export class HsmOutcomeUnknownError extends ServiceError {
  override readonly name = 'HsmOutcomeUnknownError'
  readonly kind = 'hsm-outcome-unknown'
}

/**
 * A signature was made that must not leave: it does not verify, what it rests on ended while it was made,
 * or it could not be recorded.
 */
export class SignatureWithheldError extends ServiceError {
  override readonly name = 'SignatureWithheldError'
  readonly kind = 'signature-withheld'
}

/** The ledger or the audit log could not be written durably, so nothing may leave. */
export class StorageUnavailableError extends ServiceError {
  override readonly name = 'StorageUnavailableError'
  readonly kind = 'storage-unavailable'
}

/** This process is about to end and lets nobody wait any longer; another one answers the next request. */
export class ServiceStoppingError extends ServiceError {
  override readonly name = 'ServiceStoppingError'
  readonly kind = 'service-stopping'
}

/** The factors do not fit, whichever of them it was; also when the signer refused. */
export class InvalidAuthenticationDataError extends ServiceError {
  override readonly name = 'InvalidAuthenticationDataError'
  readonly kind = 'invalid-authentication-data'
  /** Those that were wrong or missing, for the versions of an API that tell; empty for none in particular. */
  readonly factors: readonly string[]
  constructor(message: string, factors: readonly string[] = []) {
    super(message)
    this.factors = factors
  }
}

/** Too many wrong factors: the credential cannot be authorised for a while. */
export class CredentialLockedError extends ServiceError {
  override readonly name = 'CredentialLockedError'
  readonly kind = 'credential-locked'
}

/** The application may not use this method for this credential. */
export class UnauthorizedClientError extends ServiceError {
  override readonly name = 'UnauthorizedClientError'
  readonly kind = 'unauthorized-client'
}

/** More than the signer, or the service, is to be bothered with at a time. */
export class TooManyRequestsError extends ServiceError {
  override readonly name = 'TooManyRequestsError'
  readonly kind = 'too-many-requests'
  /** Seconds. */
  readonly retryAfter: number
  constructor(retryAfter: number) {
    super('Too many requests')
    this.retryAfter = retryAfter
  }
}

/** More work than there is room for: this was not begun, and may be tried again. */
export class OverloadedError extends ServiceError {
  override readonly name = 'OverloadedError'
  readonly kind = 'overloaded'
  /** Seconds. */
  readonly retryAfter: number
  constructor(message: string, retryAfter: number) {
    super(message)
    this.retryAfter = retryAfter
  }
}

/** Neither a user name with its password nor a refresh token came with the request. */
export class MalformedAuthenticationError extends ServiceError {
  override readonly name = 'MalformedAuthenticationError'
  readonly kind = 'malformed-authentication'
}

/** Nobody was signed in, for whatever reason: the name, the password, too many attempts. */
export class AuthenticationFailedError extends ServiceError {
  override readonly name = 'AuthenticationFailedError'
  readonly kind = 'authentication-failed'
}

/** A code could not be brought to the person; nothing of it counts. `why` is for pages and the audit log. */
export class MessageNotSentError extends ServiceError {
  override readonly name = 'MessageNotSentError'
  readonly kind = 'message-not-sent'
  readonly why: 'unavailable' | 'address-refused'
  constructor(why: MessageNotSentError['why'], options?: ErrorOptions) {
    super(`The message could not be sent: ${why}`, options)
    this.why = why
  }
}

/** A document cannot be signed as asked; the message says why, for the application to read. */
export class UnfitDocumentError extends ServiceError {
  override readonly name = 'UnfitDocumentError'
  readonly kind = 'unfit-document'
}

/** Properties to sign that the format cannot carry, by the names they were sent with. */
export class UnfitSignedPropertiesError extends ServiceError {
  override readonly name = 'UnfitSignedPropertiesError'
  readonly kind = 'unfit-signed-properties'
  readonly names: readonly string[]
  constructor(names: readonly string[]) {
    super(`Invalid parameter signed_props (${names.join(', ')})`)
    this.names = names
  }
}

/** No timestamping authority gave a token that holds. */
export class TimestampUnavailableError extends ServiceError {
  override readonly name = 'TimestampUnavailableError'
  readonly kind = 'timestamp-unavailable'
}

/** Certificates, CRLs or OCSP responses that a long-lived signature needs cannot be had. */
export class ValidationDataUnavailableError extends ServiceError {
  override readonly name = 'ValidationDataUnavailableError'
  readonly kind = 'validation-data-unavailable'
}

/** What a certification authority gave, or somebody brought, is not the certificate of that key and signer. */
export class UnfitCertificateError extends ServiceError {
  override readonly name = 'UnfitCertificateError'
  readonly kind = 'unfit-certificate'
  constructor(why: string, options?: ErrorOptions) {
    super(`The certificate does not fit: ${why}`, options)
  }
}

/** The certification authority gave no certificate, now or for this signer. */
export class CertificateUnavailableError extends ServiceError {
  override readonly name = 'CertificateUnavailableError'
  readonly kind = 'certificate-unavailable'
}

export type AnyServiceError =
  | UnfitCertificateError
  | CertificateUnavailableError
  | MissingParameterError
  | InvalidParameterError
  | RefusedRequestError
  | MalformedRequestError
  | RequestTooLargeError
  | MalformedAuthorizationError
  | InvalidTokenError
  | ExpiredTokenError
  | DpopRequiredError
  | DpopNonceRequiredError
  | CertificateRequiredError
  | InvalidDpopProofError
  | InsufficientScopeError
  | UnusableSadError
  | SadExpiredError
  | HashNotAuthorizedError
  | DocumentNotAuthorizedError
  | TooManySignaturesError
  | CredentialDisabledError
  | CertificateExpiredError
  | InvalidAuthenticationDataError
  | CredentialLockedError
  | UnauthorizedClientError
  | HsmUnavailableError
  | HsmOutcomeUnknownError
  | SignatureWithheldError
  | StorageUnavailableError
  | ServiceStoppingError
  | MessageNotSentError
  | TooManyRequestsError
  | OverloadedError
  | MalformedAuthenticationError
  | AuthenticationFailedError
  | UnfitDocumentError
  | UnfitSignedPropertiesError
  | TimestampUnavailableError
  | ValidationDataUnavailableError

export function isServiceError(error: unknown): error is AnyServiceError {
  return error instanceof ServiceError
}
