import { once } from 'node:events'
import { PDF } from '@libpdf/core'
import { degrees, PDFDocument, StandardFonts } from 'pdf-lib'
import PdfKit from 'pdfkit'
import { handMadePdf, onePagePdf, qpdf, runOn } from '../../../support/pdf-files.js'
import { launchChromium } from '../../../support/chromium.js'

/** A PDF that somebody may hand over. */
export interface Member {
  readonly name: string
  make(): Promise<Buffer> | Buffer
}

/** Signing is allowed. */
const OPEN = { modifying: true, annotating: true, fillingForms: true }

const TEXT = 'I owe you ten euros, and a bottle of wine.'

/** Made by producers that share no code: pdf-lib, PDFKit, LibPDF, cairo, poppler, qpdf, and by hand. */
export const MEMBERS: readonly Member[] = [
  { name: 'pdf-lib: pages of several sizes, turned', make: () => pdfLibPages(true) },
  { name: 'pdf-lib: without object streams', make: () => pdfLibPages(false) },
  { name: 'pdf-lib: a form', make: pdfLibForm },
  { name: 'PDFKit: version 1.3', make: () => pdfKit({ pdfVersion: '1.3' }) },
  { name: 'PDFKit: tagged', make: () => pdfKit({ pdfVersion: '1.7', tagged: true, lang: 'en' }) },
  {
    name: 'PDFKit: encrypted',
    make: () => pdfKit({ pdfVersion: '1.7ext3', ownerPassword: 'owner', permissions: OPEN }),
  },
  { name: 'LibPDF: an updated file', make: libPdfUpdated },
  { name: 'cairo', make: cairo },
  { name: 'poppler: joined files', make: poppler },
  {
    name: 'qpdf: object streams, linearised',
    make: async () => qpdf(await pdfLibForm(), '--object-streams=generate', '--linearize'),
  },
  {
    name: 'qpdf: encrypted, with object streams',
    make: async () =>
      qpdf(await pdfLibForm(), '--object-streams=generate', '--encrypt', '', 'o', '256', '--'),
  },
  { name: 'by hand: tiny', make: () => onePagePdf({ page: '/MediaBox[0 0 3 3]' }) },
  { name: 'by hand: huge units', make: () => onePagePdf({ page: '/UserUnit 75' }) },
  {
    name: 'by hand: corners the wrong way round',
    make: () => onePagePdf({ page: '/MediaBox[300 200 0 0]' }),
  },
  { name: 'by hand: a deep tree of pages', make: deepTree },
  { name: 'by hand: nothing after the last line', make: () => onePagePdf().subarray(0, -1) },
  { name: 'by hand: objects deleted and used again', make: reused },
]

/** What takes too long for every day. */
export const LARGE_MEMBERS: readonly Member[] = [
  { name: 'Chromium', make: printed },
  { name: '100 MB', make: () => large(100) },
  { name: '20 000 pages', make: manyPages },
]

async function pdfLibPages(useObjectStreams: boolean): Promise<Buffer> {
  const pdf = await PDFDocument.create()
  const font = await pdf.embedFont(StandardFonts.Helvetica)
  for (const [width, height, turn] of [
    [595, 842, 0],
    [842, 595, 90],
    [200, 100, 270],
  ] as const) {
    const page = pdf.addPage([width, height])
    page.drawText(TEXT, { x: 20, y: 50, font, size: 10 })
    page.setRotation(degrees(turn))
  }
  return Buffer.from(await pdf.save({ useObjectStreams }))
}

async function pdfLibForm(): Promise<Buffer> {
  const pdf = await PDFDocument.create()
  const page = pdf.addPage([400, 300])
  const form = pdf.getForm()
  form.createTextField('name.first').addToPage(page, { x: 20, y: 200, width: 100, height: 20 })
  form.createCheckBox('agreed').addToPage(page, { x: 20, y: 150, width: 20, height: 20 })
  form.getTextField('name.first').setText('Ada')
  return Buffer.from(await pdf.save())
}

async function pdfKit(options: PDFKit.PDFDocumentOptions): Promise<Buffer> {
  const pdf = new PdfKit(options)
  const chunks: Buffer[] = []
  pdf.on('data', (chunk: Buffer) => chunks.push(chunk))
  pdf.text(TEXT).addPage({ size: [300, 300] })
  pdf.circle(100, 100, 50).fill('red')
  pdf.end()
  await once(pdf, 'end')
  return Buffer.concat(chunks)
}

async function libPdfUpdated(): Promise<Buffer> {
  const pdf = PDF.create()
  pdf.addPage({ size: 'a4' }).drawText(TEXT, { x: 50, y: 700 })
  const again = await PDF.load(await pdf.save())
  again.setTitle('Second version')
  return Buffer.from(await again.save({ incremental: true }))
}

function cairo(): Buffer {
  const options = (file: string, made: string) => ['pdftocairo', '-pdf', file, made]
  return made(runOn(onePagePdf(), options).output)
}

function poppler(): Buffer {
  const options = (file: string, made: string) => ['pdfunite', file, file, made]
  return made(runOn(onePagePdf(), options).output)
}

function made(output: Buffer | null): Buffer {
  if (!output) throw new Error('The tool made nothing')
  return output
}

function deepTree(): Buffer {
  const levels = 40
  const nodes = Array.from({ length: levels }, (_, at): [number, string] => [
    at + 2,
    `<</Type/Pages/Kids[${at + 3} 0 R]/Count 1${at === 0 ? '/MediaBox[0 0 300 200]' : `/Parent ${at + 1} 0 R`}>>`,
  ])
  const page = `<</Type/Page/Parent ${levels + 1} 0 R/Resources<<>>>>`
  return handMadePdf({
    1: '<</Type/Catalog/Pages 2 0 R>>',
    ...Object.fromEntries(nodes),
    [levels + 2]: page,
  })
}

/** The page has generation 1, as its number was in use before. */
function reused(): Buffer {
  const first = onePagePdf().toString('latin1')
  const page = /3 0 obj\n([^]*?)\nendobj/.exec(first)?.[1] ?? ''
  const tree = '<</Type/Pages/Kids[3 1 R]/Count 1>>'
  const previous = /startxref\n(\d+)/.exec(first)?.[1] ?? ''
  const [two, three] = [`2 0 obj\n${tree}\nendobj\n`, `3 1 obj\n${page}\nendobj\n`]
  const row = (offset: number, generation: number) =>
    `${String(offset).padStart(10, '0')} 0000${generation} n \n`
  const rows = row(first.length, 0) + row(first.length + two.length, 1)
  const start = first.length + two.length + three.length
  const tail = `xref\n2 2\n${rows}trailer\n<</Size 5/Root 1 0 R/Prev ${previous}>>\nstartxref\n${start}\n%%EOF\n`
  return Buffer.from(first + two + three + tail, 'latin1')
}

async function printed(): Promise<Buffer> {
  const browser = await launchChromium()
  try {
    const page = await browser.newPage()
    await page.setContent(`<h1>Contract</h1><p>${TEXT}</p>`)
    return await page.pdf({ format: 'A4' })
  } finally {
    await browser.close()
  }
}

function large(megabytes: number): Buffer {
  const filling = 'x'.repeat(1024 * 1024 - 1) + '\n'
  const content = filling.repeat(megabytes)
  return onePagePdf({
    objects: { 5: `<</Length ${content.length}>>\nstream\n${content}\nendstream` },
  })
}

function manyPages(): Buffer {
  const numbers = Array.from({ length: 20_000 }, (_, at) => at + 3)
  const pages = numbers.map((number): [number, string] => [
    number,
    '<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Resources<<>>>>',
  ])
  return handMadePdf({
    1: '<</Type/Catalog/Pages 2 0 R>>',
    2: `<</Type/Pages/Kids[${numbers.map((number) => `${number} 0 R`).join(' ')}]/Count ${numbers.length}>>`,
    ...Object.fromEntries(pages),
  })
}
