import { isToCome, type Credential } from './credential.js'

/** What of a credential is under the MAC in its `binding`. */
export type BoundCredential = Pick<
  Credential,
  | 'id'
  | 'userId'
  | 'keyId'
  | 'keyAlgorithm'
  | 'certificates'
  | 'SCAL'
  | 'authMode'
  | 'authObjects'
  | 'authExpression'
  | 'signatureQualifier'
  | 'ownerClientId'
  | 'pinHash'
  | 'approvalFactor'
>

/** The facts that belong together, in the order in which they are bound (`Secrets.bind`). */
export function boundFacts(credential: BoundCredential): string[] {
  const { id, userId, keyId, keyAlgorithm, SCAL, authMode, pinHash } = credential
  const { approvalFactor = 'otp' } = credential
  const [certificate] = credential.certificates
  return [
    ...[isToCome(credential) ? 'credential to come' : 'credential', id],
    ...[userId, keyId, keyAlgorithm, SCAL, authMode, pinHash ?? ''],
    ...[JSON.stringify(credential.authObjects), credential.authExpression ?? ''],
    ...[credential.signatureQualifier ?? '', credential.ownerClientId ?? ''],
    certificate?.toString('base64') ?? '',
    ...(approvalFactor === 'otp' ? [] : [approvalFactor]),
  ]
}
