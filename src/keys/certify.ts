import { SignatureWithheldError } from '../errors.js'
import { digestOf } from './digest.js'
import type { KeyCustody, UnsignedCertificate } from './key-custody.js'

/** By the custody's own way to sign certificates, or as anything else where it has none. */
export async function certifyWith(
  custody: KeyCustody,
  certificate: UnsignedCertificate,
): Promise<Buffer> {
  if (custody.certify) return custody.certify(certificate)
  const { tbs, algorithm, issuerKeyId } = certificate
  const digest = digestOf(algorithm.hash, tbs)
  const [signature] = await custody.sign(issuerKeyId, [digest], algorithm)
  if (!signature) throw new SignatureWithheldError('A certificate was not signed')
  return signature
}
