import { Type } from '@sinclair/typebox'
import { signerOf } from '../../activation/activations.js'
import {
  HashNotAuthorizedError,
  InvalidParameterError,
  MissingParameterError,
  RefusedRequestError,
  UnauthorizedClientError,
} from '../../errors.js'
import { inWords, invalid, missing } from '../../http/refusals.js'
import { hashAlgorithmByOid, rejectWrongDigestLength } from '../../keys/algorithms.js'
import { decodeHashes } from '../hashes.js'
import {
  ClientData,
  CredentialID,
  Digest,
  FOREIGN_CREDENTIAL,
  HashAlgorithmOID,
  IssuedSad,
  UNFIT_DIGESTS,
  UNUSABLE_CREDENTIAL,
} from '../parameters.js'
import { authorisationOf } from '../sad.js'
import { defineCscEndpoint } from '../services.js'

/** Trades a SAD for the next, for what is left of its signatures (CSC API v2, 11.9). */
export const extendTransaction = defineCscEndpoint({
  path: '/credentials/extendTransaction',
  summary: 'Trade a SAD for the next, for what is left of its signatures',
  scopes: ['service', 'credential', 'client'],
  request: Type.Object({
    credentialID: CredentialID,
    hashes: Type.Optional(
      Type.Array(Digest, { description: 'Digests still to be signed; required at SCAL 2.' }),
    ),
    hashAlgorithmOID: HashAlgorithmOID,
    SAD: Type.String({
      description:
        'The SAD to trade, from `credentials/authorize` or from here; where the policy allows it, also the credential token of an approval on our pages.',
    }),
    clientData: ClientData,
  }),
  response: IssuedSad,
  refuses: [
    ...FOREIGN_CREDENTIAL,
    'unauthorized-client',
    ...missing('array', 'hashes'),
    ...missing('string', 'hashAlgorithmOID'),
    ...UNFIT_DIGESTS,
    ...inWords('Empty hash array'),
    ...UNUSABLE_CREDENTIAL,
    ...invalid('SAD'),
    'unusable-sad',
    'sad-expired',
    'too-many-signatures',
  ],

  async handle(input, caller, services) {
    const { config, credentials, activations, approvals } = services
    const credential = await credentials.findFor(caller, input.credentialID)
    if (!credential) throw new InvalidParameterError('credentialID')
    if (config.policy.extendTransaction === 'never') throw new UnauthorizedClientError('policy')
    const digests = decodeHashes(input.hashes ?? [])
    if (credential.SCAL === '2' && digests.length === 0) {
      throw new MissingParameterError('hashes', 'array')
    }
    if (!input.SAD) throw new InvalidParameterError('SAD')
    const { authorisationId, sad } = await authorisationOf(input.SAD, caller, services)
    // Approved on our own pages: the signer saw those digests and no others.
    const onOurPages = sad === null || credential.authMode !== 'explicit'
    if (onOurPages && config.policy.extendTransaction !== 'always') {
      throw new InvalidParameterError('SAD')
    }
    const signer = signerOf(credential, caller)
    const authorisation = await activations.find(authorisationId, signer)
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
    // On another device, the signer saw those digests and no others, too.
    const wasShown =
      config.policy.extendTransaction !== 'always' &&
      (await approvals.wasAsked(authorisation.transactionId))
    const agreed = wasShown ? { credential, hashAlgorithm: oid ?? '' } : null
    try {
      return await activations.extend({ authorisationId, sad, caller: signer, digests, agreed })
    } catch (error) {
      if (error instanceof HashNotAuthorizedError) throw new InvalidParameterError('SAD')
      throw error
    }
  },
})
