import { createHash, randomUUID } from 'node:crypto'
import { SHA256, type Document, type Hash } from './algorithms.js'

/** Which kind of document each signature format signs; the last is a PDF with a place for a signature. */
export type DocumentKind = 'text' | 'xml' | 'pdf' | 'prepared pdf'

export const KINDS: readonly DocumentKind[] = ['text', 'xml', 'pdf', 'prepared pdf']

export function kindFor(format: string): DocumentKind {
  return format === 'P' ? 'pdf' : format === 'X' ? 'xml' : 'text'
}

/** A document of a kind nobody signed before. */
export function newDocumentOf(kind: DocumentKind, hash: Hash = SHA256): Document {
  const bytes = Buffer.from(CONTENT[kind](randomUUID()))
  const digest = createHash(hash.name).update(signedPartOf(bytes, kind)).digest()
  return {
    ...{ bytes, hash, digest },
    base64: digest.toString('base64'),
    base64url: digest.toString('base64url'),
  }
}

const CONTENT: Readonly<Record<DocumentKind, (id: string) => string>> = {
  text: (id) => `Agreed: ${id}`,
  // As exclusive canonicalisation would write it.
  xml: (id) => `<contract id="${id}"><party>A</party><party>B</party></contract>`,
  pdf: (id) => newPdf(id),
  'prepared pdf': preparedPdf,
}

/** Of a PDF with a place for a signature, all but that place (ISO 32000-1, 12.8.1). */
function signedPartOf(bytes: Buffer, kind: DocumentKind): Buffer {
  if (kind !== 'prepared pdf') return bytes
  const [start, end] = placeIn(bytes.toString('latin1'))
  return Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)])
}

const ROOM_BYTES = 16 * 1024
const RANGE = '[0 0000000000 0000000000 0000000000]'

function preparedPdf(id: string): string {
  const signature = [
    '<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached',
    `/ByteRange ${RANGE} /Contents <${'0'.repeat(2 * ROOM_BYTES)}> >>`,
  ]
  const field =
    '<< /Type /Annot /Subtype /Widget /FT /Sig /T (Signature) /V 6 0 R /P 3 0 R /F 132 /Rect [0 0 0 0] >>'
  const file = newPdf(id, {
    catalog: '/AcroForm << /Fields [7 0 R] /SigFlags 3 >>',
    page: '/Annots [7 0 R]',
    objects: [signature.join(' '), field],
  })
  const [start, end] = placeIn(file)
  const range = [start, end, file.length - end].map((each) => String(each).padStart(10, '0'))
  return file.replace(RANGE, `[0 ${range.join(' ')}]`)
}

/** From its angle bracket to behind the other one. */
function placeIn(file: string): [number, number] {
  const start = file.indexOf('/Contents <0') + '/Contents '.length
  return [start, file.indexOf('>', start) + 1]
}

/** What a PDF has more than the smallest one. */
interface More {
  readonly catalog: string
  readonly page: string
  /** The first is number 6. */
  readonly objects: readonly string[]
}
const NOTHING: More = { catalog: '', page: '', objects: [] }

/** The smallest PDF 1.7 with a page (ISO 32000-1, Annex H.2). */
function newPdf(id: string, more = NOTHING): string {
  const text = `BT /F1 12 Tf 72 720 Td (${id}) Tj ET`
  const objects = [
    `<< /Type /Catalog /Pages 2 0 R ${more.catalog} >>`,
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> ${more.page} >>`,
    `<< /Length ${text.length} >>\nstream\n${text}\nendstream`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
    ...more.objects,
  ]
  let file = '%PDF-1.7\n'
  const offsets = objects.map((object, index) => {
    const offset = file.length
    file += `${index + 1} 0 obj\n${object}\nendobj\n`
    return offset
  })
  const rows = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`)
  const size = objects.length + 1
  return `${file}xref\n0 ${size}\n0000000000 65535 f \n${rows.join('')}trailer\n<< /Size ${size} /Root 1 0 R >>\nstartxref\n${file.length}\n%%EOF\n`
}
