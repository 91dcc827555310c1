import { Type, type Static } from '@sinclair/typebox'
import {
  KEY_WAS_USED,
  rejectForeignHashes,
  rejectUsedSad,
  repeatable,
  signerOf,
  type Activation,
  type Caller,
} from '../../activation/activations.js'
import type { Repeatable, SigningJob, StoredSad } from '../../activation/authorisation.js'
import type { Credential } from '../../credentials/credential.js'
import {
  type AnyServiceError,
  HashNotAuthorizedError,
  HsmUnavailableError,
  InvalidParameterError,
  isServiceError,
  RefusedRequestError,
  TooManySignaturesError,
  UnusableSadError,
} from '../../errors.js'
import type { AccessToken } from '../../http/bearer.js'
import { inWords, invalid, missing } from '../../http/refusals.js'
import {
  allowsSignatureAlgorithm,
  rejectWrongDigestLength,
  signatureAlgorithm,
  type SignatureAlgorithm,
} from '../../keys/algorithms.js'
import { decodeHashes } from '../hashes.js'
import {
  ClientData,
  CredentialID,
  Digest,
  FOREIGN_CREDENTIAL,
  HashAlgorithmOID,
  UNFIT_DIGESTS,
  UNUSABLE_CREDENTIAL,
} from '../parameters.js'
import { authorisationOf } from '../sad.js'
import { defineCscEndpoint, type CscServices } from '../services.js'

const Request = Type.Object({
  SAD: Type.Optional(
    Type.String({ description: 'Unless the bearer token is a credential token.' }),
  ),
  credentialID: CredentialID,
  hashes: Type.Array(Digest, {
    complaint: 'Missing (or invalid type) array parameter hash',
    description: 'Digests to sign, each of them authorised.',
  }),
  signAlgo: Type.String({ description: 'OID, one of the key.algo of the credential.' }),
  signAlgoParams: Type.Optional(Type.String({ description: 'Base64 DER.' })),
  hashAlgorithmOID: HashAlgorithmOID,
  operationMode: Type.Optional(
    Type.String({
      complaint: 'Invalid parameter operationMode',
      description:
        'S, the default: the answer holds the signatures. A: they are fetched with `signatures/signPolling`.',
    }),
  ),
  validity_period: Type.Optional(
    Type.Unknown({ description: 'Milliseconds the result can be fetched for; with mode A.' }),
  ),
  response_uri: Type.Optional(
    Type.Unknown({ description: 'Where to say that the result is there, https; with mode A.' }),
  ),
  clientData: ClientData,
})

const INVALID_KEY = 'Invalid Idempotency-Key'
const OUT_OF_BOUNDS = 'Out of bounds parameter validity_period'

export const SignedHashes = Type.Object({
  signatures: Type.Array(Type.String({ contentEncoding: 'base64' }), {
    description: 'Signatures in the order of `hashes`.',
  }),
})

/** Signs hashes the signer approved, with a credential-scope token as bearer or as SAD (CSC API v2, 11.10). */
export const signHash = defineCscEndpoint({
  path: '/signatures/signHash',
  summary: 'Sign digests the signer approved',
  scopes: ['service', 'credential', 'client'],
  request: Request,
  response: Type.Union([
    SignedHashes,
    Type.Object({
      responseID: Type.String({ description: 'With mode A: for `signatures/signPolling`.' }),
    }),
  ]),
  repeatable: true,
  refuses: [
    ...missing('string', 'SAD', 'hashAlgorithmOID', 'signAlgoParams'),
    ...invalid('SAD', 'signAlgo', 'signAlgoParams', 'operationMode'),
    ...invalid('validity_period', 'response_uri'),
    ...FOREIGN_CREDENTIAL,
    ...UNFIT_DIGESTS,
    ...inWords('Empty hash array', INVALID_KEY, KEY_WAS_USED, OUT_OF_BOUNDS),
    'unusable-sad',
    'sad-expired',
    'hash-not-authorized',
    'too-many-signatures',
    ...UNUSABLE_CREDENTIAL,
    'hsm-unavailable',
    'hsm-outcome-unknown',
    'signature-withheld',
  ],

  async handle(input, caller, services, { idempotencyKey }) {
    const { credentials } = services
    const { authorisationId, sad } = await authorisationOf(input.SAD, caller, services)
    const credential = await credentials.findFor(caller, input.credentialID)
    if (!credential) throw new InvalidParameterError('credentialID')
    const signer = signerOf(credential, caller)
    if (input.hashes.length === 0) throw new RefusedRequestError('Empty hash array')
    const digests = decodeHashes(input.hashes)
    const algorithm = requestedAlgorithm(input, credential)
    const later = await requestedLater(input, caller, services)
    for (const digest of digests) rejectWrongDigestLength(digest, algorithm.hash)

    const named = nameRequest(idempotencyKey, signer, [
      ...[authorisationId, credential.id, JSON.stringify(algorithm)],
      ...digests.map((digest) => digest.toString('base64')),
      ...(later ? ['A', later.responseUri?.href ?? ''] : []),
    ])
    const request = { authorisationId, sad, credential, signer, digests, algorithm, named }
    try {
      if (later) return { responseID: await signLater(request, later, services) }
      const earlier = named && (await services.activations.findEarlier(named))
      const signatures = earlier ?? (await sign(request, services))
      return { signatures: signatures.map((signature) => signature.toString('base64')) }
    } catch (error) {
      if (isRefusedUse(error)) await credentials.noteRefusedUse(credential, signer, error.kind)
      throw error
    }
  },
})

/** Whether somebody wanted signatures that the signer did not agree to, or not any more: they are told. */
function isRefusedUse(error: unknown): error is AnyServiceError {
  return isServiceError(error) && REFUSED_USE.has(error.kind)
}
const REFUSED_USE: ReadonlySet<AnyServiceError['kind']> = new Set([
  ...(['unusable-sad', 'sad-expired', 'hash-not-authorized'] as const),
  ...(['too-many-signatures', 'credential-disabled'] as const),
])

interface SigningRequest {
  readonly authorisationId: string
  readonly sad: StoredSad | null
  readonly credential: Credential
  readonly signer: Caller
  readonly digests: readonly Buffer[]
  readonly algorithm: SignatureAlgorithm
  readonly named: Repeatable | null
}

async function sign(request: SigningRequest, services: CscServices): Promise<readonly Buffer[]> {
  const { activations, signing } = services
  try {
    return await signing.signHashes(await redeem(request, services))
  } catch (error) {
    // The same request may have used it up since: repeated, it is no second use.
    const { named } = request
    const earlier = named && isUsedUp(error) ? await activations.findEarlier(named) : null
    if (!earlier) throw error
    return earlier
  }
}

/** How the result is to be had later. */
interface Later {
  readonly expiresAt: Date
  readonly responseUri: URL | null
}

/** Accepts the request once it is on record and its signatures are taken from what was agreed to. */
async function signLater(
  request: SigningRequest,
  later: Later,
  services: CscServices,
): Promise<string> {
  const { activations, signingJobs } = services
  const { named, signer } = request
  const responseID = signingJobs.newResponseID(named)
  if (named && (await activations.isRepeated(named))) return responseID
  const job = signingJobs.describe(responseID, signer, later)
  try {
    signingJobs.start(await redeem(request, services, job))
  } catch (error) {
    // The same request may have been accepted since: repeated, it is no second use.
    const since = error instanceof HsmUnavailableError || isUsedUp(error)
    if (!(since && named && (await activations.isRepeated(named)))) throw error
  }
  return responseID
}

/**
 * Whether, and until when, the result is to be fetched later; null for the answer itself.
 * @throws {InvalidParameterError} @throws {RefusedRequestError}
 */
async function requestedLater(
  { operationMode = 'S', validity_period, response_uri }: Static<typeof Request>,
  { clientId }: AccessToken,
  { config, clients, now }: CscServices,
): Promise<Later | null> {
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
  const refusal = new InvalidParameterError('response_uri')
  if (typeof response_uri !== 'string' || response_uri.length > 2000) throw refusal
  if (!URL.canParse(response_uri)) throw refusal
  const url = new URL(response_uri)
  const isPlain = url.username === '' && url.password === '' && url.hash === ''
  if (url.protocol !== 'https:' || !isPlain || !isAllowed(url.host)) throw refusal
  return url
}

async function redeem(
  { authorisationId, sad, credential, signer, digests, algorithm, named }: SigningRequest,
  { credentials, activations }: CscServices,
  job: SigningJob | null = null,
): Promise<Activation> {
  // Approvals end with the credential; what ended them says more than that they did.
  credentials.rejectDisabled(credential)
  if (sad) rejectUsedSad(sad)
  const authorisation = await activations.find(authorisationId, signer)
  if (authorisation.credentialId !== credential.id) throw new InvalidParameterError('credentialID')
  activations.rejectExpired(authorisation)
  rejectForeignHashes(authorisation, credential, digests)
  credentials.rejectUnusable(credential)
  return activations.redeem({
    ...{ authorisation, caller: signer, credential, digests, algorithm, sad },
    repeatable: named,
    job,
  })
}

function isUsedUp(error: unknown): boolean {
  return (
    error instanceof UnusableSadError ||
    error instanceof HashNotAuthorizedError ||
    error instanceof TooManySignaturesError
  )
}

function nameRequest(
  key: string | null,
  caller: Caller,
  facts: readonly string[],
): Repeatable | null {
  if (key === null) return null
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) throw new RefusedRequestError(INVALID_KEY)
  return repeatable(caller, key, facts)
}

function requestedAlgorithm(
  input: Static<typeof Request>,
  credential: Credential,
): SignatureAlgorithm {
  const { signAlgo, signAlgoParams, hashAlgorithmOID } = input
  const algorithm = signatureAlgorithm({
    signAlgo,
    ...(signAlgoParams ? { signAlgoParams } : {}),
    ...(hashAlgorithmOID ? { hashAlgorithmOID } : {}),
  })
  if (!allowsSignatureAlgorithm(credential.keyAlgorithm, algorithm)) {
    throw new InvalidParameterError('signAlgo')
  }
  return algorithm
}
