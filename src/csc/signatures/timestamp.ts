import { Type } from '@sinclair/typebox'
import { InvalidParameterError, RefusedRequestError } from '../../errors.js'
import { inWords, invalid } from '../../http/refusals.js'
import { hashAlgorithmByOid, rejectWrongDigestLength } from '../../keys/algorithms.js'
import { decodeHashes } from '../hashes.js'
import { ClientData } from '../parameters.js'
import { defineCscEndpoint } from '../services.js'

const EMPTY = 'Empty hash parameter'
/** Digits; a nonce is as long as it was chosen to be, and no longer than is useful to anybody. */
const NONCE = /^[0-9A-Fa-f]{1,128}$/

/** A time-stamp token over a digest (CSC API v2, 11.13). */
export const timestamp = defineCscEndpoint({
  path: '/signatures/timestamp',
  summary: 'Have a digest timestamped',
  scopes: ['service', 'client'],
  request: Type.Object({
    hash: Type.String({
      contentEncoding: 'base64',
      description: 'The digest, for `messageImprint`; either alphabet of Base64, padded or not.',
      examples: ['LCa0a2j/xo/5m0U8HTBBNBOqIAbAThU4Wph93MhQ/9A='],
    }),
    hashAlgo: Type.String({
      complaint: 'Invalid parameter hashAlgo',
      description: 'OID of the algorithm the digest was made with.',
      examples: ['2.16.840.1.101.3.4.2.1'],
    }),
    nonce: Type.Optional(
      Type.String({
        complaint: 'Invalid parameter nonce',
        description: 'A number in hexadecimal digits, which comes back in the token.',
        examples: ['1F2E3D4C5B6A7988'],
      }),
    ),
    clientData: ClientData,
  }),
  response: Type.Object({
    timestamp: Type.String({
      contentEncoding: 'base64',
      description: 'The `TimeStampToken` (RFC 3161, RFC 5816), certificates inside.',
    }),
  }),
  refuses: [
    ...inWords(EMPTY, 'Invalid Base64 hash string parameter', 'Invalid digest value length'),
    ...invalid('hashAlgo', 'nonce'),
    'timestamp-unavailable',
  ],
  isOn: ({ timestamps }) => timestamps !== null,

  async handle({ hash, hashAlgo, nonce }, _caller, { timestamps }) {
    if (hash === '') throw new RefusedRequestError(EMPTY)
    const [digest = Buffer.alloc(0)] = decodeHashes([hash])
    const algorithm = requestedHash(hashAlgo)
    rejectWrongDigestLength(digest, algorithm)
    const number = nonce === undefined ? undefined : positiveInteger(nonce)
    if (!timestamps) throw new Error('There is no timestamping authority')
    const token = await timestamps.timestamp(digest, algorithm, number)
    return { timestamp: token.toString('base64') }
  },
})

function requestedHash(oid: string) {
  try {
    return hashAlgorithmByOid(oid)
  } catch (cause) {
    if (cause instanceof InvalidParameterError) throw new InvalidParameterError('hashAlgo')
    throw cause
  }
}

/** Content octets of the INTEGER that these digits write: no zeros in front, but one where the sign would be. */
function positiveInteger(digits: string): Buffer {
  if (!NONCE.test(digits)) throw new InvalidParameterError('nonce')
  const significant = digits.replace(/^0+(?=.)/, '')
  const bytes = Buffer.from(
    significant.padStart(significant.length + (significant.length % 2), '0'),
    'hex',
  )
  return bytes.readUInt8(0) < 0x80 ? bytes : Buffer.concat([Buffer.alloc(1), bytes])
}
