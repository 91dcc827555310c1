import { createHash } from 'node:crypto'
import { auditEvent, type AuditEvent } from '../audit/events.js'
import { allowsKeyAlgorithm, keyAlgorithmOf } from '../keys/algorithms.js'
import type { IssuedCertificate, SubjectName } from './certificate-authority.js'
import { parseCertificate } from './certificate.js'
import { readCertificationRequest } from './certification-request.js'
import type { EmbeddedAuthority } from './embedded/embedded-authority.js'
import type { IssuedCertificateStore } from './issued-certificates.js'
import type { CertificateProfile } from './profiles.js'
import type { FinalReason } from './revocation.js'

type ForeignProfile = 'signer' | 'seal'

/** A request for a certificate that nobody gets. */
export class UnfitRequestError extends Error {
  override readonly name = 'UnfitRequestError'
}

/** So they are on record: no credential of ours has their keys. */
const RECORDED_AS: Readonly<Record<ForeignProfile, string>> = {
  signer: 'foreign-signer',
  seal: 'foreign-seal',
}

export interface ForeignCertificatesParts {
  readonly authority: Pick<EmbeddedAuthority, 'issue'>
  readonly issued: Pick<IssuedCertificateStore, 'find' | 'revoke'>
  readonly profiles: Readonly<Record<ForeignProfile, CertificateProfile>>
  readonly append: (...events: AuditEvent[]) => Promise<unknown>
  readonly now: () => Date
}

/**
 * Certificates for keys that are not in our token, such as that of a person's own device. A key process
 * refuses them whoever asks, so only a command can have one issued that opens the token itself.
 */
export class ForeignCertificates {
  readonly #parts: ForeignCertificatesParts

  constructor(parts: ForeignCertificatesParts) {
    this.#parts = parts
  }

  /**
   * @param csr PKCS#10, DER. What it says of its sender is not looked at: `subject` is who they are.
   * @throws {UnfitRequestError} when its sender does not prove to have the key, or policy does not allow it
   */
  async issue(
    csr: Buffer,
    { subject, profile }: { readonly subject: SubjectName; readonly profile: ForeignProfile },
  ): Promise<IssuedCertificate> {
    const publicKey = demandProvedKey(csr)
    const { authority, profiles, append } = this.#parts
    const keyId = `foreign-${createHash('sha256').update(publicKey).digest('hex')}`
    const recordedAs = RECORDED_AS[profile]
    const request = { keyId, publicKey, subject, profile: profiles[profile], recordedAs }
    const issued = await authority.issue(request)
    const { serialNumber, subject: name } = parseCertificate(issued.certificate)
    const sha256 = createHash('sha256').update(issued.certificate).digest('hex')
    const request256 = createHash('sha256').update(csr).digest('hex')
    const facts = { serialNumber, subject: name, sha256, request: request256 }
    await append(auditEvent('certificate.issued', facts))
    return issued
  }

  /** False when there is no such certificate for a key of others, or it was revoked before. */
  async revoke(serialNumber: string, reason: FinalReason): Promise<boolean> {
    const { issued, now } = this.#parts
    const found = await issued.find(serialNumber)
    if (!found || !Object.values(RECORDED_AS).includes(found.profile)) return false
    const event = auditEvent('certificate.revoked', { serialNumber, reason })
    return issued.revoke(serialNumber, { at: now(), reason }, [event])
  }
}

function demandProvedKey(csr: Buffer): Buffer {
  let publicKey
  try {
    publicKey = readCertificationRequest(csr).publicKey
  } catch (cause) {
    throw new UnfitRequestError(cause instanceof Error ? cause.message : 'It cannot be read', {
      cause,
    })
  }
  const algorithm = keyAlgorithmOf(publicKey)
  if (algorithm !== null && allowsKeyAlgorithm(algorithm)) return publicKey
  throw new UnfitRequestError('Policy does not allow certificates for a key of this kind')
}
