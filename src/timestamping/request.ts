import * as asn1js from 'asn1js'
import { TimeStampReq, type AlgorithmIdentifier } from 'pkijs'
import { isDer } from '../certificates/der.js'
import { ALGORITHM_POLICY, HASH_ALGORITHMS, type HashAlgorithm } from '../keys/algorithms.js'
import { TimestampRefusal } from './refusal.js'

/** A `TimeStampReq` of version 1 without extensions, which we know none of. */
export interface TimestampRequest {
  readonly hash: HashAlgorithm
  readonly digest: Buffer
  /** Whether the algorithm of the imprint was written with NULL parameters; the answer repeats it. */
  readonly withNull: boolean
  readonly policy: string | null
  /** Content octets of the INTEGER. */
  readonly nonce: Buffer | null
  /** Whether the token shall have its certificates inside. */
  readonly certReq: boolean
}

/** Honest requests have about a hundred octets. */
export const MOST_REQUEST_BYTES = 4_096
/** Requesters use 8; more than the largest digest names nothing better. */
const MOST_NONCE_BYTES = 64

/** @throws {TimestampRefusal} saying which of the failures of RFC 3161 it is */
export function parseTimestampRequest(der: Buffer): TimestampRequest {
  const request = readRequest(der)
  if (request.version !== 1) throw new TimestampRefusal('badRequest', 'Only version 1 is known')
  const { hashAlgorithm, hashedMessage } = request.messageImprint
  const hash = acceptedHash(hashAlgorithm)
  const digest = Buffer.from(hashedMessage.valueBlock.valueHexView)
  if (digest.length !== hash.bytes) {
    throw new TimestampRefusal(
      'badDataFormat',
      'The digest does not have the length of its algorithm',
    )
  }
  if (request.extensions && request.extensions.length > 0) {
    throw new TimestampRefusal('unacceptedExtension', 'No extension is known')
  }
  return {
    ...{ hash, digest },
    withNull: hashAlgorithm.algorithmParams !== undefined,
    policy: request.reqPolicy ?? null,
    nonce: request.nonce ? nonceOf(request.nonce) : null,
    certReq: request.certReq ?? false,
  }
}

function readRequest(der: Buffer): TimeStampReq {
  const unreadable = (options?: ErrorOptions) =>
    new TimestampRefusal('badDataFormat', 'The request is no TimeStampReq in DER', options)
  if (der.length > MOST_REQUEST_BYTES || !isDer(der)) throw unreadable()
  try {
    const { result, offset } = asn1js.fromBER(der)
    if (offset !== der.length) throw unreadable()
    return new TimeStampReq({ schema: result })
  } catch (cause) {
    throw unreadable({ cause }) // the parser throws on whatever it cannot read
  }
}

function acceptedHash({ algorithmId, algorithmParams }: AlgorithmIdentifier): HashAlgorithm {
  const parameters: unknown = algorithmParams
  const hash = Object.values(HASH_ALGORITHMS).find(({ oid }) => oid === algorithmId)
  if (!hash || !ALGORITHM_POLICY.hashes.includes(hash.name)) {
    throw new TimestampRefusal('badAlg', 'The hash algorithm is unknown, or too weak')
  }
  if (parameters !== undefined && !(parameters instanceof asn1js.Null)) {
    throw new TimestampRefusal('badAlg', 'The hash algorithm takes no parameters')
  }
  return hash
}

function nonceOf(nonce: asn1js.Integer): Buffer {
  // What was decoded is kept as it came: leading zeros of a positive number count.
  const bytes = Buffer.from(nonce.toBER())
  const { result } = asn1js.fromBER(bytes)
  const { blockLength } = result
  const content = bytes.subarray(
    bytes.length - (blockLength - result.idBlock.blockLength - result.lenBlock.blockLength),
  )
  if (content.length > MOST_NONCE_BYTES) {
    throw new TimestampRefusal('badRequest', 'The nonce is too long')
  }
  return content
}
