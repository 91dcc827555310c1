import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Objects by number, each the text between `obj` and `endobj`. */
export type PdfObjects = Readonly<Record<number, string>>

/** A PDF as it is written by hand, with a cross-reference table. Object 1 is the catalog. */
export function handMadePdf(objects: PdfObjects, trailer = ''): Buffer {
  const parts = ['%PDF-1.7\n%\xe2\xe3\xcf\xd3\n']
  const offsets = new Map<number, number>()
  const length = () => parts.reduce((sum, part) => sum + part.length, 0)
  const numbers = Object.keys(objects).map(Number)
  for (const number of numbers) {
    offsets.set(number, length())
    parts.push(`${number} 0 obj\n${objects[number]}\nendobj\n`)
  }
  const start = length()
  const size = Math.max(...numbers) + 1
  parts.push(`xref\n0 ${size}\n`)
  for (let number = 0; number < size; number += 1) {
    const offset = offsets.get(number)
    const row = offset === undefined ? '0000000000 65535 f' : `${pad(offset)} 00000 n`
    parts.push(`${row} \n`)
  }
  parts.push(`trailer\n<</Size ${size}/Root 1 0 R${trailer}>>\nstartxref\n${start}\n%%EOF\n`)
  return Buffer.from(parts.join(''), 'latin1')
}

function pad(offset: number): string {
  return String(offset).padStart(10, '0')
}

export interface OnePage {
  /** Entries of the dictionaries, as text. */
  readonly catalog?: string
  readonly page?: string
  /** From number 5 on. */
  readonly objects?: PdfObjects
  readonly trailer?: string
}

const CONTENT = 'BT /F1 18 Tf 20 100 Td (I owe you ten euros.) Tj ET'

/** A page of 300 by 200 points that says something. */
export function onePagePdf({
  catalog = '',
  page = '',
  objects = {},
  trailer,
}: OnePage = {}): Buffer {
  const box = page.includes('/MediaBox') ? '' : '/MediaBox[0 0 300 200]'
  return handMadePdf(
    {
      1: `<</Type/Catalog/Pages 2 0 R${catalog}>>`,
      2: '<</Type/Pages/Kids[3 0 R]/Count 1>>',
      3: `<</Type/Page/Parent 2 0 R${box}/Resources<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>/Contents 4 0 R${page}>>`,
      4: `<</Length ${CONTENT.length}>>\nstream\n${CONTENT}\nendstream`,
      ...objects,
    },
    trailer,
  )
}

/** A signature as any reader of the file finds it. */
export interface FoundSignature {
  /** Without the zeros behind it. */
  readonly cms: Buffer
  /** What the byte range takes in. */
  readonly covered: Buffer
  /** Whether that is all of the file but the signature. */
  readonly coversFile: boolean
}

const BYTE_RANGE = /\/ByteRange\s*\[\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s*\]/g

/** In the order in which they stand in the file. */
export function signaturesIn(pdf: Buffer): FoundSignature[] {
  return [...pdf.toString('latin1').matchAll(BYTE_RANGE)].map((match) => {
    const [from, length, next, rest] = match.slice(1).map(Number) as [
      number,
      number,
      number,
      number,
    ]
    const hex = pdf.toString('latin1', from + length + 1, next - 1)
    const padded = Buffer.from(hex, 'hex')
    return {
      cms: padded.subarray(0, derLength(padded)),
      covered: Buffer.concat([pdf.subarray(from, from + length), pdf.subarray(next, next + rest)]),
      coversFile: from === 0 && next + rest === pdf.length,
    }
  })
}

function derLength(der: Buffer): number {
  const first = der.readUInt8(1)
  if (first < 0x80) return 2 + first
  const octets = first & 0x7f
  return 2 + octets + der.readUIntBE(2, octets)
}

/** What `pdfsig` says of the signatures, in the order in which they were made. */
export function pdfsig(pdf: Buffer): { type: string; verdict: string; isTotal: boolean }[] {
  const { stdout } = runOn(pdf, (file) => ['pdfsig', '-nocert', file])
  return stdout
    .split('Signature #')
    .slice(1)
    .map((part) => ({
      type: /Signature Type: (.*)/.exec(part)?.[1] ?? '',
      verdict: /Signature Validation: (.*)/.exec(part)?.[1] ?? '',
      isTotal: part.includes('- Total document signed'),
    }))
}

/** What `qpdf --check` has against a file; nothing if all is well. */
export function qpdfCheck(pdf: Buffer): string {
  const { status, stdout, stderr } = runOn(pdf, (file) => ['qpdf', '--check', file])
  return status === 0 ? '' : stdout + stderr
}

/** A file that qpdf made of another. */
export function qpdf(pdf: Buffer, ...options: readonly string[]): Buffer {
  const { output } = runOn(pdf, (file, made) => ['qpdf', ...options, file, made])
  if (!output) throw new Error('qpdf made nothing')
  return output
}

/** A page as `pdftocairo` draws it: PNG. */
export function drawnPage(pdf: Buffer, page: number): Buffer {
  const options = [
    '-png',
    '-r',
    '72',
    '-f',
    String(page),
    '-l',
    String(page),
    '-singlefile',
    '-cropbox',
  ]
  const { output } = runOn(pdf, (file, made) => ['pdftocairo', ...options, file, made], 'made.png')
  if (!output) throw new Error('pdftocairo drew nothing')
  return output
}

/** @param command from the file, and the name of what is to be made */
export function runOn(
  pdf: Buffer,
  command: (file: string, made: string) => string[],
  made = 'made',
) {
  const directory = mkdtempSync(join(tmpdir(), 'openrssp-pdf-'))
  try {
    const file = join(directory, 'file.pdf')
    writeFileSync(file, pdf)
    const [program = '', ...options] = command(file, join(directory, made.replace('.png', '')))
    const { status, stdout, stderr } = spawnSync(program, options, { encoding: 'utf8' })
    return { status, stdout, stderr, output: readIfThere(join(directory, made)) }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

function readIfThere(path: string): Buffer | null {
  try {
    return readFileSync(path)
  } catch {
    return null
  }
}
