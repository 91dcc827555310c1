/** What is signed: one small document of each family, made here so that nothing is looked up. */

/** What a PDF may be like. */
export interface PdfSort {
  readonly version: string
  /** Entries of its page. */
  readonly page?: string
  /** Whether it has a form with a text field. */
  readonly field?: boolean
}

/** A PDF of one page, its cross-reference table computed from the octets as they stand. */
export function samplePdf(title: string, { version, page = '', field }: PdfSort = PLAIN): Buffer {
  if (!field) return pdfOf(title, { version, page })
  const widget = '/Type /Annot /Subtype /Widget /F 4 /Rect [60 560 260 580] /P 3 0 R'
  return pdfOf(title, {
    ...{ version, page },
    catalog: '/AcroForm << /Fields [6 0 R] /DA (/Helv 0 Tf 0 g) >>',
    more: [`<< ${widget} /FT /Tx /T (party) /V (Buyer) /DA (/Helv 12 Tf 0 g) >>`],
  })
}

const PLAIN: PdfSort = { version: '1.7' }

/** A PDF with room for a signature that is made from a digest alone. */
export interface OpenPdf {
  /** What the byte range takes in. */
  readonly covered: Buffer
  /**
   * @param cms over `covered`
   * @param validationInfo as the server returned it, each Base64 of DER; null where there is none
   */
  close(cms: Buffer, validationInfo: ValidationInfo | null): Buffer
}

/** Names of the specification (CSC API v2, 11.11). */
export type ValidationInfo = Readonly<Record<'ocsp' | 'crl' | 'certificates', readonly string[]>>

const ROOM = 16 * 1024

/** A PDF that an application prepared itself. @see ISO 32000-1, 12.8.1 */
export function openPdf(title: string, signingTime: Date): OpenPdf {
  const time = signingTime.toISOString().replace(/[-:T]|\.\d+Z/g, '')
  const gap = `<${'0'.repeat(2 * ROOM)}>`
  const draft = pdfOf(title, {
    catalog: '/AcroForm << /Fields [6 0 R] /SigFlags 3 >>',
    more: [
      '<< /Type /Annot /Subtype /Widget /FT /Sig /T (Signature) /F 132 /Rect [0 0 0 0] /P 3 0 R /V 7 0 R >>',
      `<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached /M (D:${time}Z) ` +
        `/ByteRange [${' '.repeat(40)}] /Contents ${gap} >>`,
    ],
  }).toString('latin1')
  const start = draft.indexOf(gap)
  const end = start + gap.length
  const range = `0 ${start} ${end} ${draft.length - end}`.padEnd(40)
  const pdf = draft.replace(`[${' '.repeat(40)}]`, `[${range}]`)
  return {
    covered: Buffer.from(pdf.slice(0, start) + pdf.slice(end), 'latin1'),
    close(cms, validationInfo) {
      const contents = cms.toString('hex').padEnd(2 * ROOM, '0')
      const closed = `${pdf.slice(0, start)}<${contents}>${pdf.slice(end)}`
      return Buffer.from(
        closed + (validationInfo ? storeBehind(closed, validationInfo) : ''),
        'latin1',
      )
    },
  }
}

const FIRST_OF_STORE = 8

/** An update with a document security store, made of what the server returned. @see EN 319 142-1, 5.4.2 */
function storeBehind(pdf: string, { certificates, ocsp, crl }: ValidationInfo): string {
  const streams: string[] = []
  const references = (texts: readonly string[]) =>
    texts.map((text) => {
      const hex = `${Buffer.from(text, 'base64').toString('hex')}>`
      const entries = `/Filter /ASCIIHexDecode /Length ${hex.length}`
      streams.push(`<< ${entries} >>\nstream\n${hex}\nendstream`)
      return `${FIRST_OF_STORE + streams.length} 0 R`
    })
  const list = (texts: readonly string[]) => `[${references(texts).join(' ')}]`
  const store = `<< /Type /DSS /Certs ${list(certificates)} /OCSPs ${list(ocsp)} /CRLs ${list(crl)} >>`
  const catalog = /1 0 obj\n(<<.*) >>\nendobj/.exec(pdf)?.[1] ?? ''
  const changed = [[1, `${catalog} /DSS ${FIRST_OF_STORE} 0 R >>`] as const]
  const added = [store, ...streams].map((object, at) => [FIRST_OF_STORE + at, object] as const)
  let update = ''
  const rows = [...changed, ...added].map(([number, object]) => {
    const offset = pdf.length + update.length
    update += `${number} 0 obj\n${object}\nendobj\n`
    return `${String(offset).padStart(10, '0')} 00000 n \n`
  })
  const [first = '', ...others] = rows
  const previous = /startxref\n(\d+)\n%%EOF\n$/.exec(pdf)?.[1] ?? ''
  const start = pdf.length + update.length
  const size = FIRST_OF_STORE + added.length
  return (
    `${update}xref\n1 1\n${first}${FIRST_OF_STORE} ${others.length}\n${others.join('')}` +
    `trailer\n<< /Size ${size} /Root 1 0 R /Prev ${previous} >>\nstartxref\n${start}\n%%EOF\n`
  )
}

interface PdfParts {
  readonly version?: string
  /** Entries of the catalog, and of the page. */
  readonly catalog?: string
  readonly page?: string
  /** Objects from number 6 on, the first of them an annotation. */
  readonly more?: readonly string[]
}

function pdfOf(
  title: string,
  { version = '1.7', catalog = '', page = '', more = [] }: PdfParts,
): Buffer {
  const text = `BT /F1 18 Tf 60 760 Td (${title.replace(/[()\\]/g, '')}) Tj ET`
  const annotations = more.length === 0 ? '' : '/Annots [6 0 R]'
  const objects = [
    `<< /Type /Catalog /Pages 2 0 R ${catalog} >>`,
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R ${page} ${annotations} ` +
      '/Resources << /Font << /F1 5 0 R >> >> >>',
    `<< /Length ${text.length} >>\nstream\n${text}\nendstream`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
    ...more,
  ]
  let pdf = `%PDF-${version}\n%\xe2\xe3\xcf\xd3\n`
  const offsets = objects.map((object, index) => {
    const offset = pdf.length
    pdf += `${index + 1} 0 obj\n${object}\nendobj\n`
    return offset
  })
  const start = pdf.length
  const lines = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`)
  pdf += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${lines.join('')}`
  pdf += `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${start}\n%%EOF\n`
  return Buffer.from(pdf, 'latin1')
}

export function sampleXml(title: string): Buffer {
  return Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?>\n<contract xmlns="urn:example:contract">` +
      `<title>${title}</title><!-- kept --><party role="buyer">Žaneta Ćirić</party></contract>\n`,
  )
}

export function sampleText(title: string): Buffer {
  return Buffer.from(`${title}\nWe agree.\n`)
}
