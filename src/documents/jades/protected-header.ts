import { createHash } from 'node:crypto'
import type { HashName } from '../../keys/algorithms.js'
import type { SignatureParameters } from '../ades.js'
import { certificatesToEmbed } from '../signatory.js'
import type { Json, JsonObject } from './json.js'
import { HASH_IDS } from './jws-algorithms.js'
import { propertyMembers } from './signed-properties.js'

const OBJECT_ID_BY_URI_HASH = 'http://uri.etsi.org/19182/ObjectIdByURIHash'

/** Data that a signature names by URI and digest, instead of holding it. */
export interface DetachedData {
  readonly uri: string
  readonly digest: Buffer
}

/**
 * The JWS protected header. Claimed signing times are `iat` by now: `sigT` must not be in new
 * signatures. @see TS 119 182-1 v1.2.1, 5.1 and 5.2
 */
export function protectedHeader(
  alg: string,
  { algorithm, signatory, signingTime, signedProperties }: SignatureParameters,
  /** Of the octets that a timestamp over the signed data is over. */
  contentDigest: () => Buffer,
  detached: DetachedData | null,
): JsonObject {
  const { hash } = algorithm
  const certificates = certificatesToEmbed(signatory)
  const { cty, ...properties } = propertyMembers(signedProperties, { contentDigest, hash })
  return {
    alg,
    ...certificateDigest(signatory.certificate, hash.name),
    x5c: certificates.map((certificate) => certificate.toString('base64')),
    iat: Math.floor(signingTime.getTime() / 1000),
    ...properties,
    ...(cty !== undefined && !detached && { cty }),
    ...(detached && {
      sigD: {
        mId: OBJECT_ID_BY_URI_HASH,
        pars: [detached.uri],
        hashM: HASH_IDS[hash.name],
        hashV: [detached.digest.toString('base64url')],
        // what cty says of a payload, this says of data elsewhere (5.1.3)
        ...(cty !== undefined && { ctys: [cty] }),
      },
      // otherwise the digest would be over the base64url of the data (5.2.8.3.3)
      b64: false,
      crit: ['b64', 'sigD'],
    }),
  }
}

/** `x5t#S256`, or `x5t#o` with another hash. @see TS 119 182-1, 5.1.7 and 5.2.2.2 */
function certificateDigest(certificate: Buffer, hash: HashName): Record<string, Json> {
  const digest = createHash(hash).update(certificate).digest('base64url')
  if (hash === 'sha256') return { 'x5t#S256': digest }
  return { 'x5t#o': { digAlg: HASH_IDS[hash], digVal: digest } }
}
