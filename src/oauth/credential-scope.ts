import { InvalidParameterError, MissingParameterError } from '../errors.js'
import {
  hashAlgorithmByOid,
  rejectWrongDigestLength,
  type HashAlgorithm,
} from '../keys/algorithms.js'
import { decodeBase64 } from '../keys/base64.js'
import type { TransactionItem } from '../transactions/transaction.js'
import type { CredentialDetail } from './authorization-details.js'

/** CSC parameters of `oauth2/authorize` (CSC API v2, 8.4.2); all are text in a query. */
export const CREDENTIAL_PARAMETERS = [
  'credentialID',
  'signatureQualifier',
  'numSignatures',
  'hashes',
  'hash',
  'hashAlgorithmOID',
] as const
export const COMMON_PARAMETERS = ['description', 'clientData', 'lang', 'account_token'] as const

export type CscParameters = Partial<
  Record<
    | (typeof CREDENTIAL_PARAMETERS)[number]
    | (typeof COMMON_PARAMETERS)[number]
    | 'authorization_details',
    string
  >
>

/** Kinds of signature (CSC API v2, 11.4): country, law and type. */
const SIGNATURE_QUALIFIERS: ReadonlySet<string> = new Set([
  ...['eu_eidas_qes', 'eu_eidas_aes', 'eu_eidas_aesqc'],
  ...['eu_eidas_qeseal', 'eu_eidas_aeseal', 'eu_eidas_aesealqc'],
  ...['za_ecta_aes', 'za_ecta_oes'],
])

const DESCRIPTION_MAX = 500

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
  if (!SIGNATURE_QUALIFIERS.has(qualifier)) throw new InvalidParameterError('signatureQualifier')
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
  if (!/^[1-9][0-9]{0,5}$/.test(text)) throw new InvalidParameterError('numSignatures')
  return Number(text)
}

export function readDescription(text: string | undefined): string | null {
  if (!text) return null
  if (text.length > DESCRIPTION_MAX) throw new InvalidParameterError('description')
  return text
}
