import { isDeepStrictEqual } from 'node:util'
import { Type, type Static } from '@sinclair/typebox'
import { InvalidParameterError, MissingParameterError } from '../errors.js'
import { parseJsonObject } from '../http/json-body.js'
import { hashAlgorithmByOid, rejectWrongDigestLength } from '../keys/algorithms.js'
import { decodeBase64 } from '../keys/base64.js'
import type { AgreedProperty, HashType, TransactionItem } from '../transactions/transaction.js'
import {
  readCredentialScope,
  readDescription,
  rejectUnknownQualifier,
  type CredentialScopeRequest,
  type CscParameters,
} from './credential-scope.js'
import { validatorOf } from '../validator.js'

const TYPE_2_0 = 'credential'
const TYPE_2_2 = 'https://cloudsignatureconsortium.org/2025/credential'

/** Kinds of authorization details that ask for signatures; the same but for `numSignatures`. */
export const CREDENTIAL_DETAIL_TYPES = [TYPE_2_0, TYPE_2_2] as const

const closed = { additionalProperties: false }

const DocumentDigest = Type.Object(
  {
    hash: Type.String({ minLength: 1 }),
    label: Type.Optional(Type.String({ maxLength: 500 })),
    hashType: Type.Optional(Type.String()),
    circumstantialData: Type.Optional(Type.String()),
    signed_props: Type.Optional(
      Type.Array(
        Type.Object({
          attribute_name: Type.String({ minLength: 1, maxLength: 200 }),
          attribute_value: Type.Optional(Type.String({ maxLength: 100_000 })),
        }),
        { maxItems: 50 },
      ),
    ),
  },
  closed,
)
type DocumentDigest = Static<typeof DocumentDigest>

export const CredentialDetail = Type.Object(
  {
    type: Type.Union(CREDENTIAL_DETAIL_TYPES.map((type) => Type.Literal(type))),
    credentialID: Type.Optional(Type.String({ minLength: 1 })),
    signatureQualifier: Type.Optional(Type.String({ minLength: 1 })),
    documentDigests: Type.Array(DocumentDigest, { minItems: 1 }),
    hashAlgorithmOID: Type.String(),
    numSignatures: Type.Optional(Type.Integer({ minimum: 1, maximum: 999_999 })),
    locations: Type.Optional(Type.Array(Type.String())),
  },
  closed,
)

/** An entry of `authorization_details` that asks for signatures (CSC API v2, 8.4.2). */
export type CredentialDetail = Static<typeof CredentialDetail>

const validate = validatorOf(CredentialDetail)

/** What an application asks a signer to agree to, in whichever form it was asked. */
export function readCredentialRequest(parameters: CscParameters): CredentialScopeRequest {
  return parameters.authorization_details
    ? readAuthorizationDetails(parameters.authorization_details, parameters)
    : readCredentialScope(parameters)
}

/**
 * Reads `authorization_details` as a credential-scope request; what depends on the credential itself is
 * checked once its owner has signed in.
 * @throws {MissingParameterError} @throws {InvalidParameterError} @throws {RefusedRequestError}
 */
export function readAuthorizationDetails(
  text: string,
  common: Pick<CscParameters, 'description' | 'clientData'> = {},
): CredentialScopeRequest {
  const detail = parseDetail(text)
  const { credentialID, signatureQualifier, documentDigests } = detail
  if (!credentialID && !signatureQualifier)
    throw new MissingParameterError('credentialID', 'string')
  if (signatureQualifier) rejectUnknownQualifier(signatureQualifier)
  const hashAlgorithm = hashAlgorithmByOid(detail.hashAlgorithmOID)
  const items = documentDigests.map(({ hash, label, hashType, signed_props }): TransactionItem => {
    const type = hashTypeOf(hashType)
    const digest = decodeBase64(hash)
    if (!digest) throw new InvalidParameterError('documentDigests')
    rejectWrongDigestLength(digest, hashAlgorithm)
    return {
      ...{ digest, label: label ?? null, ...(type ? { hashType: type } : {}) },
      ...(signed_props?.length ? { signedProperties: signed_props.map(agreedProperty) } : {}),
    }
  })
  const numSignatures = signaturesOf(detail)
  if (items.length > numSignatures) throw new InvalidParameterError('numSignatures')
  return {
    credentialID: credentialID ?? null,
    signatureQualifier: signatureQualifier ?? null,
    ...{ numSignatures, hashAlgorithm, items, detail },
    description: readDescription(common.description),
    clientData: common.clientData || null,
  }
}

function agreedProperty(sent: NonNullable<DocumentDigest['signed_props']>[number]): AgreedProperty {
  return { name: sent.attribute_name, value: sent.attribute_value ?? null }
}

/** What the token answer says: the request as it was sent, and what became of its open ends. */
export function approvedDetail(
  detail: CredentialDetail,
  credentialID: string,
): CredentialDetail & { credentialID: string; numSignatures: number } {
  return { ...detail, credentialID, numSignatures: signaturesOf(detail) }
}

/**
 * Whether a token request that repeats the details asks for no more than was approved. Compared is what
 * they mean: order, encoding of hashes and members filled in meanwhile do not matter.
 */
export function coversDetails(approved: unknown, requested: string): boolean {
  if (!validate(approved)) return false
  let detail: CredentialDetail
  try {
    detail = parseDetail(requested, approved)
  } catch {
    return false
  }
  const { type, hashAlgorithmOID, credentialID, signatureQualifier, locations = [] } = detail
  return (
    type === approved.type &&
    hashAlgorithmOID === approved.hashAlgorithmOID &&
    (credentialID ?? approved.credentialID) === approved.credentialID &&
    (signatureQualifier ?? approved.signatureQualifier) === approved.signatureQualifier &&
    signaturesOf(detail) <= signaturesOf(approved) &&
    locations.every((location) => approved.locations?.includes(location)) &&
    coversDigests(approved.documentDigests, detail.documentDigests)
  )
}

/** A digest that was approved once covers one, however often it is asked for. */
function coversDigests(
  approved: readonly DocumentDigest[],
  requested: readonly DocumentDigest[],
): boolean {
  const left = [...approved]
  return requested.every((wanted) => {
    const index = left.findIndex((each) => isSameDigest(each, wanted))
    return index >= 0 && left.splice(index, 1).length === 1
  })
}

/** What the repetition leaves out is as it was. */
function isSameDigest(approved: DocumentDigest, wanted: DocumentDigest): boolean {
  const [one, other] = [approved.hash, wanted.hash].map(decodeBase64)
  if (!one || !other?.equals(one)) return false
  if (wanted.hashType && !isSameType(wanted.hashType, approved.hashType)) return false
  return (['label', 'circumstantialData', 'signed_props'] as const).every(
    (name) => wanted[name] === undefined || isDeepStrictEqual(wanted[name], approved[name]),
  )
}

/**
 * The one entry of `authorization_details`; no member stands in it twice.
 * @throws {InvalidParameterError}
 */
export function readEntry(text: string): unknown {
  const { entries } = parseEntries(text)
  const [entry, another] = Array.isArray(entries) ? (entries as unknown[]) : []
  if (entry === undefined || another !== undefined) {
    throw new InvalidParameterError('authorization_details')
  }
  return entry
}

/**
 * No member that is not known; null ones count as absent.
 * @param before what members that are absent were, for a repetition
 */
function parseDetail(text: string, before?: CredentialDetail): CredentialDetail {
  const read = withoutNulls(readEntry(text))
  const entry: unknown = before && isObject(read) ? { ...asBefore(before), ...read } : read
  if (!validate(entry)) throw new InvalidParameterError(wrongMember())
  if (entry.type === TYPE_2_2 && entry.numSignatures === undefined) {
    throw new MissingParameterError('numSignatures', 'integer')
  }
  return entry
}

/** EU wallet libraries write the label of a digest that has none as null, and repeat no digests. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (!isObject(value)) return value
  const members = Object.entries(value).filter(([, member]) => member !== null)
  return Object.fromEntries(members.map(([name, member]) => [name, withoutNulls(member)]))
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function asBefore(detail: CredentialDetail) {
  const { documentDigests, hashAlgorithmOID } = detail
  return { documentDigests, hashAlgorithmOID, numSignatures: signaturesOf(detail) }
}

function parseEntries(text: string): Readonly<Record<string, unknown>> {
  try {
    return parseJsonObject(`{"entries":${text}\n}`)
  } catch {
    throw new InvalidParameterError('authorization_details')
  }
}

/** The name of what is wrong with the entry looked at last; unknown members before wrong ones. */
function wrongMember(): string {
  const problems = validate.errors
  const names = problems.map(({ instancePath, params }) => {
    const { additionalProperty, missingProperty } = params as Record<string, string | undefined>
    return additionalProperty ?? instancePath.split('/')[1] ?? missingProperty
  })
  const unknown = problems.findIndex(({ keyword }) => keyword === 'additionalProperties')
  return names[Math.max(unknown, 0)] ?? 'authorization_details'
}

function signaturesOf({ numSignatures, documentDigests }: CredentialDetail): number {
  return numSignatures ?? documentDigests.length
}

/**
 * In whichever case it is written. One that is not said is none of them: applications of v2.0 never say it,
 * and their digests are signed as they are or are those of documents.
 * @throws {InvalidParameterError}
 */
function hashTypeOf(text: string | undefined): HashType | null {
  if (text === undefined) return null
  const found = HASH_TYPES.find((type) => type === text.toLowerCase())
  if (!found) throw new InvalidParameterError('hashType')
  return found
}

/** A repetition may say what was meant by saying nothing (CSC data model, documentInfo). */
function isSameType(wanted: string, approved = 'dtbsr'): boolean {
  return wanted.toLowerCase() === approved.toLowerCase()
}

const HASH_TYPES: readonly HashType[] = ['dtbsr', 'sdr', 'sodr']
