import type { HashName, SignatureAlgorithm } from '../../keys/algorithms.js'
import type { KeyCustody } from '../../keys/key-custody.js'
import { ownAlgorithm } from '../algorithm-identifier.js'
import { parseCertificate, type ParsedCertificate } from '../certificate.js'
import { publicKeyOf, readSigned } from '../signed-structure.js'
import type { AuthorityName, AuthorityRecord, ServiceName } from './authority-store.js'

/** A certificate with its key, of an authority or a service. */
export interface Authority {
  readonly keyId: string
  readonly certificate: ParsedCertificate
  /** By which it signs. */
  readonly algorithm: SignatureAlgorithm
}

/**
 * A store that was tampered with or restored without its token must not go unnoticed.
 * @param hash by which it signs from now on; the one that fits its key when absent
 * @throws {Error} when certificate, key and issuer do not belong together
 */
export async function checkedAuthority(
  custody: KeyCustody,
  name: AuthorityName | ServiceName,
  { keyId, certificate: der }: AuthorityRecord,
  issuer: Authority | null,
  hash?: HashName,
): Promise<Authority> {
  const certificate = parseCertificate(der)
  const publicKey = await custody.publicKey(keyId)
  if (publicKey === null) throw new Error(`The ${name} key is not in the token`)
  if (!publicKey.equals(certificate.publicKey)) {
    throw new Error(`The certificate of the ${name} key is for another key`)
  }
  const issuerKey = issuer?.certificate.publicKey ?? certificate.publicKey
  if (!readSigned(der).isSignedBy(publicKeyOf(issuerKey))) {
    throw new Error(`The certificate of the ${name} key has a wrong signature`)
  }
  const { keyAlgorithm } = certificate
  if (keyAlgorithm === null) throw new Error(`The ${name} key is of no kind we know`)
  return { keyId, certificate, algorithm: ownAlgorithm(keyAlgorithm, hash) }
}
