import { Type, type Static } from '@sinclair/typebox'
import type { Credential } from '../credentials/credential.js'
import { certificateStatus, leaf, signingCertificate } from '../credentials/credentials.js'
import { KEY_ALGORITHMS } from '../keys/algorithms.js'

/** The CSC API's view of a credential (v2, 11.4 and 11.5). */
export const CredentialInfo = Type.Object({
  credentialID: Type.String(),
  description: Type.String(),
  signatureQualifier: Type.Optional(Type.String()),
  key: Type.Object({
    status: Type.Union([Type.Literal('enabled'), Type.Literal('disabled')]),
    algo: Type.Array(Type.String()),
    len: Type.Integer(),
    curve: Type.Optional(Type.String()),
  }),
  cert: Type.Object({
    status: Type.Union(
      (['valid', 'expired', 'revoked', 'suspended'] as const).map((status) => Type.Literal(status)),
    ),
    certificates: Type.Optional(Type.Array(Type.String())),
    issuerDN: Type.Optional(Type.String()),
    serialNumber: Type.Optional(Type.String()),
    subjectDN: Type.Optional(Type.String()),
    validFrom: Type.Optional(Type.String()),
    validTo: Type.Optional(Type.String()),
  }),
  auth: Type.Object({
    mode: Type.Union([Type.Literal('oauth2code'), Type.Literal('explicit')]),
    expression: Type.Optional(Type.String()),
    objects: Type.Optional(
      Type.Array(
        Type.Object({
          type: Type.String(),
          id: Type.String(),
          format: Type.Optional(Type.String()),
          label: Type.Optional(Type.String()),
          generator: Type.Optional(Type.String()),
        }),
      ),
    ),
  }),
  SCAL: Type.Union([Type.Literal('1'), Type.Literal('2')]),
  multisign: Type.Integer({ minimum: 1 }),
})
export type CredentialInfo = Static<typeof CredentialInfo>

export interface Detail {
  readonly certificates?: 'none' | 'single' | 'chain'
  readonly certInfo?: boolean
  readonly authInfo?: boolean
}

export function describeCredential(
  credential: Credential,
  detail: Detail,
  now: Date,
): CredentialInfo {
  const { keyAlgorithm, SCAL, multisign } = credential
  const { signAlgos, bits, curveOid } = KEY_ALGORITHMS[keyAlgorithm]
  const status = certificateStatus(credential, now)
  const enabled = credential.status === 'enabled' && status === 'valid'
  return {
    credentialID: credential.id,
    description: credential.description,
    ...(credential.signatureQualifier === null
      ? {}
      : { signatureQualifier: credential.signatureQualifier }),
    key: {
      status: enabled ? 'enabled' : 'disabled',
      algo: [...signAlgos],
      len: bits,
      ...(curveOid === undefined ? {} : { curve: curveOid }),
    },
    cert: {
      status,
      ...chosenCertificates(credential, detail.certificates ?? 'single'),
      ...(detail.certInfo ? certificateNames(credential) : {}),
    },
    auth: { mode: credential.authMode, ...(detail.authInfo ? authObjects(credential) : {}) },
    SCAL,
    multisign,
  }
}

/** EU wallet clients read `objects` of every mode; with a redirect there are none. */
function authObjects({ authObjects, authExpression }: Credential) {
  return {
    ...(authExpression === null ? {} : { expression: authExpression }),
    objects: authObjects.map(({ factor: _, ...object }) => object),
  }
}

function chosenCertificates(credential: Credential, choice: 'none' | 'single' | 'chain') {
  if (choice === 'none') return {}
  const chosen = choice === 'single' ? [leaf(credential)] : credential.certificates
  return { certificates: chosen.map((certificate) => certificate.toString('base64')) }
}

function certificateNames(credential: Credential) {
  const { issuer, serialNumber, subject, validFrom, validTo } = signingCertificate(credential)
  return { issuerDN: issuer, serialNumber, subjectDN: subject, validFrom, validTo }
}
