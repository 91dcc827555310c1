import { Type } from '@sinclair/typebox'
import { InvalidParameterError, RefusedRequestError } from '../../errors.js'
import { NO_CONTENT } from '../../http/endpoint.js'
import { inWords, invalid } from '../../http/refusals.js'
import {
  HASH_ALGORITHMS,
  hashAlgorithmByOid,
  rejectWrongDigestLength,
} from '../../keys/algorithms.js'
import { decodeBase64 } from '../../keys/base64.js'
import { HashAlgorithmOID } from '../parameters.js'
import { defineCscEndpoint } from '../services.js'

const NOT_BASE64 = 'Invalid Base64 hash string parameter'

/** Takes back what `documents/deposit` left here. An extension of ours, as that. */
export const withdraw = defineCscEndpoint({
  path: '/documents/withdraw',
  summary: 'Take back a document that was left for its signer to see (extension)',
  scopes: ['service', 'client'],
  extension: true,
  request: Type.Object({
    hash: Type.String({
      contentEncoding: 'base64',
      description: 'Any of the digests that `documents/deposit` answered.',
    }),
    hashAlgorithmOID: HashAlgorithmOID,
  }),
  response: Type.Null({ description: 'The document is forgotten.' }),
  refuses: [
    ...invalid('hash', 'hashAlgorithmOID'),
    ...inWords(NOT_BASE64, 'Invalid digest value length'),
  ],
  isOn: ({ config }) => config.deposits.allowed,

  async handle({ hash, hashAlgorithmOID }, { clientId, userId }, { deposits }) {
    const algorithm = hashAlgorithmOID
      ? hashAlgorithmByOid(hashAlgorithmOID)
      : HASH_ALGORITHMS.sha256
    const digest = decodeBase64(hash)
    if (!digest) throw new RefusedRequestError(NOT_BASE64)
    rejectWrongDigestLength(digest, algorithm)
    if (!(await deposits.remove({ clientId, userId }, digest, algorithm))) {
      throw new InvalidParameterError('hash')
    }
    return NO_CONTENT
  },
})
