import { strict as assert } from 'node:assert'
import { deflateSync } from 'node:zlib'
import fc from 'fast-check'
import { performPdfTask, type PdfTask } from '../../../src/documents/pades/pdf-task.js'
import { PdfThreads } from '../../../src/documents/pades/pdf-threads.js'
import { UnfitDocumentError } from '../../../src/errors.js'
import { mutated } from '../../support/mutated.js'
import { handMadePdf, onePagePdf, qpdf } from '../../support/pdf-files.js'

const FIELD = '/Type/Annot/Subtype/Widget/FT/Sig/P 3 0 R/Rect[10 10 90 40]'
const FORM = onePagePdf({
  catalog: '/AcroForm 5 0 R',
  page: '/Annots[6 0 R]/Rotate 90',
  objects: { 5: '<</Fields[6 0 R]>>', 6: `<<${FIELD}/T(one)>>` },
})
const SIGN = {
  kind: 'sign',
  request: {
    ...{ certification: true, level: 'B-B' },
    appearance: { fieldName: 'one', text: 'Ada' },
    description: {
      ...{ signingTime: new Date(), name: null, reason: 'so', location: null, contactInfo: null },
    },
    ...{ usualText: 'Ada', hash: 'sha256', room: 1000 },
  },
} satisfies PdfTask
const PRESERVE = {
  kind: 'preserve',
  evidence: { certificates: [Buffer.from('c')], crls: [], ocspResponses: [] },
  contents: Buffer.from('s'),
  timestamp: { hash: 'sha256', room: 100 },
} satisfies PdfTask

describe('PDFs that mean no good (S64)', () => {
  const ORIGINALS: Readonly<Record<string, Buffer>> = {
    'a form': FORM,
    'a form in object streams': qpdf(FORM, '--object-streams=generate'),
    'an encrypted form': qpdf(
      FORM,
      '--allow-weak-crypto',
      '--encrypt',
      '',
      'owner',
      '128',
      '--use-aes=y',
      '--',
    ),
    'a linearised form': qpdf(FORM, '--linearize'),
  }
  const { warn } = console
  // The library warns of each file; there are thousands.
  before(() => Object.assign(console, { warn: () => undefined }))
  after(() => Object.assign(console, { warn }))

  for (const [what, original] of Object.entries(ORIGINALS)) {
    it(`are signed or refused, whatever was changed in ${what}`, async () => {
      const property = fc.asyncProperty(mutated(original), async (pdf) => {
        for (const task of [SIGN, PRESERVE]) await signedOrRefused(pdf, task)
      })
      await fc.assert(property, { numRuns: RUNS })
    })
  }

  it('are signed or refused, whatever value stands where another should', async () => {
    const text = FORM.toString('latin1')
    const places = [...text.matchAll(/\/[A-Za-z]+ ?(\[[^\]]*\]|\([^)]*\)|[^/<>[\]()\n]+)/g)]
    const value = fc.constantFrom(
      'null',
      '[]',
      '<<>>',
      '1 0 R',
      '99 0 R',
      '-1',
      '/Name',
      '(x)',
      '1e99',
    )
    const place = fc.constantFrom(...places)
    await fc.assert(
      fc.asyncProperty(place, value, async (match, other) => {
        const from = match.index + match[0].length - (match[1]?.length ?? 0)
        const to = match.index + match[0].length
        const pdf = Buffer.from(`${text.slice(0, from)} ${other} ${text.slice(to)}`, 'latin1')
        await signedOrRefused(reindexed(pdf), SIGN)
      }),
      { numRuns: RUNS },
    )
  })

  it('are signed or refused, where their trees go in circles', async () => {
    const circles = [
      { 2: '<</Type/Pages/Kids[2 0 R 3 0 R]/Count 1>>' },
      { 2: '<</Type/Pages/Kids 2 0 R/Count 1>>' },
      { 5: '<</Fields[5 0 R 6 0 R]/Kids[5 0 R]/T(x)>>' },
      { 6: `<<${FIELD}/T(one)/Kids[6 0 R]>>` },
      { 6: '6 0 R' },
    ]
    for (const objects of circles) {
      await signedOrRefused(onePagePdf({ catalog: '/AcroForm 5 0 R', objects }), SIGN)
    }
  })

  it('do not unpack to more than fits', async () => {
    const bomb = deflateSync(Buffer.alloc(65 * 1024 * 1024))
    const stream = `<</Type/ObjStm/N 1/First 4/Filter/FlateDecode/Length ${bomb.length}>>\nstream\n${bomb.toString('latin1')}\nendstream`
    await assert.rejects(
      performPdfTask(packed(stream), SIGN),
      /packed part that is damaged or too large/,
    )
    const twice = deflateSync(bomb)
    const nested = `<</Type/ObjStm/N 1/First 4/Filter[/FlateDecode/FlateDecode]/Length ${twice.length}>>\nstream\n${twice.toString('latin1')}\nendstream`
    await assert.rejects(performPdfTask(packed(nested), SIGN), /packs its structure by/)
  })

  describe('in their threads', () => {
    // A thread killed while it runs from source leaves a port of tsx behind, which keeps its process from
    // ending; those of mocha's parallel mode are ended for them.
    before(function () {
      if (process.send === undefined) this.skip()
    })

    it('end the thread, not the service, when they take too much memory; others wait', async () => {
      const threads = new PdfThreads({
        threads: 1,
        megabytes: 64,
        milliseconds: 60_000,
        waiting: 1,
      })
      const kids = '[(x)]'.repeat(500_000)
      const many = onePagePdf({ objects: { 2: `<</Type/Pages/Kids[${kids}]>>` } })
      const [greedy, next] = [perform(threads, many), perform(threads, FORM)]
      await assert.rejects(async () => perform(threads, FORM), { kind: 'overloaded' })
      await assert.rejects(greedy, /too much memory/)
      await next
    })

    it('end the thread, not the service, when they take too long', async () => {
      const threads = new PdfThreads({ threads: 1, milliseconds: 1 })
      await assert.rejects(perform(threads, LARGE), /takes too long/)
    })
  })
})

const RUNS = Number(process.env['OPENRSSP_FUZZ_RUNS'] ?? 60)

/** Many objects to look at. */
const LARGE = onePagePdf({
  objects: { 2: `<</Type/Pages/Kids[${'3 0 R '.repeat(300_000)}]/Count 1>>` },
})

function perform(threads: PdfThreads, pdf: Buffer) {
  const copy = new ArrayBuffer(pdf.length)
  pdf.copy(Buffer.from(copy))
  return threads.perform(copy, pdf.length, SIGN)
}

/** Nothing else may come of it; the thread is not there to hide a mistake of ours. */
async function signedOrRefused(pdf: Buffer, task: PdfTask): Promise<void> {
  try {
    const { bytes } = await performPdfTask(pdf, task)
    assert.ok(bytes.length > 0)
  } catch (error) {
    if (!(error instanceof UnfitDocumentError)) throw error
  }
}

/** The same objects with cross-references that fit. */
function reindexed(pdf: Buffer): Buffer {
  const objects: Record<number, string> = {}
  for (const [, number, text] of pdf
    .toString('latin1')
    .matchAll(/\n(\d+) 0 obj\n([^]*?)\nendobj/g)) {
    objects[Number(number)] = text ?? ''
  }
  return handMadePdf(objects)
}

/** The catalog stands in the stream. */
function packed(stream: string): Buffer {
  const start = '%PDF-1.7\n'
  const object = `2 0 obj\n${stream}\nendobj\n`
  const offset = start.length + object.length
  const rows = [
    [2, 2, 0],
    [1, start.length, 0],
    [1, offset, 0],
  ].map(([type = 0, value = 0, last = 0]) => [
    type,
    (value >> 16) & 255,
    (value >> 8) & 255,
    value & 255,
    last,
  ])
  const data = Buffer.from(rows.flat()).toString('latin1')
  const table = `3 0 obj\n<</Type/XRef/Size 4/W[1 3 1]/Index[1 3]/Root 1 0 R/Length ${data.length}>>\nstream\n${data}\nendstream\nendobj\n`
  return Buffer.from(`${start}${object}${table}startxref\n${offset}\n%%EOF\n`, 'latin1')
}
