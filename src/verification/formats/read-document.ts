import { UnfitDocumentError } from '../../errors.js'
import { readElement } from '../../certificates/asn1.js'
import { NO_MATERIAL } from '../../certificates/material.js'
import { type DetachedContent } from '../evidence.js'
import { problem, type Finding } from '../findings.js'
import { readAsic } from './asic.js'
import { readCms, readTimestampDocument } from './cms-document.js'
import type { DocumentFormat, DocumentReading } from './document-reading.js'
import { readJws } from './jws.js'
import { readPdf } from './pdf-signatures.js'
import { readXml } from './xml.js'

const PDF_HEADER_WITHIN = 1024
const PEM = /^-----BEGIN (?:CMS|PKCS7|PKCS #7 SIGNED DATA|TIMESTAMP|TST)-----([\s\S]+?)-----END/
const BASE64 = /^[A-Za-z0-9+/=\s]+$/
const COMPACT_JWS = /^\s*[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+\s*$/
const LARGEST_TEXT = 16 * 1024 * 1024

/** By what it looks like, whatever its name says. */
export async function readDocument(
  bytes: Buffer,
  contents: readonly DetachedContent[],
): Promise<DocumentReading> {
  const format = formatOf(bytes)
  try {
    switch (format) {
      case 'PDF':
        return await readPdf(bytes)
      case 'ASiC-E':
        return await readAsic(bytes)
      case 'XML':
        return readXml(bytes, contents)
      case 'JWS':
        return readJws(bytes, contents)
      case 'CMS':
        return readDer(derOf(bytes), contents)
      default:
        return nothing('unknown', [problem('FORMAT_FAILURE', 'format-unknown')])
    }
  } catch (error) {
    const why = error instanceof UnfitDocumentError ? error.message : format
    return nothing(format, [problem('FORMAT_FAILURE', 'document-unreadable', why)])
  }
}

function nothing(format: DocumentFormat, findings: readonly Finding[]): DocumentReading {
  return { format, signatures: [], timestamps: [], material: NO_MATERIAL, findings }
}

function formatOf(bytes: Buffer): DocumentFormat {
  const head = bytes.toString('latin1', 0, PDF_HEADER_WITHIN)
  if (head.startsWith('PK\x03\x04')) return 'ASiC-E'
  if (bytes[0] === 0x30) return 'CMS'
  if (head.includes('%PDF-')) return 'PDF'
  const text = head
    .replace(/^(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)/, '')
    .replaceAll('\0', '')
    .trimStart()
  if (text.startsWith('<')) return 'XML'
  if (text.startsWith('{') || (bytes.length < LARGEST_TEXT && isCompact(bytes))) return 'JWS'
  return text.startsWith('-----BEGIN ') || text.startsWith('MI') ? 'CMS' : 'unknown'
}

function isCompact(bytes: Buffer): boolean {
  return COMPACT_JWS.test(bytes.toString('latin1'))
}

/** DER as it is, or in the armour that OpenSSL and signDoc put around it. */
function derOf(bytes: Buffer): Buffer {
  if (bytes[0] === 0x30) return bytes
  const text = bytes.toString('latin1').trim()
  const base64 = PEM.exec(text)?.[1] ?? text
  if (!BASE64.test(base64)) throw new Error('Not Base64')
  return Buffer.from(base64, 'base64')
}

function readDer(der: Buffer, contents: readonly DetachedContent[]): DocumentReading {
  readElement(der)
  try {
    return readCms(der, contents)
  } catch {
    return readTimestampDocument(der, contents)
  }
}
