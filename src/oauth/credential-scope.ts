import { Type } from '@sinclair/typebox'
import { InvalidParameterError, MissingParameterError, type ServiceError } from '../errors.js'
import {
  hashAlgorithmByOid,
  rejectWrongDigestLength,
  type HashAlgorithm,
} from '../keys/algorithms.js'
import { decodeBase64 } from '../keys/base64.js'
import type { TransactionItem } from '../transactions/transaction.js'
import type { CredentialDetail } from './authorization-details.js'
import { validatorOf } from '../validator.js'

/** Kinds of signature (CSC API v2, 11.4): country, law and type. */
const SIGNATURE_QUALIFIERS = [
  ...(['eu_eidas_qes', 'eu_eidas_aes', 'eu_eidas_aesqc'] as const),
  ...(['eu_eidas_qeseal', 'eu_eidas_aeseal', 'eu_eidas_aesealqc'] as const),
  ...(['za_ecta_aes', 'za_ecta_oes'] as const),
]

/** Parameters of `oauth2/authorize` for scope `credential` (CSC API v2, 8.4.2); all are text in a query. */
export const CredentialParameters = Type.Object({
  credentialID: Type.String({
    description: 'The credential to sign with; the signer has the choice when it is absent.',
  }),
  signatureQualifier: Type.Union(
    SIGNATURE_QUALIFIERS.map((qualifier) => Type.Literal(qualifier)),
    { description: 'Kind of signature, instead of a credential.' },
  ),
  numSignatures: Type.String({
    pattern: '^[1-9][0-9]{0,5}$',
    description: 'How many signatures; at most the `multisign` of the credential.',
    examples: ['1'],
  }),
  hashes: Type.String({
    description: 'Digests to sign, base64url, with commas between them; required at SCAL 2.',
  }),
  hash: Type.String({ description: 'As `hashes`, by its name in version 1.' }),
  hashAlgorithmOID: Type.String({
    description: 'OID of the algorithm the digests were made with.',
    examples: ['2.16.840.1.101.3.4.2.1'],
  }),
})

/** Those that go with every scope. */
export const CommonParameters = Type.Object({
  description: Type.String({
    maxLength: 500,
    description: 'What is signed, in words for the signer.',
  }),
  clientData: Type.String({ description: 'Free data of the application.' }),
  lang: Type.String({ description: 'Language of the pages, RFC 5646.' }),
  account_token: Type.String({
    description: 'Which account of the application this is, as a JWT (CSC API v2, 8.3).',
  }),
})

export const CREDENTIAL_PARAMETERS = [
  'credentialID',
  'signatureQualifier',
  'numSignatures',
  'hashes',
  'hash',
  'hashAlgorithmOID',
] as const satisfies readonly (keyof typeof CredentialParameters.properties)[]
export const COMMON_PARAMETERS = [
  'description',
  'clientData',
  'lang',
  'account_token',
] as const satisfies readonly (keyof typeof CommonParameters.properties)[]

const isQualifier = validatorOf(CredentialParameters.properties.signatureQualifier)
const isCount = validatorOf(CredentialParameters.properties.numSignatures)
const isDescription = validatorOf(CommonParameters.properties.description)

export type CscParameters = Partial<
  Record<
    | (typeof CREDENTIAL_PARAMETERS)[number]
    | (typeof COMMON_PARAMETERS)[number]
    | 'authorization_details',
    string
  >
>

/** What an application asks a signer to agree to. */
export interface CredentialScopeRequest {
  /** Null when the kind of signature was given instead: then the signer has the choice. */
  readonly credentialID: string | null
  readonly signatureQualifier: string | null
  readonly numSignatures: number
  readonly hashAlgorithm: HashAlgorithm | null
  readonly items: readonly TransactionItem[]
  readonly description: string | null
  readonly clientData: string | null
  /** The request as it was sent, when it came as authorization details. */
  readonly detail: CredentialDetail | null
}

/**
 * Reads a credential-scope request; what depends on the credential itself is checked once its owner
 * has signed in. Empty parameters count as absent.
 * @throws {MissingParameterError} @throws {InvalidParameterError} @throws {RefusedRequestError}
 */
export function readCredentialScope(parameters: CscParameters): CredentialScopeRequest {
  const { credentialID, signatureQualifier } = parameters
  if (!credentialID && !signatureQualifier)
    throw new MissingParameterError('credentialID', 'string')
  if (signatureQualifier) {
    if (credentialID) throw new InvalidParameterError('signatureQualifier')
    rejectUnknownQualifier(signatureQualifier)
  }
  const hashes = (parameters.hashes || parameters.hash || '')
    .split(',')
    .filter((part) => part !== '')
  const hashAlgorithm = parameters.hashAlgorithmOID
    ? hashAlgorithmByOid(parameters.hashAlgorithmOID)
    : null
  const items = hashes.map((hash): TransactionItem => {
    const digest = decodeBase64(hash)
    if (!digest) throw new InvalidParameterError('hashes')
    if (hashAlgorithm) rejectWrongDigestLength(digest, hashAlgorithm)
    return { digest, label: null }
  })
  if (items.length > 0 && !hashAlgorithm) {
    throw new MissingParameterError('hashAlgorithmOID', 'string')
  }
  // Which credential it will be is not known yet, so it may be one that signs agreed hashes only.
  if (signatureQualifier && items.length === 0) throw new MissingParameterError('hashes', 'array')
  return {
    credentialID: credentialID || null,
    signatureQualifier: signatureQualifier || null,
    numSignatures: readNumSignatures(parameters.numSignatures),
    hashAlgorithm,
    items,
    description: readDescription(parameters.description),
    clientData: parameters.clientData || null,
    detail: null,
  }
}

/** @throws {InvalidParameterError} */
export function rejectUnknownQualifier(qualifier: string): void {
  if (!isQualifier(qualifier)) throw new InvalidParameterError('signatureQualifier')
}

/** Credential parameters make sense with scope `credential` alone. */
export function rejectCredentialParameters(parameters: CscParameters): void {
  for (const name of CREDENTIAL_PARAMETERS) {
    if (parameters[name]) throw new InvalidParameterError(name)
  }
  readDescription(parameters.description)
}

function readNumSignatures(text: string | undefined): number {
  if (!text) throw new MissingParameterError('numSignatures', 'integer')
  if (!isCount(text)) throw new InvalidParameterError('numSignatures')
  return Number(text)
}

export function readDescription(text: string | undefined): string | null {
  if (!text) return null
  if (!isDescription(text)) throw new InvalidParameterError('description')
  return text
}

/**
 * What a refusal says, by the name that was used in the request: v1 says `hash` for what v2 calls
 * `hashes`, and the authorization server answers both.
 */
export function wordsFor(
  parameters: Pick<CscParameters, 'hash' | 'hashes'>,
  { message }: ServiceError,
): string {
  const saysHash = parameters.hash && !parameters.hashes
  return saysHash ? message.replace(/ parameter hashes$/, ' parameter hash') : message
}
