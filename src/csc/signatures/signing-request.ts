import { Type } from '@sinclair/typebox'
import {
  KEY_WAS_USED,
  rejectForeignHashes,
  rejectUsedSad,
  repeatable,
  type Caller,
  type WantedDigest,
} from '../../activation/activations.js'
import type { Authorisation, Repeatable, StoredSad } from '../../activation/authorisation.js'
import { plainHttpsAddress } from '../../certificates/public-address.js'
import type { Credential } from '../../credentials/credential.js'
import {
  HashNotAuthorizedError,
  InvalidParameterError,
  isServiceError,
  RefusedRequestError,
  TooManySignaturesError,
  UnusableSadError,
  type AnyServiceError,
} from '../../errors.js'
import type { AccessToken } from '../../http/bearer.js'
import { invalid, inWords } from '../../http/refusals.js'
import { allowsSignatureAlgorithm, type SignatureAlgorithm } from '../../keys/algorithms.js'
import type { CscServices } from '../services.js'

/*
 * What `signHash` and `signDoc` have in common: when the result is there, what a request is called, and what
 * is asked of an authorisation before anything of it is used up (CSC API v2, 11.10 and 11.11).
 */

export const Sad = Type.Optional(
  Type.String({ description: 'Unless the bearer token is a credential token.' }),
)

/** The SAD, but of whoever brings a credential token. */
export function sadUnlessBearer({ authorisationId }: AccessToken): readonly string[] {
  return authorisationId === null ? ['SAD'] : []
}

export const OperationMode = Type.Optional(
  Type.String({
    complaint: 'Invalid parameter operationMode',
    description:
      'S, the default: the answer holds the signatures. A: they are fetched with `signatures/signPolling`.',
  }),
)

export const ValidityPeriod = Type.Optional(
  Type.Unknown({ description: 'Milliseconds the result can be fetched for; with mode A.' }),
)

export const ResponseUri = Type.Optional(
  Type.Unknown({ description: 'Where to say that the result is there, https; with mode A.' }),
)

export const ToBePolled = Type.Object({
  responseID: Type.String({ description: 'With mode A: for `signatures/signPolling`.' }),
})

const INVALID_KEY = 'Invalid Idempotency-Key'
const OUT_OF_BOUNDS = 'Out of bounds parameter validity_period'

/** What is refused of the mode and of the name of a request. */
export const UNFIT_MODE = [
  ...invalid('operationMode', 'validity_period', 'response_uri'),
  ...inWords(INVALID_KEY, KEY_WAS_USED, OUT_OF_BOUNDS),
]

/** How the result is to be had later. */
export interface Later {
  readonly expiresAt: Date
  readonly responseUri: URL | null
}

/**
 * Whether, and until when, the result is to be fetched later; null for the answer itself.
 * @throws {InvalidParameterError} @throws {RefusedRequestError}
 */
export async function requestedLater(
  input: {
    readonly operationMode?: string
    readonly validity_period?: unknown
    readonly response_uri?: unknown
  },
  { clientId }: AccessToken,
  { config, clients, now }: CscServices,
): Promise<Later | null> {
  const { operationMode = 'S', validity_period, response_uri } = input
  if (operationMode === 'S') return null
  if (operationMode !== 'A') throw new InvalidParameterError('operationMode')
  const { resultSeconds, longestResultSeconds } = config.lifetimes
  const period = validity_period ?? resultSeconds * 1000
  if (typeof period !== 'number' || !Number.isInteger(period)) {
    throw new InvalidParameterError('validity_period')
  }
  if (period < 1 || period > longestResultSeconds * 1000) {
    throw new RefusedRequestError(OUT_OF_BOUNDS)
  }
  const expiresAt = new Date(now().getTime() + period)
  if (response_uri === undefined) return { expiresAt, responseUri: null }
  const client = await clients.find(clientId)
  const allowed = (host: string) =>
    config.policy.responseUriHosts.includes(host) &&
    (client?.responseUriHosts?.includes(host) ?? true)
  return { expiresAt, responseUri: requestedAddress(response_uri, allowed) }
}

/** Only where the operator allows it: the service would otherwise call whatever it is told to (S60). */
function requestedAddress(response_uri: unknown, isAllowed: (host: string) => boolean): URL {
  const url = plainHttpsAddress(response_uri)
  if (!url || !isAllowed(url.host)) throw new InvalidParameterError('response_uri')
  return url
}

/** @throws {InvalidParameterError} */
export function rejectUnfitAlgorithm(
  algorithm: SignatureAlgorithm,
  { keyAlgorithm }: Credential,
): void {
  if (!allowsSignatureAlgorithm(keyAlgorithm, algorithm))
    throw new InvalidParameterError('signAlgo')
}

/** Null for a request that cannot be repeated. @throws {RefusedRequestError} */
export function nameRequest(
  key: string | null,
  caller: Caller,
  facts: readonly string[],
): Repeatable | null {
  if (key === null) return null
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) throw new RefusedRequestError(INVALID_KEY)
  return repeatable(caller, key, facts)
}

/** By what signatures are asked for. */
export interface Agreement {
  readonly authorisationId: string
  readonly sad: StoredSad | null
  readonly credential: Credential
  readonly signer: Caller
}

/**
 * The authorisation, when all of these digests are among what was agreed to and the credential can sign. It
 * may change until it is redeemed, which looks again.
 */
export async function agreedTo(
  wanted: readonly WantedDigest[],
  { authorisationId, sad, credential, signer }: Agreement,
  { credentials, activations }: CscServices,
): Promise<Authorisation> {
  // Nothing was signed by this request before, and nothing is signed by what is gone.
  if (credential.status === 'deleted') throw new InvalidParameterError('credentialID')
  // Approvals end with the credential; what ended them says more than that they did.
  credentials.rejectDisabled(credential)
  if (sad) rejectUsedSad(sad)
  const authorisation = await activations.find(authorisationId, signer)
  if (authorisation.credentialId !== credential.id) throw new InvalidParameterError('credentialID')
  activations.rejectExpired(authorisation)
  rejectForeignHashes(authorisation, credential, wanted)
  credentials.rejectUnableToSign(credential)
  return authorisation
}

/** Whether what was agreed to is gone: by the same request, perhaps, which then is no second use. */
export function isUsedUp(error: unknown): boolean {
  return (
    error instanceof UnusableSadError ||
    error instanceof HashNotAuthorizedError ||
    error instanceof TooManySignaturesError
  )
}

/** Whether somebody wanted signatures that the signer did not agree to, or not any more: they are told. */
export function isRefusedUse(error: unknown): error is AnyServiceError {
  return isServiceError(error) && REFUSED_USE.has(error.kind)
}
const REFUSED_USE: ReadonlySet<AnyServiceError['kind']> = new Set([
  ...(['unusable-sad', 'sad-expired', 'hash-not-authorized'] as const),
  ...(['too-many-signatures', 'credential-disabled'] as const),
])

/** For the audit log. */
export function whyRefused(error: AnyServiceError): string {
  const isTampered = error.kind === 'unusable-sad' && error.why === 'tampered with'
  return isTampered ? 'an approval that was tampered with' : error.kind
}
