import { CONTENT_TYPES, digestOfBytes, readSignedData } from '../../certificates/cms.js'
import { NO_MATERIAL } from '../../certificates/material.js'
import { type DetachedContent } from '../evidence.js'
import { readTimestampToken, tokenOf } from '../../timestamping/timestamp-token.js'
import { cmsSignatures, imprintProblems, readTimestamp } from './cms-signatures.js'
import { detachedDigest } from './detached-content.js'
import { MOST_SIGNATURES, tooManySignatures, type DocumentReading } from './document-reading.js'

/** A SignedData, attached or detached. @throws {Error} when it is none */
export function readCms(der: Buffer, contents: readonly DetachedContent[]): DocumentReading {
  const data = readSignedData(der)
  if (data.contentType === CONTENT_TYPES.timestampInfo) return readTimestampDocument(der, contents)
  // What was handed in is what people ask about, also where the signature holds something else.
  const isGiven = contents.length > 0
  const digestOf = data.content && !isGiven ? digestOfBytes(data.content) : detachedDigest(contents)
  const content = isGiven ? (contents[0]?.bytes ?? null) : data.content
  const signatures = cmsSignatures(
    { ...data, signers: data.signers.slice(0, MOST_SIGNATURES) },
    { digestOf, content },
    { kinds: ['CAdES', 'CMS'], place: null, certificates: [] },
  )
  const count = data.signers.length
  return {
    format: 'CMS',
    signatures,
    timestamps: [],
    material: NO_MATERIAL,
    findings: count > MOST_SIGNATURES ? [tooManySignatures(count)] : [],
  }
}

/** A TimeStampToken, or the response it came in. @throws {Error} when it is neither */
export function readTimestampDocument(
  bytes: Buffer,
  contents: readonly DetachedContent[],
): DocumentReading {
  const der = tokenOf(bytes)
  readTimestampToken(der)
  const timestamp = readTimestamp(der, 'document', [], (token) => ({
    findings: imprintProblems(token, detachedDigest(contents)),
  }))
  return {
    format: 'timestamp',
    signatures: [],
    timestamps: [timestamp],
    material: timestamp.token?.material ?? NO_MATERIAL,
    findings: [],
  }
}
