import type { DerivedDigest } from '../activation/authorisation.js'
import { InvalidParameterError } from '../errors.js'
import type { HashAlgorithm, SignatureAlgorithm } from '../keys/algorithms.js'
import { namesDigest } from '../keys/named-digest.js'
import { digestOf } from '../keys/digest.js'
import type { HashType } from '../transactions/transaction.js'
import type {
  AdesFormat,
  ConformanceLevel,
  EnvelopeProperty,
  PreparedSignature,
  SignatureFormat,
  SignatureParameters,
  SignedProperty,
} from './ades.js'
import type { ContainerType } from './asic/container-type.js'
import { contentDigest } from './content-digest.js'
import type { PdfAppearance } from './pades/pdf-appearance.js'

/** One signature to make, over a document or over the digest of one. */
export interface DocumentRequest {
  readonly format: SignatureFormat
  readonly level: ConformanceLevel
  readonly envelope: EnvelopeProperty
  readonly signedProperties: readonly SignedProperty[]
  readonly referenceUri: string | null
  /** The archive that document and signature go into together, where that was asked for. */
  readonly container?: ContainerType
  readonly appearance?: PdfAppearance
  /** Where it is not that of the call. */
  readonly algorithm?: SignatureAlgorithm
  readonly content: DocumentContent
}

/** A whole document, or the digest of what is prepared for signing elsewhere. */
export type DocumentContent =
  | { readonly document: Buffer; readonly digest?: undefined }
  | { readonly digest: Buffer; readonly document?: undefined }

/** As what the digest may have been agreed to (CSC data model; CSC API v2, 11.11). */
export function hashTypesOf({ document }: DocumentContent): readonly HashType[] {
  return document ? ['sodr', 'sdr'] : ['sdr']
}

/** The digest that has to be authorised. */
export async function documentDigest(
  { document, digest }: DocumentContent,
  hash: HashAlgorithm,
): Promise<Buffer> {
  return document ? contentDigest(document, hash) : digest
}

class DocumentToBeSigned {
  protected readonly prepared = true // a non-public member: no look-alike object passes for one
  /** Of the document: what its signer agreed to. */
  readonly documentDigest: Buffer
  readonly hashTypes: readonly HashType[]
  readonly signature: PreparedSignature
  readonly algorithm: SignatureAlgorithm
  readonly derived: DerivedDigest

  constructor(
    content: DocumentContent,
    documentDigest: Buffer,
    signature: PreparedSignature,
    algorithm: SignatureAlgorithm,
  ) {
    const { toBeSigned } = signature
    this.documentDigest = documentDigest
    this.hashTypes = hashTypesOf(content)
    this.signature = signature
    this.algorithm = algorithm
    this.derived = {
      toBeSigned: digestOf(algorithm.hash, toBeSigned),
      derivation: namesDigest(toBeSigned, documentDigest) ? 'named' : 'prepared',
    }
  }
}

/**
 * A signature in the making together with the digest of the document it is for. Only `prepareDocument` makes
 * one, and it takes the digest of the very bytes it prepares: what is redeemed by that digest signs nothing
 * else.
 */
export type PreparedDocument = DocumentToBeSigned

/** @throws {UnfitDocumentError} when the document cannot be signed so */
export async function prepareDocument(
  format: AdesFormat,
  { content, ...request }: Omit<DocumentRequest, 'algorithm'>,
  facts: Pick<SignatureParameters, 'algorithm' | 'signatory' | 'signingTime'>,
): Promise<PreparedDocument> {
  const { level, envelope, signedProperties, referenceUri, appearance } = request
  const parameters = {
    ...{ ...facts, level, envelope, signedProperties, referenceUri },
    ...(appearance ? { appearance } : {}),
  }
  const { algorithm } = facts
  const digest = await documentDigest(content, algorithm.hash)
  const signature = content.document
    ? await format.prepareDocument(content.document, parameters)
    : await format.prepareDigest(digest, parameters)
  const prepared = new DocumentToBeSigned(content, digest, signature, algorithm)
  // Nobody but the format has seen what is signed for a digest.
  if (!content.document && prepared.derived.derivation !== 'named') {
    throw new Error(`Format ${format.format} signs something that does not name the digest`)
  }
  return prepared
}

/** The envelope asked for, or what a format takes otherwise (CSC API v2, 11.11). @throws {InvalidParameterError} */
export function envelopeFor(
  { documentEnvelopes, digestEnvelopes }: AdesFormat,
  { document }: DocumentContent,
  asked: string | null,
): EnvelopeProperty {
  const allowed = document ? documentEnvelopes : digestEnvelopes
  const found = asked === null ? allowed[0] : allowed.find((each) => each === asked)
  if (!found) throw new InvalidParameterError('signed_envelope_property')
  return found
}
