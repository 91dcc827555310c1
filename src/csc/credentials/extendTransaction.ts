import { Type } from '@sinclair/typebox'
import {
  InvalidParameterError,
  MissingParameterError,
  RefusedRequestError,
  UnauthorizedClientError,
} from '../../errors.js'
import { hashAlgorithmByOid, rejectWrongDigestLength } from '../../keys/algorithms.js'
import { decodeHashes } from '../hashes.js'
import { ClientData } from '../parameters.js'
import { defineCscEndpoint } from '../services.js'

/** Trades a SAD for the next, for what is left of its signatures (CSC API v2, 11.9). */
export const extendTransaction = defineCscEndpoint({
  path: '/credentials/extendTransaction',
  scopes: ['service'],
  request: Type.Object({
    credentialID: Type.String(),
    hashes: Type.Optional(
      Type.Array(Type.Unknown(), { description: 'Base64 digests; required at SCAL 2.' }),
    ),
    hashAlgorithmOID: Type.Optional(Type.String()),
    SAD: Type.String(),
    clientData: ClientData,
  }),
  response: Type.Object({ SAD: Type.String(), expiresIn: Type.Integer() }),

  async handle(input, caller, { config, credentials, activations }) {
    const credential = await credentials.find(input.credentialID)
    if (credential?.userId !== caller.userId) throw new InvalidParameterError('credentialID')
    if (config.policy.extendTransaction === 'never') throw new UnauthorizedClientError('policy')
    const digests = decodeHashes(input.hashes ?? [])
    if (credential.SCAL === '2' && digests.length === 0) {
      throw new MissingParameterError('hashes', 'array')
    }
    // What was approved on our own pages has no stored SAD: the signer saw those digests and no others.
    const sad = await activations.findSad(input.SAD)
    if (!sad) throw new InvalidParameterError('SAD')
    const authorisation = await activations.find(sad.authorisationId, caller)
    if (authorisation.credentialId !== credential.id)
      throw new InvalidParameterError('credentialID')
    const oid = input.hashAlgorithmOID ?? authorisation.hashAlgorithm
    if (digests.length > 0 && !oid) throw new MissingParameterError('hashAlgorithmOID', 'string')
    if (oid && authorisation.hashAlgorithm !== null && oid !== authorisation.hashAlgorithm) {
      throw new InvalidParameterError('hashAlgorithmOID')
    }
    for (const digest of digests) if (oid) rejectWrongDigestLength(digest, hashAlgorithmByOid(oid))
    credentials.rejectUnusable(credential)
    if (digests.length === 0 && input.hashes) throw new RefusedRequestError('Empty hash array')
    return activations.extend({ sad, caller, digests })
  },
})
