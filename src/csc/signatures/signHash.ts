import { Type, type Static } from '@sinclair/typebox'
import { rejectForeignHashes } from '../../activation/activations.js'
import type { Credential } from '../../credentials/credential.js'
import {
  InvalidParameterError,
  MissingParameterError,
  RefusedRequestError,
  SadExpiredError,
} from '../../errors.js'
import type { AccessToken } from '../../http/bearer.js'
import {
  allowsSignatureAlgorithm,
  rejectWrongDigestLength,
  signatureAlgorithm,
  type SignatureAlgorithm,
} from '../../keys/algorithms.js'
import { decodeBase64 } from '../../keys/base64.js'
import { ClientData } from '../parameters.js'
import { defineCscEndpoint, type CscServices } from '../services.js'

const Request = Type.Object({
  SAD: Type.Optional(
    Type.String({ description: 'Unless the bearer token is a credential token.' }),
  ),
  credentialID: Type.String(),
  hashes: Type.Array(Type.Unknown(), {
    complaint: 'Missing (or invalid type) array parameter hash',
    description: 'Base64 digests.',
  }),
  signAlgo: Type.String({ description: 'OID, one of the key.algo of the credential.' }),
  signAlgoParams: Type.Optional(Type.String({ description: 'Base64 DER.' })),
  hashAlgorithmOID: Type.Optional(Type.String()),
  operationMode: Type.Optional(Type.String({ complaint: 'Invalid parameter operationMode' })),
  clientData: ClientData,
})

/** Signs hashes the signer approved, with a credential-scope token as bearer or as SAD (CSC API v2, 11.10). */
export const signHash = defineCscEndpoint({
  path: '/signatures/signHash',
  scopes: ['service', 'credential'],
  request: Request,
  response: Type.Object({ signatures: Type.Array(Type.String()) }),

  async handle(input, caller, services) {
    const { credentials, activations, signing } = services
    const authorisationId = await authorisationOf(input.SAD, caller, services)
    const credential = await credentials.find(input.credentialID)
    if (credential?.userId !== caller.userId) throw new InvalidParameterError('credentialID')
    const digests = decodeHashes(input.hashes)
    const algorithm = requestedAlgorithm(input, credential)
    if ((input.operationMode ?? 'S') !== 'S') throw new InvalidParameterError('operationMode')
    for (const digest of digests) rejectWrongDigestLength(digest, algorithm.hash)

    const authorisation = await activations.find(authorisationId, caller)
    if (authorisation.credentialId !== credential.id)
      throw new InvalidParameterError('credentialID')
    activations.rejectExpired(authorisation)
    rejectForeignHashes(authorisation, credential, digests)
    credentials.rejectUnusable(credential)

    const activation = await activations.redeem({
      ...{ authorisation, caller, credential, digests, algorithm },
    })
    const signatures = await signing.signHashes(activation)
    return { signatures: signatures.map((signature) => signature.toString('base64')) }
  },
})

/**
 * The authorisation named by the bearer token, by the SAD, or by both if they agree.
 * @throws {MissingParameterError} @throws {InvalidParameterError} @throws {SadExpiredError}
 */
async function authorisationOf(
  SAD: string | undefined,
  caller: AccessToken,
  { tokens }: CscServices,
): Promise<string> {
  if (!SAD) {
    if (caller.authorisationId === null) throw new MissingParameterError('SAD', 'string')
    return caller.authorisationId
  }
  const found = await tokens.find(SAD)
  if (found === 'expired') throw new SadExpiredError('SAD expired')
  if (found === null || found === 'revoked' || found.authorisationId === null) {
    throw new InvalidParameterError('SAD')
  }
  const agree = caller.authorisationId === null || caller.authorisationId === found.authorisationId
  const ownSad = found.clientId === caller.clientId && found.userId === caller.userId
  if (!agree || !ownSad) throw new InvalidParameterError('SAD')
  return found.authorisationId
}

function decodeHashes(hashes: readonly unknown[]): Buffer[] {
  if (hashes.length === 0) throw new RefusedRequestError('Empty hash array')
  return hashes.map((hash) => {
    const digest = typeof hash === 'string' ? decodeBase64(hash) : null
    if (!digest) throw new RefusedRequestError('Invalid Base64 hash string parameter')
    return digest
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
  if (!allowsSignatureAlgorithm(credential.keyAlgorithm, algorithm)) {
    throw new InvalidParameterError('signAlgo')
  }
  return algorithm
}
