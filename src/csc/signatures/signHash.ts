import { Type, type Static } from '@sinclair/typebox'
import { asHashes, signerOf, type Activation } from '../../activation/activations.js'
import type { Repeatable, SigningJob } from '../../activation/authorisation.js'
import type { Stay } from '../../admission/gate.js'
import type { Credential } from '../../credentials/credential.js'
import { HsmUnavailableError, InvalidParameterError, RefusedRequestError } from '../../errors.js'
import { inWords, invalid, missing } from '../../http/refusals.js'
import {
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
import {
  agreedTo,
  isRefusedUse,
  isUsedUp,
  nameRequest,
  OperationMode,
  rejectUnfitAlgorithm,
  requestedLater,
  ResponseUri,
  Sad,
  sadUnlessBearer,
  ToBePolled,
  UNFIT_MODE,
  ValidityPeriod,
  whyRefused,
  type Agreement,
  type Later,
} from './signing-request.js'

const Request = Type.Object({
  SAD: Sad,
  credentialID: CredentialID,
  hashes: Type.Array(Digest, {
    complaint: 'Missing (or invalid type) array parameter hash',
    description: 'Digests to sign, each of them authorised.',
  }),
  signAlgo: Type.String({ description: 'OID, one of the key.algo of the credential.' }),
  signAlgoParams: Type.Optional(Type.String({ description: 'Base64 DER.' })),
  hashAlgorithmOID: HashAlgorithmOID,
  operationMode: OperationMode,
  validity_period: ValidityPeriod,
  response_uri: ResponseUri,
  clientData: ClientData,
})

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
  requires: sadUnlessBearer,
  response: Type.Union([SignedHashes, ToBePolled]),
  repeatable: true,
  refuses: [
    ...missing('string', 'SAD', 'hashAlgorithmOID', 'signAlgoParams'),
    ...invalid('SAD', 'signAlgo', 'signAlgoParams'),
    ...FOREIGN_CREDENTIAL,
    ...UNFIT_DIGESTS,
    ...UNFIT_MODE,
    ...inWords('Empty hash array'),
    'unusable-sad',
    'sad-expired',
    'hash-not-authorized',
    'too-many-signatures',
    ...UNUSABLE_CREDENTIAL,
    'hsm-unavailable',
    'hsm-outcome-unknown',
    'signature-withheld',
  ],

  async handle(input, caller, services, { idempotencyKey, stay }) {
    const { credentials } = services
    const { authorisationId, sad } = await authorisationOf(input.SAD, caller, services)
    const mayRepeat = idempotencyKey !== null
    const credential = await credentials.findFor(caller, input.credentialID, mayRepeat)
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
      if (later) return { responseID: await signLater(request, later, services, stay) }
      const earlier = named && (await services.activations.findEarlier(named))
      const signatures = earlier?.signatures ?? (await sign(request, services))
      return { signatures: signatures.map((signature) => signature.toString('base64')) }
    } catch (error) {
      if (isRefusedUse(error)) {
        await credentials.noteRefusedUse(credential, signer, whyRefused(error))
      }
      throw error
    }
  },
})

interface SigningRequest extends Agreement {
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
    return earlier.signatures
  }
}

/** Accepts the request once it is on record and its signatures are taken from what was agreed to. */
async function signLater(
  request: SigningRequest,
  later: Later,
  services: CscServices,
  stay: Stay,
): Promise<string> {
  const { activations, signingJobs } = services
  const { named, signer } = request
  const responseID = signingJobs.newResponseID(named)
  if (named && (await activations.isRepeated(named))) return responseID
  const job = signingJobs.describe(responseID, signer, later)
  try {
    stay(signingJobs.start(await redeem(request, services, job)))
  } catch (error) {
    // The same request may have been accepted since: repeated, it is no second use.
    const since = error instanceof HsmUnavailableError || isUsedUp(error)
    if (!(since && named && (await activations.isRepeated(named)))) throw error
  }
  return responseID
}

async function redeem(
  request: SigningRequest,
  services: CscServices,
  job: SigningJob | null = null,
): Promise<Activation> {
  const { signer, credential, digests, algorithm, sad, named } = request
  const authorisation = await agreedTo(asHashes(digests), request, services)
  return services.activations.redeem({
    ...{ authorisation, caller: signer, credential, digests, algorithm, sad },
    repeatable: named,
    job,
  })
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
  rejectUnfitAlgorithm(algorithm, credential)
  return algorithm
}
