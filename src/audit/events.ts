/**
 * Every event the audit log knows, with what each records. Digests and signatures are recorded as
 * SHA-256 of their bytes where they would be long; secrets, tokens and SADs never.
 */
export interface AuditEventDetails {
  'service.started': { version: string; pid: number; baseUrl: string }
  'service.stopped': { pid: number; reason: string }
  'configuration.loaded': { sha256: string }
  'audit.exported': { from: number; to: number }
  /** All outstanding approvals, codes and tokens were ended. */
  'database.restored': { lostHead: number | null; endedAgain: number }

  /** No timestamps are given: the clock cannot be relied on. */
  'timestamping.stopped': { why: string }
  'timestamping.resumed': Record<string, never>
  /** Our own authority is about to give one out: TSTInfo, Base64 of DER. */
  'timestamp.given': { tstInfo: string }
  /** What our own authority did in one process, and what it refused, by PKIFailureInfo. */
  'timestamps.counted': {
    from: string
    to: string
    given: number
    refused: Record<string, number>
  }

  /** People that a release before put on record came under a MAC; approvals without one end then. */
  'installation.bound': { people: number; unboundUntil: string }
  'user.added': { userId: string; username: string }
  'user.changed': { userId: string; changed: string[] }
  'user.disabled': { userId: string }
  /** What the database says of them is not what was put on record: they are nobody until it is confirmed. */
  'user.refused': { userId: string; why: string }
  'user.confirmed': { userId: string; authenticatorRemoved: boolean }
  'client.added': { clientId: string; name: string }
  'client.disabled': { clientId: string }

  'sign-in.succeeded': { userId: string; clientId: string; factors: string[] }
  'sign-in.failed': { username: string; clientId: string; address: string; why: string }
  'identity.authenticated': {
    userId: string
    clientId: string
    provider: string
    issuer: string
    subject: string
    authenticatedAt: string | null
    acr: string | null
    amr: string[]
    /** SHA-256 of the ID token. */
    assertion: string
    /** The transaction it confirms; null for signing in. */
    transactionId: string | null
  }
  'identity.linked': { userId: string; provider: string; issuer: string; subject: string }
  'identity.enrolled': {
    userId: string
    username: string
    provider: string
    issuer: string
    subject: string
    assertion: string
  }
  'identity.unlinked': { userId: string; issuer: string; subject: string }
  'identity.refused': {
    provider: string
    clientId: string
    interactionId: string
    purpose: 'sign-in' | 'approval'
    why: string
  }
  'code.sent': { userId: string; credentialId: string; clientId: string; factor: string }
  'code.not-sent': {
    userId: string
    credentialId: string
    clientId: string
    factor: string
    why: string
  }
  'enrolment-code.issued': { userId: string; expiresAt: string }
  'factor.enrolled': { userId: string; factor: string; proof: string; passkeyId?: string }
  'factor.removed': { userId: string; factor: string; proof: string; passkeyId?: string }
  'factor.refused': { userId: string; why: string }
  'recovery-code.used': { userId: string; purpose: string; left: number }
  'recovery-codes.issued': { userId: string; count: number }
  'passkey.refused': {
    purpose: 'sign-in' | 'approval' | 'enrolment'
    /** The application that asked; null on the person's own pages. */
    clientId: string | null
    /** Who had to answer, or whose passkey was copied; null where it could be anyone. */
    userId: string | null
    /** Null when it is nobody's. */
    passkeyId: string | null
    why: string
  }
  'factor.failed': { userId: string; credentialId: string; factor: string }
  'credential.locked': { credentialId: string; until: string }

  'key.generated': { keyId: string; algorithm: string }
  'key.destroyed': { keyId: string; credentialId: string }
  'key.abandoned': { keyId: string; state: string }
  'key.missing': { keyId: string }
  'certificate.issued': {
    serialNumber: string
    subject: string
    sha256: string
    /** SHA-256 of the request (PKCS#10), where somebody brought one. */
    request?: string
  }
  'certificate.requested': { credentialId: string; userId: string; keyId: string }
  'certificate-request.withdrawn': { credentialId: string; reason: string }
  /** Issued elsewhere, for a key of ours. */
  'certificate.imported': { serialNumber: string; subject: string; sha256: string }
  'certificate.revoked': { serialNumber: string; reason: string }
  'revocation-list.published': { issuer: string; number: number; entries: number }
  /** For one signing session: key and certificate come when its owner agrees. */
  'credential.promised': { credentialId: string; userId: string }
  'credential.created': { credentialId: string; userId: string; keyId: string }
  'credential.suspended': { credentialId: string; reason: string }
  'credential.resumed': { credentialId: string; reason: string }
  'credential.revoked': { credentialId: string; reason: string }
  'credential.deleted': { credentialId: string; reason: string }
  'credential-management.approved': {
    clientId: string
    userId: string
    act: string
    credentialId: string | null
  }
  'credential.refused': { credentialId: string; why: string }

  'document.deposited': { clientId: string; userId: string; sha256: string; size: number }
  'document.withdrawn': { clientId: string; userId: string; hash: string; digest: string }
  'transaction.created': {
    transactionId: string
    clientId: string
    userId: string
    credentialId: string
    hashAlgorithm: string | null
    numSignatures: number
    digests: string[]
  }
  'transaction.rejected': { transactionId: string; userId: string }
  'authorisation.granted': {
    authorisationId: string
    transactionId: string
    clientId: string
    userId: string
    credentialId: string
    factors: string[]
    digests: string[]
    /** How many signatures; no less than digests. Absent in records of releases before. */
    numSignatures?: number
  }
  'authorisation.collected': { authorisationId: string; transactionId: string }
  'approval-request.refused': {
    clientId: string
    userId: string
    credentialId: string
    why: string
  }
  'approval-notice.sent': { transactionId: string; userId: string }
  'approval-notice.not-sent': { transactionId: string; userId: string; why: string }
  'authorisation.extended': { authorisationId: string; digests: string[] }
  'authorisation.revoked': { authorisationId: string; why: string }
  'token.revoked': { clientId: string; kind: string }
  'session.ended': { userId: string; sessions: number }
  'access.ended': { userId: string; clientId: string }

  'signature.requested': {
    operationId: string
    authorisationId: string
    clientId: string
    userId: string
    credentialId: string
    algorithm: string
    /** Those that were authorised. */
    digests: string[]
    /** For documents, what is signed in the place of each. */
    toBeSigned?: string[]
  }
  'signature.created': {
    operationId: string
    clientId: string
    userId: string
    credentialId: string
    signatures: string[]
  }
  'signature.failed': { operationId: string; credentialId: string; why: string }
  'signature.indeterminate': { operationId: string; credentialId: string; why: string }
  'result.announced': { host: string }
  'result.not-announced': { host: string; why: string }
  'signature.refused': { clientId: string; userId: string; credentialId: string; why: string }
}

export type AuditEventName = keyof AuditEventDetails

export type AuditEvent = {
  [Name in AuditEventName]: { readonly event: Name; readonly detail: AuditEventDetails[Name] }
}[AuditEventName]

/** Builds a well-typed event; `detail` is checked against the event's name. */
export function auditEvent<Name extends AuditEventName>(
  event: Name,
  detail: AuditEventDetails[Name],
): AuditEvent {
  return { event, detail } as AuditEvent
}
