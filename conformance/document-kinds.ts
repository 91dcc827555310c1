import { createHash, randomUUID } from 'node:crypto'
import { SHA256, type Document, type Hash } from './algorithms.js'

/** Which kind of document each signature format signs. */
export type DocumentKind = 'text' | 'xml' | 'pdf'

export const KINDS: readonly DocumentKind[] = ['text', 'xml', 'pdf']

export function kindFor(format: string): DocumentKind {
  return format === 'P' ? 'pdf' : format === 'X' ? 'xml' : 'text'
}

/** A document of a kind nobody signed before. */
export function newDocumentOf(kind: DocumentKind, hash: Hash = SHA256): Document {
  const bytes = Buffer.from(CONTENT[kind](randomUUID()))
  const digest = createHash(hash.name).update(bytes).digest()
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
  pdf: newPdf,
}

/** The smallest PDF 1.7 with a page (ISO 32000-1, Annex H.2). */
function newPdf(id: string): string {
  const text = `BT /F1 12 Tf 72 720 Td (${id}) Tj ET`
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>',
    `<< /Length ${text.length} >>\nstream\n${text}\nendstream`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
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
