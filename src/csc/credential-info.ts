import { Type, type Static } from '@sinclair/typebox'
import { listedOids } from '../certificates/certificate.js'
import { isToCome, type Credential } from '../credentials/credential.js'
import { certificateStatus, isUsableAt, signingCertificate } from '../credentials/credentials.js'
import { KEY_ALGORITHMS } from '../keys/algorithms.js'
import { chooseLanguage, type Language } from '../pages/language.js'
import { labelIn } from './labels.js'

/** The CSC API's view of a credential (v2, 11.4 and 11.5). */
export const CredentialInfo = Type.Object(
  {
    credentialID: Type.String({ description: 'Name of the credential in every other method.' }),
    description: Type.String({ description: 'What it is, for people.' }),
    signatureQualifier: Type.Optional(
      Type.String({ description: 'Kind of signature it makes, such as eu_eidas_qes.' }),
    ),
    key: Type.Object({
      status: Type.Union([Type.Literal('enabled'), Type.Literal('disabled')], {
        description: 'Disabled also when the certificate is not valid.',
      }),
      algo: Type.Array(Type.String(), { description: 'OIDs that `signAlgo` may name.' }),
      len: Type.Integer({ description: 'Length of the key in bits.' }),
      curve: Type.Optional(Type.String({ description: 'OID of its curve.' })),
    }),
    cert: Type.Object({
      status: Type.Optional(
        Type.Union(
          (['valid', 'expired', 'revoked', 'suspended'] as const).map((status) =>
            Type.Literal(status),
          ),
          {
            description:
              'At this moment; absent, like all that follows, while the certificate is to be issued when the signer approves.',
          },
        ),
      ),
      certificates: Type.Optional(
        Type.Array(Type.String({ contentEncoding: 'base64' }), {
          description: 'DER, the signer’s own first; as many as `certificates` asks for.',
        }),
      ),
      issuerDN: Type.Optional(Type.String({ description: 'RFC 4514.' })),
      serialNumber: Type.Optional(Type.String({ description: 'Hexadecimal.' })),
      subjectDN: Type.Optional(Type.String({ description: 'RFC 4514.' })),
      validFrom: Type.Optional(Type.String({ description: 'GeneralizedTime, YYYYMMDDHHMMSSZ.' })),
      validTo: Type.Optional(Type.String({ description: 'GeneralizedTime, YYYYMMDDHHMMSSZ.' })),
      policy: Type.Optional(
        Type.Array(Type.String(), { description: 'OIDs of its certificate policies, if any.' }),
      ),
      qcStatements: Type.Optional(
        Type.Array(Type.String(), { description: 'OIDs of its QC statements, if any.' }),
      ),
    }),
    auth: Type.Object({
      mode: Type.Union([Type.Literal('oauth2code'), Type.Literal('explicit')], {
        description: 'On our pages, or by `credentials/authorize`.',
      }),
      expression: Type.Optional(
        Type.String({ description: 'Which of the objects are needed: AND, OR, XOR of their ids.' }),
      ),
      objects: Type.Optional(
        Type.Array(
          Type.Object({
            type: Type.String({ description: 'Password or ChallengeResponse.' }),
            id: Type.String({ description: 'Its name in `authData` and in the expression.' }),
            format: Type.Optional(
              Type.String({ description: 'A for letters and digits, N for digits.' }),
            ),
            label: Type.Optional(Type.String({ description: 'What to ask the signer for.' })),
            generator: Type.Optional(Type.String({ description: 'What makes the code.' })),
          }),
          { description: 'What the application has to ask the signer for.' },
        ),
      ),
    }),
    SCAL: Type.Union([Type.Literal('1'), Type.Literal('2')], {
      description: '2 when authorisations are bound to digests.',
    }),
    multisign: Type.Integer({
      minimum: 1,
      description: 'Most signatures one authorisation may cover.',
    }),
    lang: Type.Optional(
      Type.String({ description: 'Language of the labels, RFC 5646, when one was asked for.' }),
    ),
  },
  { title: 'CredentialInfo' },
)
export type CredentialInfo = Static<typeof CredentialInfo>

export interface Detail {
  readonly certificates?: 'none' | 'single' | 'chain'
  readonly certInfo?: boolean
  readonly authInfo?: boolean
  readonly lang?: string
}

export function describeCredential(
  credential: Credential,
  detail: Detail,
  now: Date,
): CredentialInfo {
  const { keyAlgorithm, SCAL, multisign } = credential
  const { signAlgos, bits, curveOid } = KEY_ALGORITHMS[keyAlgorithm]
  const status = certificateStatus(credential, now)
  return {
    credentialID: credential.id,
    description: credential.description,
    ...(credential.signatureQualifier === null
      ? {}
      : { signatureQualifier: credential.signatureQualifier }),
    key: {
      status: isUsableAt(credential, now) ? 'enabled' : 'disabled',
      algo: [...signAlgos],
      len: bits,
      ...(curveOid === undefined ? {} : { curve: curveOid }),
    },
    cert: {
      ...(status === null ? {} : { status }),
      ...chosenCertificates(credential, detail.certificates ?? 'single'),
      ...(detail.certInfo ? certificateNames(credential) : {}),
    },
    auth: {
      mode: credential.authMode,
      ...(detail.authInfo ? authObjects(credential, chooseLanguage(detail.lang ?? '')) : {}),
    },
    SCAL,
    multisign,
    ...(detail.lang === undefined ? {} : { lang: chooseLanguage(detail.lang) }),
  }
}

/** EU wallet clients read `objects` of every mode; with a redirect there are none. */
function authObjects({ authObjects, authExpression }: Credential, language: Language) {
  return {
    ...(authExpression === null ? {} : { expression: authExpression }),
    objects: authObjects.map(({ factor: _, label, ...object }) => {
      return { ...object, label: labelIn(language, label) }
    }),
  }
}

function chosenCertificates(credential: Credential, choice: 'none' | 'single' | 'chain') {
  if (choice === 'none' || isToCome(credential)) return {}
  const chosen = choice === 'single' ? credential.certificates.slice(0, 1) : credential.certificates
  return { certificates: chosen.map((certificate) => certificate.toString('base64')) }
}

function certificateNames(credential: Credential) {
  if (isToCome(credential)) return {}
  const certificate = signingCertificate(credential)
  const { issuer, serialNumber, subject, validFrom, validTo } = certificate
  const policy = listedOids(certificate, 'certificatePolicies')
  const qcStatements = listedOids(certificate, 'qcStatements')
  return {
    ...{ issuerDN: issuer, serialNumber, subjectDN: subject, validFrom, validTo },
    ...(policy.length > 0 ? { policy } : {}),
    ...(qcStatements.length > 0 ? { qcStatements } : {}),
  }
}
