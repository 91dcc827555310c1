import { Type } from '@sinclair/typebox'

/** Parameters that several methods share (CSC API v2, 7 and 11). */
export const ClientData = Type.Optional(
  Type.String({
    complaint: 'Invalid parameter clientData',
    description: 'Free data of the application.',
  }),
)

export const Lang = Type.Optional(Type.String({ description: 'Preferred language, RFC 5646.' }))

export const Certificates = Type.Optional(
  Type.Union([Type.Literal('none'), Type.Literal('single'), Type.Literal('chain')], {
    complaint: 'Invalid parameter certificates',
    description: 'How much of the certificate chain to return; single when absent.',
  }),
)

export const Flag = (description: string) => Type.Optional(Type.Boolean({ description }))
