import { keyAlgorithmOf } from '../keys/algorithms.js'
import { attestWith } from '../keys/attest.js'
import type { KeyCustody } from '../keys/key-custody.js'
import { ownAlgorithm } from './algorithm-identifier.js'
import {
  assembleRequest,
  encodeRequestInfo,
  readCertificationRequest,
  type CertificationRequest,
} from './certification-request.js'

/**
 * A PKCS#10 request, DER, signed by the key that it names. The custody lets a key sign one as long as no
 * credential has it.
 * @throws what `KeyCustody.attest` throws
 */
export async function requestCertificate(
  custody: KeyCustody,
  keyId: string,
  request: CertificationRequest,
): Promise<Buffer> {
  const keyAlgorithm = keyAlgorithmOf(request.publicKey)
  if (keyAlgorithm === null) throw new Error('A key of no kind we know')
  const algorithm = ownAlgorithm(keyAlgorithm)
  const toBeSigned = encodeRequestInfo(request)
  const kind = 'certificate-request'
  const statement = { kind, keyId, toBeSigned, tstInfo: null, algorithm } as const
  const der = assembleRequest(toBeSigned, await attestWith(custody, statement), algorithm)
  readCertificationRequest(der)
  return der
}
