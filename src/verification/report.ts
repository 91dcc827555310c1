import { Type, type Static } from '@sinclair/typebox'
import { CHANGE_KINDS } from './evidence.js'
import type { Finding } from './findings.js'
import { SUB_INDICATIONS } from './indications.js'

const closed = { additionalProperties: false }
const literals = <Text extends string>(texts: readonly Text[]) =>
  Type.Union(texts.map((text) => Type.Literal(text)))

const Time = Type.String({ description: 'RFC 3339, UTC.' })
const IndicationSchema = literals(Object.keys(SUB_INDICATIONS) as (keyof typeof SUB_INDICATIONS)[])
const SubIndicationSchema = Type.Union([
  literals(Object.values(SUB_INDICATIONS).flat()),
  Type.Null(),
])

const FindingSchema = Type.Object(
  {
    code: Type.String({ description: 'What it is, for programs.' }),
    severity: literals(['error', 'warning', 'information'] as const),
    text: Type.String({ description: 'The same for people, in the language asked for.' }),
  },
  { ...closed, title: 'Finding' },
)

const CertificateSchema = Type.Object(
  {
    subject: Type.String({ description: 'RFC 4514.' }),
    issuer: Type.String({ description: 'RFC 4514.' }),
    serialNumber: Type.String({ description: 'Hexadecimal.' }),
    notBefore: Time,
    notAfter: Time,
    sha256: Type.String({ description: 'Of the DER, hexadecimal.' }),
    trustAnchor: Type.Boolean(),
    revocation: Type.Object(
      {
        status: literals(['good', 'revoked', 'unknown', 'not-needed'] as const),
        source: Type.Union([Type.Literal('crl'), Type.Literal('ocsp'), Type.Null()]),
        producedAt: Type.Union([Time, Type.Null()]),
        revokedAt: Type.Union([Time, Type.Null()]),
        reason: Type.Union([
          Type.Integer({ description: 'CRLReason (RFC 5280, 5.3.1).' }),
          Type.Null(),
        ]),
      },
      closed,
    ),
  },
  { ...closed, title: 'Certificate' },
)

const TimestampSchema = Type.Object(
  {
    kind: literals(['content', 'signature', 'archive', 'document'] as const),
    indication: IndicationSchema,
    subIndication: SubIndicationSchema,
    time: Type.Union([Time, Type.Null()]),
    authority: Type.Union([Type.String(), Type.Null()]),
    policy: Type.Union([Type.String(), Type.Null()]),
    serialNumber: Type.Union([Type.String(), Type.Null()]),
    digestAlgorithm: Type.Union([Type.String(), Type.Null()]),
    chain: Type.Array(CertificateSchema),
    findings: Type.Array(FindingSchema),
  },
  { ...closed, title: 'Timestamp' },
)

const CoverageSchema = Type.Object(
  {
    byteRange: Type.Array(Type.Integer()),
    wholeDocument: Type.Boolean({ description: 'Whether nothing was added after signing.' }),
    permissions: Type.Union([
      Type.Integer({ description: 'P of DocMDP (ISO 32000-2, table 257).' }),
      Type.Null(),
    ]),
    changes: Type.Array(
      Type.Object(
        { kind: literals(CHANGE_KINDS), allowed: Type.Boolean(), about: Type.String() },
        closed,
      ),
    ),
  },
  { ...closed, title: 'Coverage', description: 'Of signatures in PDF: what they are over.' },
)

const SignatureSchema = Type.Object(
  {
    id: Type.String(),
    format: literals([
      ...(['CAdES', 'PAdES', 'XAdES', 'JAdES', 'CMS', 'PDF', 'XMLDSig', 'JWS'] as const),
    ]),
    level: Type.Union([literals(['B-B', 'B-T', 'B-LT', 'B-LTA'] as const), Type.Null()], {
      description: 'Baseline level, by what is there; null for what is no AdES signature.',
    }),
    place: Type.Union([Type.String(), Type.Null()], {
      description: 'Field of a form, file of a container.',
    }),
    countersigns: Type.Union([Type.String(), Type.Null()], {
      description: 'The `id` of the signature that it is over; null for one over a document.',
    }),
    indication: IndicationSchema,
    subIndication: SubIndicationSchema,
    advice: Type.Union([Type.String(), Type.Null()], {
      description: 'What to do, for people, in the language asked for; null where it passed.',
    }),
    signer: Type.Union([CertificateSchema, Type.Null()]),
    chain: Type.Array(CertificateSchema, { description: 'Signer first.' }),
    claimedSigningTime: Type.Union([Time, Type.Null()]),
    bestSignatureTime: Type.Union([Time, Type.Null()], {
      description: 'When the signature is proven to have existed; null without a good timestamp.',
    }),
    signatureAlgorithm: Type.Union([Type.String(), Type.Null()]),
    digestAlgorithms: Type.Array(Type.String()),
    keyType: Type.Union([Type.String(), Type.Null()]),
    timestamps: Type.Array(TimestampSchema),
    coverage: Type.Union([CoverageSchema, Type.Null()]),
    findings: Type.Array(FindingSchema),
  },
  { ...closed, title: 'Signature' },
)

/** A validation report after EN 319 102-1, for programs. */
export const ReportSchema = Type.Object(
  {
    indication: Type.Union([IndicationSchema, Type.Null()], {
      description: 'The worst there is; null where nothing is signed.',
    }),
    validationTime: Time,
    lang: Type.String(),
    document: Type.Object(
      {
        name: Type.Union([Type.String(), Type.Null()]),
        format: literals([
          ...(['PDF', 'CMS', 'XML', 'JWS', 'ASiC-S', 'ASiC-E', 'timestamp', 'unknown'] as const),
        ]),
        bytes: Type.Integer(),
        sha256: Type.String({ description: 'Hexadecimal.' }),
      },
      closed,
    ),
    signatures: Type.Array(SignatureSchema),
    timestamps: Type.Array(TimestampSchema, {
      description: 'Those that belong to the document and to no signature.',
    }),
    findings: Type.Array(FindingSchema),
  },
  closed,
)

export type Report = Static<typeof ReportSchema>
export type SignatureReport = Report['signatures'][number]
export type TimestampReport = Report['timestamps'][number]
export type CertificateReport = SignatureReport['chain'][number]
export type FindingReport = Report['findings'][number]

/** The same before anybody chose a language. */
export type Unworded<Part> = Part extends FindingReport
  ? Finding
  : Part extends readonly (infer Item)[]
    ? Unworded<Item>[]
    : Part extends object
      ? { [Name in keyof Part as Exclude<Name, 'advice'>]: Unworded<Part[Name]> }
      : Part
