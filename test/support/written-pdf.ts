/** What a PDF is written with besides one plain page. */
export interface WrittenPdf {
  /** One page each; of what they say, in Helvetica, which the file does not bring along. */
  readonly pages?: readonly string[]
  /** Members of the catalog, such as `/OpenAction 20 0 R`. */
  readonly catalog?: string
  /** Members of every page. */
  readonly page?: string
  /** Further objects, by number from 20 on. */
  readonly objects?: Readonly<Record<number, string>>
  /** Content of the pages, in the place of what they say. */
  readonly content?: string
  readonly mediaBox?: string
}

/** A small PDF, written by hand: its objects say exactly what a test wants of them. */
export function writtenPdf(parts: WrittenPdf = {}): Buffer {
  const { pages = ['Lease of the flat'], catalog = '', page = '', objects = {} } = parts
  const { mediaBox = '[0 0 300 200]' } = parts
  const numbers = pages.map((_, index) => 100 + 2 * index)
  const all: Record<number, string> = {
    1: `<< /Type /Catalog /Pages 2 0 R ${catalog} >>`,
    2: `<< /Type /Pages /Count ${pages.length} /Kids [${numbers.map((n) => `${n} 0 R`).join(' ')}] >>`,
    3: '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
    ...objects,
  }
  pages.forEach((text, index) => {
    const number = 100 + 2 * index
    const content = parts.content ?? `BT /F1 18 Tf 20 150 Td (${text}) Tj ET`
    all[number] =
      `<< /Type /Page /Parent 2 0 R /MediaBox ${mediaBox} /Contents ${number + 1} 0 R /Resources << /Font << /F1 3 0 R >> >> ${page} >>`
    all[number + 1] = `<< /Length ${content.length} >>\nstream\n${content}\nendstream`
  })
  let text = '%PDF-1.7\n'
  const offsets = Object.entries(all).map(([number, body]) => {
    const offset = text.length
    text += `${number} 0 obj\n${body}\nendobj\n`
    return [number, offset] as const
  })
  const start = text.length
  text += 'xref\n0 1\n0000000000 65535 f \n'
  for (const [number, offset] of offsets) {
    text += `${number} 1\n${String(offset).padStart(10, '0')} 00000 n \n`
  }
  const size = Math.max(...offsets.map(([number]) => Number(number))) + 1
  text += `trailer\n<< /Size ${size} /Root 1 0 R >>\nstartxref\n${start}\n%%EOF\n`
  return Buffer.from(text, 'latin1')
}
