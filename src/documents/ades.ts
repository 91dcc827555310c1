import type { HashAlgorithm, SignatureAlgorithm } from '../keys/algorithms.js'
import type { PdfAppearance } from './pades/pdf-appearance.js'

/** CAdES, XAdES, PAdES, JAdES, by the letters of `signature_format`. */
export type SignatureFormat = 'C' | 'X' | 'P' | 'J'

/** Baseline levels of EN 319 122-1, 132-1, 142-1 and TS 119 182-1, lowest first. */
export type ConformanceLevel = 'B-B' | 'B-T' | 'B-LT' | 'B-LTA'

/** Values of `signed_envelope_property`. Which of them fit depends on the format (CSC API v2, 11.11). */
export type EnvelopeProperty =
  'Attached' | 'Detached' | 'Parallel' | 'Certification' | 'Revision' | 'Enveloped' | 'Enveloping'

/** One of `signed_props`. */
export interface SignedProperty {
  /** A name of the format's standard, or its OID. */
  readonly name: string
  /** As it was sent: Base64 of the attribute, or text; null when the service computes it. */
  readonly value: string | null
}

/** Who signs, by certificate. */
export interface Signatory {
  /** DER. */
  readonly certificate: Buffer
  /** The certificates above it, issuer first, DER. */
  readonly chain: readonly Buffer[]
}

export interface SignatureParameters {
  readonly level: ConformanceLevel
  readonly envelope: EnvelopeProperty
  readonly algorithm: SignatureAlgorithm
  readonly signatory: Signatory
  readonly signingTime: Date
  readonly signedProperties: readonly SignedProperty[]
  /** What a detached signature calls the data it is over: a URI; null when nobody said. */
  readonly referenceUri: string | null
  /** Where in a PDF the signature goes, and how it looks there; other formats have no use for it. */
  readonly appearance?: PdfAppearance
}

/** What proves for years that certificates were good, each DER. */
export interface ValidationData {
  readonly certificates: readonly Buffer[]
  /** `CertificateList`s. */
  readonly crls: readonly Buffer[]
  /** `OCSPResponse`s, whole. */
  readonly ocspResponses: readonly Buffer[]
}

/** Where levels above B-B come from. */
export interface ProofSources {
  /**
   * A `TimeStampToken` (DER) over the digest, its certificates inside.
   * @throws {TimestampUnavailableError} when no authority answers
   */
  timestamp(digest: Buffer, hash: HashAlgorithm): Promise<Buffer>
  /**
   * All that is needed to validate these certificates later: those above them, and revocation data of
   * each (OCSP preferred), except of trust anchors and of certificates with id-pkix-ocsp-nocheck or noRevAvail.
   * @throws {ValidationDataUnavailableError} when something cannot be had
   */
  validationData(certificates: readonly Buffer[]): Promise<ValidationData>
}

/** A signature waiting for its value. Only a format makes one. */
export interface PreparedSignature {
  /** The bytes the key signs: signed attributes, SignedInfo, JWS signing input. */
  readonly toBeSigned: Buffer
  /**
   * Puts the value in its place and raises the signature to the level asked for.
   * @param value as `signHash` gives it: PKCS#1 octets, or a DER ECDSA-Sig-Value
   */
  complete(value: Buffer, sources: ProofSources): Promise<AdesSignature>
}

export interface AdesSignature {
  readonly bytes: Buffer
  /** Whether the bytes hold the document too (`DocumentWithSignature`), or only its signature (`SignatureObject`). */
  readonly holdsDocument: boolean
  /**
   * What was gathered for the level but has no place in the bytes: a PAdES CMS by digest cannot carry
   * its DSS. Null where there is nothing.
   */
  readonly validationInfo: ValidationData | null
}

/**
 * One AdES family. Preparing is repeatable: the same document (or digest) under the same parameters has the
 * same bytes to be signed, in every process. A signature whose timestamp could not be had is completed
 * later from its recorded value, so nothing random and no clock may go into what is signed.
 */
export interface AdesFormat {
  readonly format: SignatureFormat
  /** Allowed envelopes for whole documents, the default first. */
  readonly documentEnvelopes: readonly EnvelopeProperty[]
  /** Allowed envelopes when only a digest is there, the default first. */
  readonly digestEnvelopes: readonly EnvelopeProperty[]
  /** Names (and OIDs) among the signed properties that this format cannot carry, or whose values are no good. */
  unfitProperties(properties: readonly SignedProperty[]): readonly string[]
  /**
   * @throws {UnfitDocumentError} saying what about the document is in the way
   * @throws {UnfitSignedPropertiesError}
   */
  prepareDocument(document: Buffer, parameters: SignatureParameters): Promise<PreparedSignature>
  /** @param digest of the document (for PAdES: of the byte range), under the algorithm's hash */
  prepareDigest(digest: Buffer, parameters: SignatureParameters): Promise<PreparedSignature>
}
