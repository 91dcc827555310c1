import { Type } from '@sinclair/typebox'
import { inWords, invalid } from '../http/refusals.js'

/** Parameters that several methods share (CSC API v2, 7 and 11). */
export const ClientData = Type.Optional(
  Type.String({
    complaint: 'Invalid parameter clientData',
    description: 'Free data of the application, such as its own name for the transaction.',
  }),
)

export const Lang = Type.Optional(Type.String({ description: 'Preferred language, RFC 5646.' }))

export const CredentialID = Type.String({
  description: 'The credential, as `credentials/list` names it.',
})

export const HashAlgorithmOID = Type.Optional(
  Type.String({
    description: 'OID of the algorithm the digests were made with.',
    examples: ['2.16.840.1.101.3.4.2.1'],
  }),
)

/** Which of them is no Base64 is told in words of its own (hashes.ts). */
export const Digest = Type.Unknown({
  contentEncoding: 'base64',
  description: 'A digest as bytes; either alphabet of Base64, padded or not.',
  examples: ['LCa0a2j/xo/5m0U8HTBBNBOqIAbAThU4Wph93MhQ/9A='],
})

export const Certificates = Type.Optional(
  Type.Union([Type.Literal('none'), Type.Literal('single'), Type.Literal('chain')], {
    complaint: 'Invalid parameter certificates',
    description: 'How much of the certificate chain to return; single when absent.',
  }),
)

export const Flag = (description: string) => Type.Optional(Type.Boolean({ description }))

export const FOREIGN_CREDENTIAL = invalid('credentialID')

/** What becomes of digests and of the algorithm they were made with. */
export const UNFIT_DIGESTS = [
  ...inWords('Invalid Base64 hash string parameter', 'Invalid digest value length'),
  ...invalid('hashAlgorithmOID'),
]

/** The credential is there, and theirs, and cannot sign now. */
export const UNUSABLE_CREDENTIAL = ['credential-disabled', 'certificate-expired'] as const

/** The owner was asked; `credentials/authorizeCheck` tells what they decided. */
export const ApprovalHandle = Type.Object({
  handle: Type.String({ description: 'For `credentials/authorizeCheck`.' }),
})

/** An authorisation granted with factors or on our pages, given out as SAD. */
export const IssuedSad = Type.Object({
  SAD: Type.String({ description: 'Signature activation data: authorises these signatures once.' }),
  expiresIn: Type.Integer({ description: 'Seconds until the SAD expires.' }),
})
