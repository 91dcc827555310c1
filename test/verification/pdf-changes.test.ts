import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  PdfArray,
  PdfBool,
  PdfDict,
  PdfName,
  PdfNumber,
  PdfRef,
  PdfStream,
  PdfString,
} from '@libpdf/core'
import type { SignatureParameters } from '../../src/documents/ades.js'
import { Pades } from '../../src/documents/pades/pades.js'
import { PdfDocument, setEntry, type Kept } from '../../src/documents/pades/pdf-document.js'
import { Revision } from '../../src/documents/pades/revision.js'
import { readForm } from '../../src/documents/pades/signature-fields.js'
import { HASH_ALGORITHMS } from '../../src/keys/algorithms.js'
import { SigningPki } from '../support/signing-pki.js'
import { writtenPdf } from '../support/written-pdf.js'
import { examined, remembering, verdicts } from './examined.js'

const ALGORITHM = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 } as const

/** A page with a text field and an empty signature field. */
const FORM = writtenPdf({
  catalog: '/AcroForm 20 0 R',
  page: '/Annots [21 0 R 22 0 R]',
  objects: {
    20: '<< /Fields [21 0 R 22 0 R] /DA (/F1 12 Tf) /DR << /Font << /F1 3 0 R >> >> >>',
    21: '<< /Type /Annot /Subtype /Widget /FT /Tx /T (amount) /V (10) /Rect [10 10 90 30] /P 100 0 R /AP << /N 23 0 R >> >>',
    22: '<< /Type /Annot /Subtype /Widget /FT /Sig /T (second) /Rect [10 40 90 60] /P 100 0 R >>',
    23: '<< /Type /XObject /Subtype /Form /BBox [0 0 80 20] /Length 23 >>\nstream\nBT /F1 12 Tf (10) Tj ET\nendstream',
  },
})

type Change = (document: PdfDocument, revision: Revision) => void

/** What anybody could draw over a whole page. */
const drawn = (text: string) => {
  const content = `1 1 0 rg 0 0 300 200 re f 0 g BT /F1 18 Tf 20 100 Td (${text}) Tj ET`
  return `<< /Type /XObject /Subtype /Form /BBox [0 0 300 200] /Resources << /Font << /F1 3 0 R >> >> /Length ${content.length} >>\nstream\n${content}\nendstream`
}

/** Bytes that an attacker appends: objects in the place of others, and cross-references to them. */
function appended(pdf: Buffer, objects: Readonly<Record<number, string>>, trailer = ''): Buffer {
  const [, before] = /.*startxref\s+(\d+)/s.exec(pdf.toString('latin1')) ?? []
  const previous = before === undefined ? '' : `/Prev ${before}`
  let added = '\n'
  let table = 'xref\n'
  for (const [number, body] of Object.entries(objects)) {
    const offset = pdf.length + added.length
    table += `${number} 1\n${String(offset).padStart(10, '0')} 00000 n \n`
    added += `${number} 0 obj\n${body}\nendobj\n`
  }
  const start = pdf.length + added.length
  const end = `trailer\n<< /Size 9999 /Root 1 0 R ${previous} ${trailer} >>\nstartxref\n${start}\n%%EOF\n`
  return Buffer.concat([pdf, Buffer.from(added + table + end, 'latin1')])
}

/** An object as the last revision has it. */
function written(pdf: Buffer, number: number): string {
  const objects = pdf.toString('latin1').split(`\n${number} 0 obj\n`)
  return objects.at(-1)?.split('\nendobj')[0] ?? ''
}

describe('Changes of a PDF after signing (S62)', () => {
  const pades = new Pades()
  let pki: SigningPki
  let material: Awaited<ReturnType<SigningPki['validationData']>>
  let approved: Buffer
  let certified: Buffer
  before(async () => {
    pki = new SigningPki()
    material = await pki.validationData([pki.signer('p-256').certificate])
    approved = await sign(FORM)
    certified = await sign(FORM, { envelope: 'Certification' })
  })
  // The threads of PAdES end with the process.
  after(() => pki.close())

  async function sign(document: Buffer, more: Partial<SignatureParameters> = {}) {
    const signatory = pki.signer('p-256')
    const prepared = await pades.prepareDocument(document, {
      ...{ level: 'B-B', envelope: 'Revision', algorithm: ALGORITHM, signatory },
      ...{ signingTime: new Date(), signedProperties: [], referenceUri: null },
      ...more,
    })
    const value = signatory.sign(prepared.toBeSigned, ALGORITHM)
    return (await prepared.complete(value, remembering(pki))).bytes
  }

  const examine = (pdf: Buffer) => examined(pdf, [pki.root], { material })

  async function kindsAfter(pdf: Buffer) {
    const report = await examine(pdf)
    const [first] = report.signatures
    return {
      verdict: verdicts(report)[0],
      kinds: [...new Set(first?.coverage?.changes.map(({ kind }) => kind))],
      wholeDocument: first?.coverage?.wholeDocument,
    }
  }

  it('are none when there are none', async () => {
    const { verdict, kinds, wholeDocument } = await kindsAfter(approved)
    assert.deepEqual([verdict, kinds, wholeDocument], ['TOTAL-PASSED', [], true])
  })

  it('may be another signature in a field that waited for it, and validation data', async () => {
    const twice = await sign(approved, { level: 'B-LTA' })
    const { verdict, kinds, wholeDocument } = await kindsAfter(twice)
    assert.equal(verdict, 'TOTAL-PASSED')
    assert.deepEqual(kinds.toSorted(), ['signature', 'timestamp', 'validation-data'])
    assert.equal(wholeDocument, false)
  })

  const page = (document: PdfDocument): Kept<PdfDict> => {
    const home = PdfRef.of(100)
    return { object: document.resolve(home) as PdfDict, home }
  }
  const field = (document: PdfDocument, name: 'amount' | 'first') =>
    document.resolve(PdfRef.of(name === 'amount' ? 21 : 22)) as PdfDict

  const fillIn: Change = (document, revision) => {
    setEntry(field(document, 'amount'), 'V', PdfString.fromString('1000000'))
    revision.change(PdfRef.of(21))
  }
  const annotate: Change = (document, revision) => {
    const note = revision.add(
      PdfDict.of({
        Type: PdfName.of('Annot'),
        Subtype: PdfName.of('FreeText'),
        Rect: PdfArray.of(...[0, 0, 300, 200].map((each) => PdfNumber.of(each))),
        Contents: PdfString.fromString('Paid'),
      }),
    )
    const { object, home } = page(document)
    const annotations = document.lookUp(object, 'Annots')
    assert.ok(annotations instanceof PdfArray)
    setEntry(object, 'Annots', PdfArray.of(...annotations, note))
    revision.change(home)
  }
  const describeAnew: Change = (document, revision) => {
    const stream = new PdfStream([['Type', PdfName.of('Metadata')]], Buffer.from('<x/>'))
    const { object, home } = document.catalog
    setEntry(object, 'Metadata', revision.add(stream))
    revision.change(home)
  }

  const other: Readonly<Record<string, Change>> = {
    'other text on a page': (_document, revision) => {
      const registry = _document.pdf.context.registry
      const content = registry.resolve(PdfRef.of(101)) as PdfStream
      content.setData(Buffer.from('BT /F1 18 Tf 20 150 Td (Sale) Tj ET'))
      revision.change(PdfRef.of(101))
    },
    'other text on a page, as long as what was there': (document, revision) => {
      const content = document.pdf.context.registry.resolve(PdfRef.of(101)) as PdfStream
      const text = Buffer.from(content.data).toString('latin1')
      const last = text.lastIndexOf(')')
      content.setData(Buffer.from(`${text.slice(0, last - 1)}X${text.slice(last)}`, 'latin1'))
      revision.change(PdfRef.of(101))
    },
    'another content stream': (document, revision) => {
      const stream = new PdfStream([], Buffer.from('BT /F1 18 Tf 20 150 Td (Sale) Tj ET'))
      const { object, home } = page(document)
      setEntry(object, 'Contents', revision.add(stream))
      revision.change(home)
    },
    'another font behind the same name': (document, revision) => {
      setEntry(document.resolve(PdfRef.of(3)) as PdfDict, 'BaseFont', PdfName.of('Symbol'))
      revision.change(PdfRef.of(3))
    },
    'another size of the page': (document, revision) => {
      const { object, home } = page(document)
      setEntry(object, 'CropBox', PdfArray.of(...[0, 0, 9, 9].map((each) => PdfNumber.of(each))))
      revision.change(home)
    },
    'a page more': (document, revision) => {
      const { object } = page(document)
      const pages = document.resolve(PdfRef.of(2)) as PdfDict
      setEntry(pages, 'Kids', PdfArray.of(PdfRef.of(100), revision.add(object.clone())))
      revision.change(PdfRef.of(2))
    },
    'another tree of pages': (document, revision) => {
      const pages = revision.add((document.resolve(PdfRef.of(2)) as PdfDict).clone())
      const { object, home } = document.catalog
      setEntry(object, 'Pages', pages)
      revision.change(home)
    },
    'an action that runs on opening': (document, revision) => {
      const { object, home } = document.catalog
      const action = { S: PdfName.of('JavaScript'), JS: PdfString.fromString('app.alert(1)') }
      setEntry(object, 'OpenAction', PdfDict.of(action))
      revision.change(home)
    },
    'a new text field over the content': (document, revision) => {
      const form = readForm(document).dict
      assert.ok(form)
      const widget = PdfDict.of({
        Type: PdfName.of('Annot'),
        Subtype: PdfName.of('Widget'),
        FT: PdfName.of('Tx'),
        T: PdfString.fromString('overlay'),
      })
      const fields = document.lookUp(form.object, 'Fields')
      assert.ok(fields instanceof PdfArray)
      setEntry(form.object, 'Fields', PdfArray.of(...fields, revision.add(widget)))
      revision.change(form.home)
    },
    'an appearance that every viewer makes anew': (document, revision) => {
      const form = readForm(document).dict
      assert.ok(form)
      setEntry(form.object, 'NeedAppearances', PdfBool.of(true))
      revision.change(form.home)
    },
    'a form that scripts draw': (document, revision) => {
      const form = readForm(document).dict
      assert.ok(form)
      setEntry(form.object, 'XFA', PdfString.fromString('<xdp/>'))
      revision.change(form.home)
    },
    'a field to sign that acts when somebody touches it': (document, revision) => {
      const form = readForm(document).dict
      assert.ok(form)
      const action = { S: PdfName.of('JavaScript'), JS: PdfString.fromString('app.alert(1)') }
      const widget = PdfDict.of({
        ...{ Type: PdfName.of('Annot'), Subtype: PdfName.of('Widget'), FT: PdfName.of('Sig') },
        ...{ T: PdfString.fromString('third'), A: PdfDict.of(action) },
      })
      const fields = document.lookUp(form.object, 'Fields')
      assert.ok(fields instanceof PdfArray)
      setEntry(form.object, 'Fields', PdfArray.of(...fields, revision.add(widget)))
      revision.change(form.home)
    },
    'the position of a field': (document, revision) => {
      const rect = PdfArray.of(...[0, 0, 300, 200].map((each) => PdfNumber.of(each)))
      setEntry(field(document, 'amount'), 'Rect', rect)
      revision.change(PdfRef.of(21))
    },
    'a field taken out of the form': (document, revision) => {
      const form = readForm(document).dict
      assert.ok(form)
      const fields = document.lookUp(form.object, 'Fields')
      assert.ok(fields instanceof PdfArray)
      setEntry(form.object, 'Fields', PdfArray.of(...[...fields].slice(1)))
      revision.change(form.home)
    },
  }
  for (const [what, change] of Object.entries(other)) {
    it(`fails ${what}`, async () => {
      const { verdict, kinds } = await kindsAfter(await updated(approved, change))
      assert.equal(verdict, 'TOTAL-FAILED/HASH_FAILURE: changed-after-signing')
      assert.ok(kinds.includes('other'))
    })
  }

  describe('and what a page shows', () => {
    const inherited = (name: string, more: string) =>
      writtenPdf({ content: `/${name} Do`, objects: { 40: drawn('Lease'), 42: drawn('Sale') } })
        .toString('latin1')
        .replace(
          /\/Resources << \/Font << \/F1 3 0 R >> >> {2}>>\nendobj\n101/,
          `${more} >>\nendobj\n101`,
        )
    const attacks: Record<string, () => Promise<Buffer>> = {}
    for (const name of ['P', 'Obj', 'Popup', 'Parent']) {
      attacks[`an image that is called ${name}, like a member that leads to a page`] = async () => {
        const resources = `/Resources << /XObject << /${name} 40 0 R >> >>`
        return appended(await sign(settled(inherited(name, resources))), { 40: drawn('Sale') })
      }
    }
    attacks['resources that say they are a page'] = async () => {
      const pdf = settled(inherited('X', '/Resources 60 0 R'), {
        60: '<< /Type /Page /XObject << /X 40 0 R >> >>',
      })
      return appended(await sign(pdf), { 60: '<< /Type /Page /XObject << /X 42 0 R >> >>' })
    }
    attacks['other pages above it, to have its resources from'] = async () => {
      const signed = await sign(settled(inherited('X', '')))
      return appended(signed, {
        60: '<< /Type /Pages /Parent 2 0 R /Kids [100 0 R] /Count 1 /Resources << /XObject << /X 42 0 R >> >> >>',
        100: written(signed, 100).replace('/Parent 2 0 R', '/Parent 60 0 R'),
      })
    }
    attacks['a description that can be drawn'] = async () => {
      const pdf = settled(inherited('Metadata', '/Resources << /XObject 102 0 R >>'), {
        2: '<< /Type /Pages /Count 2 /Kids [100 0 R 102 0 R] >>',
        102: '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Resources << >> /Metadata 40 0 R >>',
      })
      return appended(await sign(pdf), { 40: drawn('Sale') })
    }
    attacks['a second set of cross-references, under an escaped name'] = async () =>
      appended(approved, {}, '/XRef#53tm 9')
    for (const [what, attack] of Object.entries(attacks)) {
      it(`fails ${what}`, async () => {
        const { verdict, kinds } = await kindsAfter(await attack())
        assert.equal(verdict, 'TOTAL-FAILED/HASH_FAILURE: changed-after-signing')
        assert.ok(kinds.includes('other'))
      })
    }

    it('is compared however many bookmarks come one after the other', async () => {
      const count = 600
      const objects: Record<number, string> = { 20: '<< /First 1000 0 R /Last 1599 0 R >>' }
      for (let at = 0; at < count; at += 1) {
        const next = at < count - 1 ? `/Next ${1001 + at} 0 R` : ''
        objects[1000 + at] = `<< /Title (${at}) /Parent 20 0 R ${next} /Dest [100 0 R /Fit] >>`
      }
      const once = await sign(writtenPdf({ catalog: '/Outlines 20 0 R', objects }))
      const { verdict, kinds } = await kindsAfter(await sign(once))
      assert.deepEqual([verdict, kinds], ['TOTAL-PASSED', ['signature']])
    })
  })

  describe('and what lies over a page', () => {
    const widget = (more: string) =>
      `<< /Type /Annot /Subtype /Widget /FT /Sig /T (x) /P 100 0 R /F 4 /Rect [0 0 300 200] ${more} >>`
    const note =
      '<< /Type /Annot /Subtype /FreeText /Rect [0 0 300 200] /F 4 /AP << /N 40 0 R >> >>'
    const noted = FORM.toString('latin1').replace('/Annots [', '/Annots [30 0 R 31 0 R ')
    let signed: Record<'approved' | 'certified', Buffer>
    before(async () => {
      const pdf = settled(noted, { 30: note, 31: note, 40: drawn('Lease'), 42: drawn('Sale') })
      signed = {
        approved: await sign(pdf),
        certified: await sign(pdf, { envelope: 'Certification' }),
      }
    })
    /** With a field more in the form, and on the page. */
    const joined = (pdf: Buffer, objects: Record<number, string>, onPage = '60 0 R') =>
      appended(pdf, {
        20: written(pdf, 20).replace('/Fields [', '/Fields [60 0 R '),
        100: written(pdf, 100).replace('/Annots [', `/Annots [${onPage} `),
        ...objects,
      })
    const attacks: Readonly<Record<string, (pdf: Buffer) => Buffer | Promise<Buffer>>> = {
      'a field for a signature that shows something and is not signed': (pdf) =>
        joined(pdf, { 60: widget('/AP << /N 42 0 R >>') }),
      'a note that says it is a signature field': (pdf) =>
        joined(pdf, { 60: widget('/AP << /N 42 0 R >>').replace('Widget', 'FreeText') }),
      'a stamp below a signature field': (pdf) => {
        const stamp = note.replace('FreeText', 'Stamp').replace('40 0 R', '42 0 R')
        return joined(pdf, { 60: '<< /FT /Sig /T (x) /Kids [61 0 R] >>', 61: stamp }, '61 0 R')
      },
      'a note that becomes a signature field': (pdf) =>
        appended(pdf, {
          20: written(pdf, 20).replace('/Fields [', '/Fields [30 0 R '),
          30: note.replace('40 0 R', '42 0 R').replace('>> >>', '>> /FT /Sig /T (x) >>'),
        }),
      'one more look of what is signed': (pdf) => {
        const fields = /\/Fields \[.* (\d+) 0 R\]/.exec(written(pdf, 20))
        const number = Number(fields?.[1])
        const kid = `<< /Type /Annot /Subtype /Widget /Parent ${number} 0 R /V << >> /Rect [0 0 300 200] /AP << /N 42 0 R >> >>`
        return appended(pdf, {
          [number]: written(pdf, number).replace(/>>\s*$/, '/Kids [60 0 R] >>'),
          60: kid,
          100: written(pdf, 100).replace('/Annots [', '/Annots [60 0 R '),
        })
      },
      'notes in another order': (pdf) =>
        appended(pdf, {
          100: written(pdf, 100).replace('30 0 R 31 0 R', '31 0 R 30 0 R'),
        }),
      'a document timestamp that shows something': (pdf) =>
        stamped(joined(pdf, { 60: widget('/AP << /N 42 0 R >> /V 62 0 R'), 62: TIMESTAMP })),
    }
    for (const [what, attack] of Object.entries(attacks)) {
      for (const kind of ['approved', 'certified'] as const) {
        it(`does not pass: ${what}, on a document that is ${kind}`, async () => {
          const { verdict, kinds } = await kindsAfter(await attack(signed[kind]))
          assert.equal(verdict, 'INDETERMINATE/SIG_CONSTRAINTS_FAILURE: changed-after-signing')
          assert.ok(kinds.includes('annotation'))
        })
      }
    }

    it('may be a field that waits for the next signature, and shows nothing', async () => {
      const empty = joined(signed.certified, { 60: widget('') })
      const { verdict, kinds } = await kindsAfter(empty)
      assert.deepEqual([verdict, kinds], ['TOTAL-PASSED', ['signature']])
    })

    it('fails a field of the form that is put on a page', async () => {
      const two = settled(
        FORM.toString('latin1').replace('/Kids [100 0 R]', '/Kids [100 0 R 102 0 R]'),
        { 102: '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Resources << >> >>' },
      )
      const pdf = await sign(two)
      const { verdict } = await kindsAfter(
        appended(pdf, { 102: written(pdf, 102).replace(/>>$/, '/Annots [21 0 R] >>') }),
      )
      assert.equal(verdict, 'TOTAL-FAILED/HASH_FAILURE: changed-after-signing')
    })

    const ROOM = 20_000
    const TIMESTAMP = `<< /Type /DocTimeStamp /Filter /Adobe.PPKLite /SubFilter /ETSI.RFC3161 /ByteRange [0 ${'8'.repeat(10)} ${'9'.repeat(10)} ${'7'.repeat(10)}] /Contents <${'0'.repeat(ROOM)}> >>`
    async function stamped(pdf: Buffer): Promise<Buffer> {
      const at = pdf.indexOf(`<${'0'.repeat(ROOM)}`)
      const end = at + ROOM + 2
      const ranged = Object.entries({ 8: at, 9: end, 7: pdf.length - end }).reduce(
        (text, [digit, value]) => text.replace(digit.repeat(10), String(value).padStart(10)),
        pdf.toString('latin1'),
      )
      const bytes = Buffer.from(ranged, 'latin1')
      const over = Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)])
      const digest = createHash('sha256').update(over).digest()
      const token = await pki.timestamp(digest, HASH_ALGORITHMS.sha256)
      bytes.write(token.toString('hex'), at + 1, 'latin1')
      return bytes
    }
  })

  it('may fill in a form, and the report says so', async () => {
    const report = await examine(await updated(approved, fillIn))
    assert.deepEqual(verdicts(report), ['TOTAL-PASSED'])
    const about = report.signatures[0]?.findings.find(({ code }) => code === 'added-after-signing')
    assert.equal(about?.about, 'form, amount')
  })

  it('may not annotate what nobody permitted to annotate', async () => {
    const { verdict, kinds } = await kindsAfter(await updated(approved, annotate))
    assert.deepEqual(kinds, ['annotation'])
    assert.equal(verdict, 'INDETERMINATE/SIG_CONSTRAINTS_FAILURE: changed-after-signing')
  })

  it('may change the metadata', async () => {
    const { verdict, kinds } = await kindsAfter(await updated(approved, describeAnew))
    assert.deepEqual([verdict, kinds], ['TOTAL-PASSED', ['metadata']])
  })

  it('are held to what a certification permits', async () => {
    // P stands in the signed bytes: what matters is that the reader heeds it.
    for (const change of [annotate, ...Object.values(other).slice(0, 1)]) {
      const { verdict } = await kindsAfter(await updated(certified, change))
      assert.ok(verdict && !verdict.startsWith('TOTAL-PASSED'), verdict)
    }
    const { verdict } = await kindsAfter(await updated(certified, fillIn))
    assert.equal(verdict, 'TOTAL-PASSED')
  })

  describe('are held to the lock of the field that was signed', () => {
    const signed = (lock: string, more: Partial<SignatureParameters> = {}) => {
      const form = FORM.toString('latin1').replace('/T (second)', `/T (second) /Lock << ${lock} >>`)
      return sign(settled(form), { appearance: { fieldName: 'second' }, ...more })
    }
    const after = async (pdf: Buffer, change: Change) =>
      (await kindsAfter(await updated(pdf, change))).verdict
    const CHANGED = 'TOTAL-FAILED/HASH_FAILURE: changed-after-signing'

    for (const [lock, verdict] of [
      ['/Action /Include /Fields [(amount)]', CHANGED],
      ['/Action /Include /Fields [(date)]', 'TOTAL-PASSED'],
      ['/Action /Exclude /Fields [(date)]', CHANGED],
      ['/Action /Exclude /Fields [(amount)]', 'TOTAL-PASSED'],
      ['/Action /All', CHANGED],
    ] as const) {
      it(`where a field is filled in, ${lock}: ${verdict}`, async () => {
        assert.equal(await after(await signed(lock), fillIn), verdict)
      })
    }

    for (const envelope of ['Revision', 'Certification'] as const) {
      it(`which permits no change at all, ${envelope}`, async () => {
        const final = await signed('/Action /Include /Fields [(date)] /P 1', { envelope })
        assert.equal(await after(final, fillIn), CHANGED)
        assert.equal(await after(final, describeAnew), CHANGED)
      })
    }

    it('which permits annotations', async () => {
      const open = await signed('/Action /Include /Fields [(date)] /P 3')
      assert.equal(await after(open, annotate), 'TOTAL-PASSED')
    })
  })

  it('cannot hide between two signatures', async () => {
    const [, change] = Object.entries(other)[0] ?? []
    assert.ok(change)
    const between = await sign(await updated(approved, change))
    const found = verdicts(await examine(between))
    assert.deepEqual(found, ['TOTAL-FAILED/HASH_FAILURE: changed-after-signing', 'TOTAL-PASSED'])
  })

  describe('and the byte range', () => {
    const withRange = (pdf: Buffer, change: (range: number[]) => number[]) => {
      const text = pdf.toString('latin1')
      const [whole = '', numbers = ''] = /\/ByteRange\s*\[([\d\s]+)\]/.exec(text) ?? []
      const range = change(numbers.trim().split(/\s+/).map(Number)).join(' ')
      const replaced = `/ByteRange [${range}`.padEnd(whole.length - 1) + ']'
      return Buffer.from(text.replace(whole, replaced), 'latin1')
    }
    const ranges: Readonly<Record<string, (range: number[]) => number[]>> = {
      'that does not begin at the beginning': ([, b = 0, c = 0, d = 0]) => [9, b - 9, c, d],
      'with a larger hole': ([a = 0, b = 0, c = 0, d = 0]) => [a, b - 40, c, d],
      'with a smaller hole': ([a = 0, b = 0, c = 0, d = 0]) => [a, b + 2, c, d],
      'that ends too early': ([a = 0, b = 0, c = 0, d = 0]) => [a, b, c, d - 30],
      'that ends behind the file': ([a = 0, b = 0, c = 0, d = 0]) => [a, b, c, d + 30],
      'of three numbers': ([a = 0, b = 0, c = 0]) => [a, b, c],
      'of six numbers': ([a = 0, b = 0, c = 0, d = 0]) => [a, b, c, 5, c + 9, d - 9],
      'that says to begin further on': ([, b = 0, c = 0, d = 0]) => [9, b, c, d],
      'of six numbers, four of them right': ([a = 0, b = 0, c = 0, d = 0]) => [a, b, c, d, 0, 0],
      'that overlaps': ([a = 0, b = 0, , d = 0]) => [a, b, b - 10, d],
    }
    for (const [what, change] of Object.entries(ranges)) {
      it(`fails one ${what}`, async () => {
        const report = await examine(withRange(approved, change))
        assert.equal(report.signatures[0]?.indication, 'TOTAL-FAILED')
        assert.equal(report.signatures[0].subIndication, 'FORMAT_FAILURE')
      })
    }

    it('fails one that leaves out more than the value of the signature', async () => {
      const text = approved.toString('latin1')
      const end = text.indexOf('00>', text.indexOf('/Contents <') + 11)
      assert.ok(end > 0)
      const more = '>/X<00>'
      const hidden = text.slice(0, end + 3 - more.length) + more + text.slice(end + 3)
      const report = await examine(Buffer.from(hidden, 'latin1'))
      assert.equal(report.signatures[0]?.subIndication, 'FORMAT_FAILURE')
    })

    it('fails bytes behind the end that are no revision, even if they end like one', async () => {
      const [before = ''] = /startxref\s+\d+\s+%%EOF\s*$/.exec(approved.toString('latin1')) ?? []
      for (const end of ['', '%%EOF\n', before]) {
        const behind = Buffer.concat([approved, Buffer.from(`\n9 0 obj (x) endobj\n${end}`)])
        assert.notEqual((await examine(behind)).indication, 'TOTAL-PASSED', end)
      }
    })
  })

  it('come with a warning of what lets a document change its look by itself (S63)', async () => {
    const action = '<< /S /JavaScript /JS (this.getField("amount").value = 99) >>'
    const acting = await sign(
      writtenPdf({ catalog: '/OpenAction 20 0 R', objects: { 20: action } }),
    )
    const { findings } = await examine(acting)
    const found = findings.filter(({ code }) => code === 'look-can-change')
    assert.deepEqual(
      found.map(({ about }) => about),
      ['javascript'],
    )
  })

  describe('with a key twice in a dictionary', () => {
    const page = /\n100 0 obj\n(.*?)\nendobj/s.exec(FORM.toString('latin1'))?.[1] ?? ''
    const contents = /\/Contents (\d+ 0 R)/.exec(page)?.[1] ?? ''
    const other = '<< /Length 9 >>\nstream\n(Other) Tj\nendstream'

    for (const [how, written] of [
      ['first', (to: string) => page.replace('/Contents', `/Contents ${to} /Contents`)],
      [
        'first, by number',
        (to: string) => page.replace('/Contents', `/#43ontents ${to} /Contents`),
      ],
    ] as const) {
      it(`fail a page that shows something else to who takes the value that comes ${how}`, async () => {
        assert.notEqual(contents, '')
        const shadowed = appended(approved, { 100: written('990 0 R'), 990: other })
        const { signatures } = await examine(shadowed)
        assert.equal(signatures[0]?.subIndication, 'HASH_FAILURE')
        const found = signatures[0]?.findings.map(({ code, about }) => `${code} ${about}`)
        assert.ok(
          found?.some((each) => /^changed-after-signing .*Contents/.test(each)),
          String(found),
        )
      })
    }

    it('come with a warning where it was signed so', async () => {
      const twice = appended(FORM, {
        100: page.replace('/Contents', '/Contents 990 0 R /Contents'),
        990: other,
      })
      const report = await examine(await sign(twice))
      assert.equal(report.indication, 'TOTAL-PASSED')
      const found = report.findings.filter(({ code }) => code === 'key-repeated')
      assert.deepEqual(
        found.map(({ about }) => about),
        ['Contents'],
      )
    })

    it('pass without a word where both say the same, and where one key is another’s value', async () => {
      const same = appended(FORM, {
        100: page.replace('/Contents', `/Contents ${contents} /Contents`),
        991: '<< /A /A /B << /A 1 >> /C (/A 2 (\\) /A) 3) /D [ /A /A ] /E <2F41> /F 1 /G true >>',
      })
      const { findings } = await examine(await sign(same))
      assert.deepEqual(
        findings.filter(({ code }) => code === 'key-repeated'),
        [],
      )
    })

    it('are found in object streams', async () => {
      const objects = '992 0 << /A 1 /A 2 >>'
      const stream = `<< /Type /ObjStm /N 1 /First 6 /Length ${objects.length} >>\nstream\n${objects}\nendstream`
      const { findings } = await examine(await sign(appended(FORM, { 993: stream })))
      assert.ok(findings.some(({ code, about }) => code === 'key-repeated' && about === 'A'))
    })
  })

  it('tell of an empty field, and of a signature that belongs to no field', async () => {
    const report = await examine(approved)
    assert.ok(
      report.findings.some(({ code, about }) => code === 'field-empty' && about === 'second'),
    )
    const stray = await updated(FORM, (_document, revision) => {
      revision.add(PdfDict.of({ ByteRange: PdfArray.of(PdfNumber.of(0)) }))
    })
    const codes = (await examine(stray)).findings.map(({ code }) => code)
    assert.ok(codes.includes('signature-unreferenced'), codes.join())
  })
})

/** With its objects where its cross-references say, after it was changed by hand. */
function settled(pdf: string, more: Readonly<Record<number, string>> = {}): Buffer {
  const objects: Record<string, string> = {}
  for (const [, number = '', body = ''] of pdf.matchAll(/\n(\d+) 0 obj\n(.*?)(?=\nendobj)/gs)) {
    objects[number] = body
  }
  return appended(Buffer.from('%PDF-1.7\n'), { ...objects, ...more })
}

async function updated(pdf: Buffer, change: Change): Promise<Buffer> {
  const document = await PdfDocument.open(pdf)
  const revision = new Revision(document)
  change(document, revision)
  return Buffer.concat([pdf, revision.write(pdf.length)])
}
