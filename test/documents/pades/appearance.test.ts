import { strict as assert } from 'node:assert'
import { createCanvas, loadImage } from '@napi-rs/canvas'
import { Pades } from '../../../src/documents/pades/pades.js'
import type { PdfAppearance, PdfRectangle } from '../../../src/documents/pades/pdf-appearance.js'
import { UnfitDocumentError } from '../../../src/errors.js'
import { HASH_ALGORITHMS } from '../../../src/keys/algorithms.js'
import { drawnPage, handMadePdf, onePagePdf, qpdfCheck, runOn } from '../../support/pdf-files.js'
import { SigningPki } from '../../support/signing-pki.js'

const ALGORITHM = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 } as const
/** Nothing on it, 300 by 200 points. */
const BLANK = blank('')
const RECT = { x: 30, y: 50, width: 90, height: 40 }

describe('The appearance of a PDF signature', () => {
  const pades = new Pades()
  let pki: SigningPki
  before(() => (pki = new SigningPki()))
  after(() => pki.close())

  for (const [rotation, width, height] of [
    [0, 300, 200],
    [90, 200, 300],
    [180, 300, 200],
    [270, 200, 300],
    [-90, 200, 300],
    [450, 200, 300],
  ] as const) {
    it(`stands where it was put, upright, on a page turned by ${rotation} degrees`, async () => {
      const bytes = await sign(blank(`/Rotate ${rotation}`), { rect: RECT, image: arrow() })
      const drawn = await pixels(bytes)
      assert.deepEqual([drawn.width, drawn.height], [width, height])
      assertWithin(drawn.ink, RECT, height)
      // The arrow is black above and grey below: nothing is upside down or lying.
      const [black, grey] = [drawn.centreOf('black'), drawn.centreOf('grey')]
      assert.ok(
        black.y < grey.y - 5 && Math.abs(black.x - grey.x) < 2,
        JSON.stringify({ black, grey }),
      )
    })
  }

  it('is measured from the corner of what is shown of the page', async () => {
    const cropped = blank('/CropBox[100 50 300 200]')
    const drawn = await pixels(await sign(cropped, { rect: RECT, text: 'Ada' }))
    assert.deepEqual([drawn.width, drawn.height], [200, 150])
    assertWithin(drawn.ink, RECT, 150)
  })

  it('is measured in points where the page has units of its own', async () => {
    const bytes = await sign(blank('/UserUnit 2'), { rect: RECT, text: 'Ada' })
    assert.match(bytes.toString('latin1'), /\/Rect \[15 25 60 45\]/)
    await refuses(
      blank('/UserUnit 2'),
      { rect: { ...RECT, x: 520 }, text: 'Ada' },
      /600 by 400 points/,
    )
  })

  it('finds the page by its number, and what it has from nodes above it', async () => {
    const nested = handMadePdf({
      1: '<</Type/Catalog/Pages 2 0 R>>',
      2: '<</Type/Pages/Kids 9 0 R/Count 3/MediaBox[0 0 50 50]/Rotate 90>>',
      3: '<</Type/Pages/Parent 2 0 R/Kids[4 0 R 5 0 R]/Count 2/MediaBox[0 0 300 200]>>',
      4: '<</Type/Page/Parent 3 0 R/Resources<<>>>>',
      5: '<</Type/Page/Parent 3 0 R/Resources<<>>/Rotate 0>>',
      6: '<</Type/Page/Parent 2 0 R/Resources<<>>>>',
      9: '[3 0 R 6 0 R]',
    })
    const drawn = await pixels(await sign(nested, { page: 2, rect: RECT, text: 'Ada' }), 2)
    assertWithin(drawn.ink, RECT, 200)
    await refuses(nested, { page: 3, rect: RECT, text: 'Ada' }, /50 by 50 points/)
    await refuses(nested, { page: 4, rect: RECT, text: 'Ada' }, /no page 4: its last is 3/)
  })

  it('shows text in Latin, Greek and Cyrillic letters, which can be copied', async () => {
    const text = 'Jürgen Ağaoğlu\nΥπογραφή: Ζωή\nПодписал Иван'
    const bytes = await sign(BLANK, { rect: { x: 0, y: 0, width: 290, height: 60 }, text })
    assert.equal(qpdfCheck(bytes), '')
    const flat = runOn(bytes, (file) => ['pdftocairo', '-pdf', file, '-']).stdout
    assert.ok(flat.length > 0)
    const found = runOn(bytes, (file) => ['pdffonts', file]).stdout
    assert.match(found, /[A-Z]{6}\+DejaVuSans +CID TrueType +Identity-H +yes yes yes/)
    assert.ok(bytes.length < BLANK.length + 60_000, `${bytes.length} bytes: the font is a subset`)
  })

  it('breaks lines, and words where a line is too short for them', async () => {
    const text =
      'I agree to all of this and sign it with my own hand; Donaudampfschifffahrtsgesellschaft'
    const drawn = await pixels(await sign(BLANK, { rect: RECT, text }))
    assertWithin(drawn.ink, RECT, 200)
  })

  it('shows image and text side by side, or one above the other', async () => {
    for (const rect of [RECT, { ...RECT, width: 40, height: 90 }]) {
      const drawn = await pixels(await sign(BLANK, { rect, image: arrow(), text: 'Ada' }))
      assertWithin(drawn.ink, rect, 200)
    }
  })

  it('takes JPEG, and PNG of every kind', async () => {
    const canvas = createCanvas(8, 8)
    canvas.getContext('2d').fillRect(0, 0, 8, 8)
    const images = [canvas.toBuffer('image/jpeg'), canvas.toBuffer('image/png'), ONE_BIT_PNG]
    for (const image of images) {
      const drawn = await pixels(await sign(BLANK, { rect: RECT, image }))
      assertWithin(drawn.ink, RECT, 200)
    }
  })

  it('fills the room of a field that is there already', async () => {
    const document = onePagePdf({
      page: '/Annots[5 0 R]/Rotate 90',
      catalog: '/AcroForm<</Fields[5 0 R]>>',
      objects: {
        5: '<</Type/Annot/Subtype/Widget/FT/Sig/T(one)/Rect[110 20 150 110]/P 3 0 R/F 4/MK<</R 90>>>>',
        4: '<</Length 0>>\nstream\n\nendstream',
      },
    })
    const bytes = await sign(document, { fieldName: 'one', image: arrow() })
    const drawn = await pixels(bytes)
    assertWithin(drawn.ink, { x: 20, y: 150, width: 90, height: 40 }, 300)
    assert.ok(drawn.centreOf('black').y < drawn.centreOf('grey').y - 5)
  })

  describe('is refused, saying why', () => {
    const big = 'word '.repeat(300)
    const REFUSED: Readonly<Record<string, [PdfAppearance, RegExp]>> = {
      'without a place for it': [{ text: 'Ada' }, /needs a rectangle/],
      'outside of the page': [{ rect: { ...RECT, x: 250 }, text: 'Ada' }, /300 by 200 points/],
      'below the page': [{ rect: { ...RECT, y: -3 }, text: 'Ada' }, /does not lie on the page/],
      'in a rectangle of no size': [{ rect: { ...RECT, width: 0 }, text: 'Ada' }, /does not lie/],
      'in a rectangle that is no number': [
        { rect: { ...RECT, x: NaN }, text: 'Ada' },
        /does not lie/,
      ],
      'with more text than fits': [{ rect: RECT, text: big }, /does not fit/],
      'with larger letters than fit': [{ rect: RECT, text: 'Ada', fontSize: 60 }, /does not fit/],
      'with letters of no size': [{ rect: RECT, text: 'Ada', fontSize: 0 }, /not above zero/],
      'with text beyond all measure': [{ rect: RECT, text: 'x'.repeat(2001) }, /more than 2000/],
      'with letters the font has not': [{ rect: RECT, text: '山' }, /U\+5C71/],
      'with letters that need shaping': [{ rect: RECT, text: 'سلام' }, /U\+0633/],
      'with signs that turn the text round': [{ rect: RECT, text: 'Ada\u202Eadevol' }, /U\+202E/],
      'with an image that is none': [
        { rect: RECT, image: Buffer.from('GIF89a') },
        /not a PNG or JPEG/,
      ],
      'with a broken PNG': [{ rect: RECT, image: arrow().subarray(0, 60) }, /not a PNG or JPEG/],
      'with an image beyond all measure': [
        { rect: RECT, image: hugePng() },
        /more than 4000000 pixels/,
      ],
      'with a PNG that is interlaced': [{ rect: RECT, image: interlaced() }, /interlaced/],
      'on a page before the first': [{ page: 0, rect: RECT, text: 'Ada' }, /no page 0/],
    }
    for (const [what, [appearance, reason]] of Object.entries(REFUSED)) {
      it(what, () => refuses(BLANK, appearance, reason))
    }
  })

  function prepare(document: Buffer, appearance: PdfAppearance) {
    return pades.prepareDocument(document, {
      ...{
        level: 'B-B',
        envelope: 'Revision',
        algorithm: ALGORITHM,
        signatory: pki.signer('p-256'),
      },
      ...{ signingTime: new Date(), signedProperties: [], referenceUri: null, appearance },
    })
  }

  async function sign(document: Buffer, appearance: PdfAppearance): Promise<Buffer> {
    const prepared = await prepare(document, appearance)
    const value = pki.signer('p-256').sign(prepared.toBeSigned, ALGORITHM)
    return (await prepared.complete(value, pki)).bytes
  }

  async function refuses(document: Buffer, appearance: PdfAppearance, reason: RegExp) {
    await assert.rejects(prepare(document, appearance), (error) => {
      assert.ok(error instanceof UnfitDocumentError)
      assert.match(error.message, reason)
      return true
    })
  }
})

function blank(page: string): Buffer {
  return onePagePdf({ page, objects: { 4: '<</Length 0>>\nstream\n\nendstream' } })
}

/** PNG: black above, grey below. */
function arrow(): Buffer {
  const canvas = createCanvas(20, 20)
  const context = canvas.getContext('2d')
  context.fillStyle = 'black'
  context.fillRect(0, 0, 20, 10)
  context.fillStyle = 'rgb(128, 128, 128)'
  context.fillRect(0, 10, 20, 10)
  return canvas.toBuffer('image/png')
}

/** Black, 2 by 2, a bit a pixel. */
const ONE_BIT_PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAIAAAACAQAAAABazTCJAAAADElEQVR4nGNgYGAAAAAEAAH2FzhVAAAAAElFTkSuQmCC',
  'base64',
)

function interlaced(): Buffer {
  const png = arrow()
  png.writeUInt8(1, 28)
  return png
}

/** Says that it is large; nobody is to find out whether it is. */
function hugePng(): Buffer {
  const png = arrow()
  png.writeUInt32BE(60_000, 16)
  png.writeUInt32BE(60_000, 20)
  return png
}

interface Ink {
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

/** What is drawn on a page, a pixel for each point. */
async function pixels(pdf: Buffer, page = 1) {
  const image = await loadImage(drawnPage(pdf, page))
  const { width, height } = image
  const context = createCanvas(width, height).getContext('2d')
  context.drawImage(image, 0, 0)
  const { data } = context.getImageData(0, 0, width, height)
  const points = Array.from({ length: width * height }, (_, at) => ({
    ...{ x: at % width, y: Math.floor(at / width), shade: data[at * 4] ?? 255 },
  }))
  const dark = points.filter(({ shade }) => shade < 200)
  assert.ok(dark.length > 0, 'nothing is drawn')
  const ink: Ink = {
    left: Math.min(...dark.map(({ x }) => x)),
    right: Math.max(...dark.map(({ x }) => x)),
    top: Math.min(...dark.map(({ y }) => y)),
    bottom: Math.max(...dark.map(({ y }) => y)),
  }
  const centreOf = (colour: 'black' | 'grey') => {
    const own = dark.filter(({ shade }) => (colour === 'black') === shade < 60)
    const mean = (values: number[]) => values.reduce((sum, one) => sum + one, 0) / values.length
    return { x: mean(own.map(({ x }) => x)), y: mean(own.map(({ y }) => y)) }
  }
  return { width, height, ink, centreOf }
}

function assertWithin(ink: Ink, { x, y, width, height }: PdfRectangle, pageHeight: number): void {
  const inside =
    ink.left >= x - 1 &&
    ink.right <= x + width + 1 &&
    ink.bottom <= pageHeight - y + 1 &&
    ink.top >= pageHeight - y - height - 1
  assert.ok(inside, JSON.stringify(ink))
}
