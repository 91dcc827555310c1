import type { SubjectName } from '../certificates/certificate-authority.js'
import { hashPassword } from '../identity/password.js'
import { compileAuthExpression } from './auth-object.js'
import type { Credential } from './credential.js'
import type { NewCredential } from './credentials.js'

/** What holds for a credential whatever its key and certificate are. */
export type CredentialTerms = Pick<
  Credential,
  | 'userId'
  | 'description'
  | 'SCAL'
  | 'multisign'
  | 'authMode'
  | 'authObjects'
  | 'authExpression'
  | 'signatureQualifier'
  | 'ownerClientId'
  | 'pinHash'
  | 'approvalFactor'
>

export async function termsOf(request: NewCredential): Promise<CredentialTerms> {
  const { user, description, SCAL, multisign, pin } = request
  return {
    ...{ userId: user.id, description, SCAL, multisign },
    ...authorisationMode(request),
    signatureQualifier: request.signatureQualifier ?? null,
    ownerClientId: request.ownerClientId ?? null,
    pinHash: pin === null ? null : await hashPassword(pin),
    approvalFactor: request.approvalFactor ?? 'otp',
  }
}

function authorisationMode({ explicit }: NewCredential) {
  if (!explicit) return { authMode: 'oauth2code' as const, authObjects: [], authExpression: null }
  compileAuthExpression(explicit.expression, explicit.objects)
  return {
    authMode: 'explicit' as const,
    authObjects: explicit.objects,
    authExpression: explicit.expression,
  }
}

type Named = Pick<NewCredential['user'], 'displayName' | 'givenName' | 'surname' | 'id' | 'country'>

/** Exactly who is on record (S16). What seals stands for itself, and is no person with a first name. */
export function subjectOf(
  { displayName, givenName, surname, id, country }: Named,
  isSeal: boolean,
): SubjectName {
  return {
    ...(isSeal
      ? { commonName: displayName, organization: displayName, organizationIdentifier: id }
      : { commonName: shortened(displayName), givenName, surname, serialNumber: id }),
    ...(country === null ? {} : { country }),
  }
}

/** As much as a common name holds (RFC 5280, A.1): given name and surname have all of it. */
function shortened(name: string): string {
  return [...name].slice(0, LONGEST_COMMON_NAME).join('').trim()
}

const LONGEST_COMMON_NAME = 64
