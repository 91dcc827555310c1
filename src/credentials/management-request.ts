import { Type, type Static } from '@sinclair/typebox'

/** What a new credential shall be (CSC API v2.2, 11.4). */
export const CredentialCreationRequest = Type.Object({
  certificatePolicy: Type.Optional(
    Type.String({ description: 'OID of the certificate policy that is wanted.' }),
  ),
  subjectData: Type.Optional(
    Type.Record(Type.String(), Type.Unknown(), {
      description:
        'Who the certificate is for, in claims of OpenID Connect. What is known of the person stands; what contradicts it is refused.',
    }),
  ),
})
export type CredentialCreationRequest = Static<typeof CredentialCreationRequest>

/** Which credential shall go (CSC API v2.2, 11.5). */
export const CredentialDeletionRequest = Type.Object({
  credentialID: Type.String({ description: 'As `credentials/list` names it.' }),
  revoke: Type.Optional(
    Type.Boolean({ description: 'Whether the certificate is revoked as well.' }),
  ),
  revocationReason: Type.Optional(
    Type.Integer({ description: 'RFC 5280, 5.3.1; needed with `revoke`.' }),
  ),
})
export type CredentialDeletionRequest = Static<typeof CredentialDeletionRequest>

/** What a person agreed that an application may do with their credentials, once. */
export type CredentialManagement =
  | {
      readonly act: 'creation'
      /** Null when the application may fill it in later. */
      readonly request: CredentialCreationRequest | null
    }
  | {
      readonly act: 'deletion'
      readonly credentialID: string
      /** Null when only the credential was named. */
      readonly request: CredentialDeletionRequest | null
    }

/** Reasons of RFC 5280, 5.3.1: there is no 7. */
export function isRevocationReason(reason: number): boolean {
  return reason >= 0 && reason <= 10 && reason !== 7
}
