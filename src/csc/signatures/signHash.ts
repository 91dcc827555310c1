import { Type, type Static } from '@sinclair/typebox'
import {
  KEY_WAS_USED,
  rejectForeignHashes,
  rejectUsedSad,
  repeatable,
  signerOf,
  type Caller,
} from '../../activation/activations.js'
import type { Repeatable } from '../../activation/authorisation.js'
import type { Credential } from '../../credentials/credential.js'
import { InvalidParameterError, RefusedRequestError } from '../../errors.js'
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
import { defineCscEndpoint } from '../services.js'

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
      description: 'S, the default: the answer holds the signatures.',
    }),
  ),
  clientData: ClientData,
})

const INVALID_KEY = 'Invalid Idempotency-Key'

/** Signs hashes the signer approved, with a credential-scope token as bearer or as SAD (CSC API v2, 11.10). */
export const signHash = defineCscEndpoint({
  path: '/signatures/signHash',
  summary: 'Sign digests the signer approved',
  scopes: ['service', 'credential', 'client'],
  request: Request,
  response: Type.Object({
    signatures: Type.Array(Type.String({ contentEncoding: 'base64' }), {
      description: 'Signatures in the order of `hashes`.',
    }),
  }),
  repeatable: true,
  refuses: [
    ...missing('string', 'SAD', 'hashAlgorithmOID', 'signAlgoParams'),
    ...invalid('SAD', 'signAlgo', 'signAlgoParams', 'operationMode'),
    ...FOREIGN_CREDENTIAL,
    ...UNFIT_DIGESTS,
    ...inWords('Empty hash array', INVALID_KEY, KEY_WAS_USED),
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
    const { credentials, activations, signing } = services
    const { authorisationId, sad } = await authorisationOf(input.SAD, caller, services)
    const credential = await credentials.findFor(caller, input.credentialID)
    if (!credential) throw new InvalidParameterError('credentialID')
    const signer = signerOf(credential, caller)
    if (input.hashes.length === 0) throw new RefusedRequestError('Empty hash array')
    const digests = decodeHashes(input.hashes)
    const algorithm = requestedAlgorithm(input, credential)
    if ((input.operationMode ?? 'S') !== 'S') throw new InvalidParameterError('operationMode')
    for (const digest of digests) rejectWrongDigestLength(digest, algorithm.hash)

    const named = nameRequest(idempotencyKey, signer, [
      ...[authorisationId, credential.id, JSON.stringify(algorithm)],
      ...digests.map((digest) => digest.toString('base64')),
    ])
    const earlier = named && (await activations.findEarlier(named))
    if (earlier) return { signatures: earlier.map((signature) => signature.toString('base64')) }

    if (sad) rejectUsedSad(sad)
    const authorisation = await activations.find(authorisationId, signer)
    if (authorisation.credentialId !== credential.id)
      throw new InvalidParameterError('credentialID')
    activations.rejectExpired(authorisation)
    rejectForeignHashes(authorisation, credential, digests)
    credentials.rejectUnusable(credential)

    const activation = await activations.redeem({
      ...{ authorisation, caller: signer, credential, digests, algorithm, sad },
      repeatable: named,
    })
    const signatures = await signing.signHashes(activation)
    return { signatures: signatures.map((signature) => signature.toString('base64')) }
  },
})

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
