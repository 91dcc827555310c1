import { Type, type Static } from '@sinclair/typebox'
import { rejectForeignHashes, rejectUsedSad, repeatable } from '../../activation/activations.js'
import type { Repeatable, StoredSad } from '../../activation/authorisation.js'
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
import { decodeHashes } from '../hashes.js'
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

  async handle(input, caller, services, { idempotencyKey }) {
    const { credentials, activations, signing } = services
    const { authorisationId, sad } = await authorisationOf(input.SAD, caller, services)
    const credential = await credentials.find(input.credentialID)
    if (credential?.userId !== caller.userId) throw new InvalidParameterError('credentialID')
    if (input.hashes.length === 0) throw new RefusedRequestError('Empty hash array')
    const digests = decodeHashes(input.hashes)
    const algorithm = requestedAlgorithm(input, credential)
    if ((input.operationMode ?? 'S') !== 'S') throw new InvalidParameterError('operationMode')
    for (const digest of digests) rejectWrongDigestLength(digest, algorithm.hash)

    const named = nameRequest(idempotencyKey, caller, [
      ...[authorisationId, credential.id, JSON.stringify(algorithm)],
      ...digests.map((digest) => digest.toString('base64')),
    ])
    const earlier = named && (await activations.findEarlier(named))
    if (earlier) return { signatures: earlier.map((signature) => signature.toString('base64')) }

    if (sad) rejectUsedSad(sad)
    const authorisation = await activations.find(authorisationId, caller)
    if (authorisation.credentialId !== credential.id)
      throw new InvalidParameterError('credentialID')
    activations.rejectExpired(authorisation)
    rejectForeignHashes(authorisation, credential, digests)
    credentials.rejectUnusable(credential)

    const activation = await activations.redeem({
      ...{ authorisation, caller, credential, digests, algorithm, sad },
      repeatable: named,
    })
    const signatures = await signing.signHashes(activation)
    return { signatures: signatures.map((signature) => signature.toString('base64')) }
  },
})

function nameRequest(
  key: string | null,
  caller: AccessToken,
  facts: readonly string[],
): Repeatable | null {
  if (key === null) return null
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) throw new RefusedRequestError('Invalid Idempotency-Key')
  return repeatable(caller, key, facts)
}

/**
 * The authorisation named by the bearer token, by the SAD, or by both if they agree. A SAD is a value
 * from `credentials/authorize` or a credential-scope token.
 * @throws {MissingParameterError} @throws {InvalidParameterError} @throws {SadExpiredError}
 */
async function authorisationOf(
  SAD: string | undefined,
  caller: AccessToken,
  { tokens, activations, now }: CscServices,
): Promise<{ authorisationId: string; sad: StoredSad | null }> {
  if (!SAD) {
    if (caller.authorisationId === null) throw new MissingParameterError('SAD', 'string')
    return { authorisationId: caller.authorisationId, sad: null }
  }
  const sad = await activations.findSad(SAD)
  if (sad) {
    if (caller.authorisationId !== null) throw new InvalidParameterError('SAD')
    if (sad.expiresAt <= now()) throw new SadExpiredError('SAD expired')
    return { authorisationId: sad.authorisationId, sad }
  }
  const found = await tokens.find(SAD)
  if (found === 'expired') throw new SadExpiredError('SAD expired')
  if (found === null || found === 'revoked' || found.authorisationId === null) {
    throw new InvalidParameterError('SAD')
  }
  const agree = caller.authorisationId === null || caller.authorisationId === found.authorisationId
  const ownSad = found.clientId === caller.clientId && found.userId === caller.userId
  // Bound to a key, it is worth nothing in a request that is not proved by that key (S37).
  if (found.jkt !== null && found.jkt !== caller.jkt) throw new InvalidParameterError('SAD')
  if (!agree || !ownSad) throw new InvalidParameterError('SAD')
  return { authorisationId: found.authorisationId, sad: null }
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
