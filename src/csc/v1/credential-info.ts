import { Type, type Static } from '@sinclair/typebox'
import { CredentialInfo } from '../credential-info.js'
import { isOnline, type V1Authorisation, type V1Factor } from './factors.js'

const { key, cert: v2Cert, description, SCAL, multisign, lang } = CredentialInfo.properties
// What else is read out of the certificate came with v2.2.
const cert = Type.Omit(v2Cert, ['policy', 'qcStatements'])

const Presence = Type.Union(
  (['true', 'false', 'optional'] as const).map((presence) => Type.Literal(presence)),
  { description: 'Whether the signer has to be asked for it; text, not boolean.' },
)
const Format = Type.Optional(
  Type.String({ description: 'A for letters and digits, N for digits.' }),
)
const Label = Type.Optional(Type.String({ description: 'What to ask the signer for.' }))

/** A credential in the words of v1 (11.5). */
export const V1CredentialInfo = Type.Object({
  ...{ description, key, cert },
  authMode: Type.Union(
    (['implicit', 'explicit', 'oauth2code'] as const).map((mode) => Type.Literal(mode)),
    { description: 'By the service itself, by `credentials/authorize`, or on our pages.' },
  ),
  SCAL,
  PIN: Type.Optional(Type.Object({ presence: Presence, format: Format, label: Label })),
  OTP: Type.Optional(
    Type.Object({
      presence: Presence,
      type: Type.Optional(
        Type.Union([Type.Literal('offline'), Type.Literal('online')], {
          description: 'Online when `credentials/sendOTP` sends it.',
        }),
      ),
      format: Format,
      label: Label,
      ID: Type.Optional(Type.String({ description: 'What makes or brings the code.' })),
    }),
  ),
  multisign,
  lang,
})
export type V1CredentialInfo = Static<typeof V1CredentialInfo>

/** @param detailed whether PIN and OTP are described, as `authInfo` asks */
export function asV1Credential(
  { description, key, cert: v2Cert, SCAL, multisign, lang }: CredentialInfo,
  { authMode, pin, otp }: V1Authorisation,
  detailed: boolean,
): V1CredentialInfo {
  const described = detailed && authMode === 'explicit'
  // Members of v2.2.
  const cert = { ...v2Cert, policy: undefined, qcStatements: undefined }
  return {
    ...{ description, key, cert, authMode, SCAL },
    ...(described ? { PIN: describe(pin), OTP: describeCode(otp) } : {}),
    multisign,
    ...(lang === undefined ? {} : { lang }),
  }
}

function describe(factor: V1Factor | null) {
  if (!factor) return { presence: 'false' as const }
  const { format = 'A', label } = factor.object
  return { presence: factor.presence, format, ...(label === undefined ? {} : { label }) }
}

function describeCode(factor: V1Factor | null) {
  if (!factor) return describe(factor)
  const { id, generator = id } = factor.object
  const type = isOnline(factor.object) ? ('online' as const) : ('offline' as const)
  return { ...describe(factor), type, ID: generator }
}
