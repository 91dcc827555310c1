import { createHash } from 'node:crypto'
import { HASH_ALGORITHMS, type SignatureAlgorithm } from '../../keys/algorithms.js'
import { verifyDigest } from '../../keys/digest-verifier.js'
import type { KeyCustody } from '../../keys/key-custody.js'
import { parseCertificate, type ParsedCertificate } from '../certificate.js'
import type { AuthorityName, AuthorityRecord, ServiceName } from './authority-store.js'

/** What our authorities sign with, which are all of one kind. */
export const SIGNED_WITH: SignatureAlgorithm = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha384 }

/** A certificate with its key, of an authority or a service. */
export interface Authority {
  readonly keyId: string
  readonly certificate: ParsedCertificate
}

/**
 * A store that was tampered with or restored without its token must not go unnoticed.
 * @throws {Error} when certificate, key and issuer do not belong together
 */
export async function checkedAuthority(
  custody: KeyCustody,
  name: AuthorityName | ServiceName,
  { keyId, certificate: der }: AuthorityRecord,
  issuer: Authority | null,
): Promise<Authority> {
  const certificate = parseCertificate(der)
  const publicKey = await custody.publicKey(keyId)
  if (publicKey === null) throw new Error(`The ${name} key is not in the token`)
  if (!publicKey.equals(certificate.publicKey)) {
    throw new Error(`The certificate of the ${name} key is for another key`)
  }
  const issuerKey = issuer?.certificate.publicKey ?? certificate.publicKey
  const digest = createHash('sha384').update(certificate.tbs).digest()
  if (!(await verifyDigest(issuerKey, digest, certificate.signature, SIGNED_WITH))) {
    throw new Error(`The certificate of the ${name} key has a wrong signature`)
  }
  return { keyId, certificate }
}
