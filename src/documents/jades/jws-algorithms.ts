import { derToJose } from 'ecdsa-sig-formatter'
import { keyAndValidity } from '../../certificates/certificate.js'
import { InvalidParameterError } from '../../errors.js'
import {
  keyAlgorithmOf,
  type HashName,
  type KeyAlgorithm,
  type SignatureAlgorithm,
} from '../../keys/algorithms.js'

/** How JWS and JAdES call a hash. @see TS 119 182-1, 5.2.2.2 */
export const HASH_IDS: Readonly<Record<HashName, 'S256' | 'S384' | 'S512'>> = {
  sha256: 'S256',
  sha384: 'S384',
  sha512: 'S512',
}

type EcdsaName = 'ES256' | 'ES384' | 'ES512'

/** JWS knows each curve with one hash only. @see RFC 7518, 3.4 */
const ECDSA: Readonly<Partial<Record<KeyAlgorithm, { name: EcdsaName; hash: HashName }>>> = {
  'p-256': { name: 'ES256', hash: 'sha256' },
  'p-384': { name: 'ES384', hash: 'sha384' },
  'p-521': { name: 'ES512', hash: 'sha512' },
}

export interface JwsAlgorithm {
  /** `alg`. */
  readonly name: string
  /** The signature as JWS has it, base64url, from PKCS#1 octets or a DER ECDSA-Sig-Value. */
  readonly signatureOf: (value: Buffer) => string
}

/** @throws {InvalidParameterError} for a curve with a hash that JWS does not pair it with */
export function jwsAlgorithm(
  { scheme, hash }: SignatureAlgorithm,
  certificate: Buffer,
): JwsAlgorithm {
  if (scheme !== 'ecdsa') {
    const family = scheme === 'rsa-pss' ? 'PS' : 'RS'
    const name = `${family}${hash.bytes * 8}`
    return { name, signatureOf: (value) => value.toString('base64url') }
  }
  const keyAlgorithm = keyAlgorithmOf(keyAndValidity(certificate).publicKey)
  const row = keyAlgorithm && ECDSA[keyAlgorithm]
  if (row?.hash !== hash.name) throw new InvalidParameterError('signAlgo')
  return { name: row.name, signatureOf: (value) => derToJose(value, row.name) }
}
