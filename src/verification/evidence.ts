import type { Finding } from './findings.js'
import type { KnownCertificate } from '../certificates/known-certificate.js'
import type { Material } from '../certificates/material.js'
import type { SignatureMethod } from '../certificates/signature-method.js'
import type { TimestampToken } from '../timestamping/timestamp-token.js'
import type { ClaimedPolicy } from './signature-policy.js'

export type SignatureKind =
  'CAdES' | 'PAdES' | 'XAdES' | 'JAdES' | 'CMS' | 'PDF' | 'XMLDSig' | 'JWS'

/**
 * What a reader of one format found out about one signature without knowing whom to trust. The rest of
 * validation is the same for all formats.
 */
export interface SignatureEvidence {
  /** The format, an AdES one only where its signing-certificate attribute is there and right. */
  readonly kind: SignatureKind
  /** Where in the document it is: a field of a form, a file of a container; null for nowhere in particular. */
  readonly place: string | null
  /** Null when it is not there or not to be told from others. */
  readonly signer: KnownCertificate | null
  readonly method: SignatureMethod | null
  /** Of the content, by their names in OpenSSL. */
  readonly hashes: readonly string[]
  /** As the signer says. */
  readonly signingTime: Date | null
  /** Null, or absent, where the signature speaks of none. */
  readonly policy?: ClaimedPolicy | null
  /** What is wrong with the signature by itself, and remarks. */
  readonly findings: readonly Finding[]
  readonly timestamps: readonly TimestampEvidence[]
  /** Which material came with the signature. */
  readonly material: Material
  /** Only of PDF. */
  readonly coverage: Coverage | null
  /** Signatures over this one. */
  readonly counterSignatures?: readonly SignatureEvidence[]
}

export interface TimestampEvidence {
  /**
   * `content`: before signing; `signature`: over the signature value; `archive`: over all of it;
   * `document`: of a PDF or a container, over the bytes so far.
   */
  readonly kind: 'content' | 'signature' | 'archive' | 'document'
  readonly token: TimestampToken | null
  /**
   * Fingerprints of tokens and revocation data that it is over: it proves that they were there. Absent where
   * it is over all there is.
   */
  readonly covers?: ReadonlySet<string>
  /** What is wrong with it by itself, such as that it is over something else. */
  readonly findings: readonly Finding[]
}

/** What of a PDF a signature is over, and what came after. */
export interface Coverage {
  readonly byteRange: readonly number[]
  /** Whether it reaches to the end of the file. */
  readonly wholeDocument: boolean
  readonly changes: readonly DocumentChange[]
  /** P of DocMDP, or null where the author permits what anybody permits. */
  readonly permissions: 1 | 2 | 3 | null
}

/** Kinds of change between the signed bytes and the file. */
export const CHANGE_KINDS = [
  ...(['validation-data', 'timestamp', 'signature', 'form', 'annotation'] as const),
  ...(['metadata', 'other'] as const),
] as const

export interface DocumentChange {
  readonly kind: (typeof CHANGE_KINDS)[number]
  /** Whether the signature permits it. */
  readonly allowed: boolean
  /** What exactly: a field, an object. */
  readonly about: string
}

/** What is handed in beside the document. */
export interface DetachedContent {
  /** Name or URI by which a signature refers to it; null for none. */
  readonly name: string | null
  /** Null where only digests are there. */
  readonly bytes: Buffer | null
  /** By name of the hash algorithm in OpenSSL. */
  readonly digests: ReadonlyMap<string, Buffer>
}
