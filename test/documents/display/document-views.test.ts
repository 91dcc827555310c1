import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadImage, createCanvas } from '@napi-rs/canvas'
import {
  DocumentViews,
  FIRST_PAGE,
  type DocumentView,
  type Place,
} from '../../../src/documents/display/document-views.js'
import type { DepositedDocument } from '../../../src/documents/deposits.js'
import { OverloadedError } from '../../../src/errors.js'
import { IsolatedProcesses } from '../../../src/isolation/isolated-processes.js'
import { writtenPdf, type WrittenPdf } from '../../support/written-pdf.js'

describe('Documents as signers see them', () => {
  const isolated = new IsolatedProcesses({ processes: 1, seconds: 120, addons: true })
  const views = new DocumentViews({ isolated })
  after(() => isolated.close())

  let number = 0
  function look(content: Buffer, place: Place = FIRST_PAGE): Promise<DocumentView | null> {
    const document = { content, label: null, digest: String(number++) }
    return views.look(document as unknown as DepositedDocument, place)
  }

  async function pdf(content: Buffer, place?: Place) {
    const view = await look(content, place)
    assert.ok(view?.kind === 'pdf', JSON.stringify(view))
    return view
  }

  const why = async (content: Buffer) => {
    const view = await look(content)
    return view?.kind === 'unshowable' ? view.why : view?.kind
  }

  /** How much of a picture is not white. */
  async function ink(picture: Buffer): Promise<number> {
    const image = await loadImage(picture)
    const context = createCanvas(image.width, image.height).getContext('2d')
    context.drawImage(image, 0, 0)
    const { data } = context.getImageData(0, 0, image.width, image.height)
    return data.filter((value, index) => index % 4 === 0 && value < 128).length
  }

  it('are drawn page by page, with the text of each, also in fonts they do not bring along', async () => {
    const content = writtenPdf({ pages: ['first page', 'second page'] })
    const first = await pdf(content)
    assert.deepEqual([first.pages, first.width, first.height], [2, 1200, 800])
    assert.equal(first.text.trim(), 'first page')
    assert.ok((await ink(first.picture)) > 1000)
    const second = await pdf(content, { page: 2, zoom: 2 })
    assert.deepEqual([second.width, second.text.trim()], [1800, 'second page'])
    assert.equal(await look(content, { page: 3, zoom: 1 }), null)
  })

  const active: [string, WrittenPdf][] = [
    ['javascript', { catalog: '/OpenAction << /S /JavaScript /JS (while \\(true\\);) >>' }],
    [
      'javascript',
      { page: '/AA << /O << /S /JavaScript /JS 20 0 R >> >>', objects: { 20: '(x)' } },
    ],
    [
      'launch',
      {
        page: '/Annots [20 0 R]',
        objects: {
          20: '<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] /A << /S /Launch /F (x.exe) >> >>',
        },
      },
    ],
    ['submission', { catalog: '/OpenAction << /S /SubmitForm /F (http://example.com) >>' }],
    ['embedded-files', { catalog: '/Names << /EmbeddedFiles << /Names [] >> >>' }],
    ['dynamic-form', { catalog: '/AcroForm << /XFA (x) /Fields [] >>' }],
    ['layers', { catalog: '/OCProperties << /OCGs [] /D << >> >>' }],
    [
      'external-content',
      { objects: { 20: '<< /F (x) /Length 0 >>\nstream\n\nendstream' }, page: '/X 20 0 R' },
    ],
  ]
  for (const [kind, parts] of active) {
    it(`are shown with a warning of what they contain, and nothing of it happens: ${kind}`, async () => {
      const view = await pdf(writtenPdf(parts))
      assert.deepEqual(view.active, [kind])
      assert.equal(view.text.trim(), 'Lease of the flat')
    })
  }

  it('have no warning where there is nothing to warn of', async () => {
    assert.deepEqual((await pdf(writtenPdf())).active, [])
  })

  it('with a name to hide behind are found out: names may be written in hexadecimal', async () => {
    const view = await pdf(writtenPdf({ catalog: '/OpenAction << /S /Java#53cript /#4aS (x) >>' }))
    assert.deepEqual(view.active, ['javascript'])
  })

  it('behind a password cannot be shown, which is said; with an empty one they can', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'openrssp-pdf-'))
    try {
      const file = join(folder, 'plain.pdf')
      writeFileSync(file, writtenPdf())
      const encrypted = (password: string) => {
        const out = join(folder, 'out.pdf')
        execFileSync('qpdf', ['--encrypt', password, 'owner', '256', '--', file, out])
        return readFileSync(out)
      }
      assert.equal(await why(encrypted('secret')), 'password')
      assert.equal((await pdf(encrypted(''))).text.trim(), 'Lease of the flat')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('that are damaged cannot be shown, whatever is wrong with them', async () => {
    assert.equal(await why(Buffer.from('%PDF-1.7\nnothing else')), 'damaged')
    assert.equal(await why(Buffer.from(`%PDF-1.7\n${'1 0 obj <<'.repeat(50)}`)), 'damaged')
    const noPages = writtenPdf().toString('latin1').replace('/Pages 2 0 R', '/Pages 9 0 R')
    assert.equal(await why(Buffer.from(noPages, 'latin1')), 'damaged')
  })

  it('of absurd size are drawn as large as a picture may be', async () => {
    const wide = await pdf(writtenPdf({ mediaBox: '[0 0 14400 3]' }), { page: 1, zoom: 3 })
    assert.ok(wide.width <= 2700 && wide.height >= 1, `${wide.width} × ${wide.height}`)
    const high = await pdf(writtenPdf({ mediaBox: '[0 0 3 14400]' }), { page: 1, zoom: 3 })
    assert.ok(high.height <= 8000 && high.width >= 1, `${high.width} × ${high.height}`)
  })

  it('that would take for ever are given up', async () => {
    const form =
      '<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 21 0 R >> >> /Length 50 >>\nstream\n'
    const body = '/X Do '.repeat(40)
    const level = (next: number) =>
      form.replace('21 0 R', `${next} 0 R`).replace('/Length 50', `/Length ${body.length}`) +
      `${body}\nendstream`
    // Each of eight forms draws the next one forty times.
    const objects = Object.fromEntries(
      Array.from({ length: 8 }, (_, index) => [20 + index, level(21 + index)]),
    )
    const bomb = writtenPdf({
      objects: {
        ...objects,
        28: '<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Length 0 >>\nstream\n\nendstream',
      },
      content: '/X Do',
      page: '/Resources << /XObject << /X 20 0 R >> >>',
    })
    const asked = bomb.toString('latin1').replaceAll('/Resources << /Font << /F1 3 0 R >> >>', '')
    const hurried = new IsolatedProcesses({ processes: 1, seconds: 2, addons: true })
    const document = { content: Buffer.from(asked, 'latin1'), label: null, digest: 'bomb' }
    const view = await new DocumentViews({ isolated: hurried }).look(
      document as unknown as DepositedDocument,
      FIRST_PAGE,
    )
    await hurried.close()
    assert.deepEqual(view, { kind: 'unshowable', why: 'too-much' })
  })

  it('are not drawn when too many are, and that is said', async () => {
    const busy = new DocumentViews({
      isolated: { run: () => Promise.reject(new OverloadedError('busy', 1)) },
    })
    const document = { content: writtenPdf(), label: null, digest: 'x' }
    assert.deepEqual(await busy.look(document as unknown as DepositedDocument, FIRST_PAGE), {
      ...{ kind: 'unshowable', why: 'busy' },
    })
  })

  it('are what their bytes say, and never text when a viewer would open them as PDF', async () => {
    const kinds: [Buffer, string | undefined][] = [
      [Buffer.from('plain'), 'text'],
      [Buffer.from('{"json": true}'), 'text'],
      [Buffer.from('<script>alert(1)</script>'), 'text'],
      [Buffer.from([0xff, 0xfe, 0x41, 0x00]), 'other-kind'],
      [Buffer.from('PK\u0003\u0004\0'), 'other-kind'],
      [Buffer.from([0x80]), 'other-kind'],
      [Buffer.concat([Buffer.from(`${' '.repeat(1000)}%PDF-1.7`)]), 'damaged'],
    ]
    for (const [content, kind] of kinds) assert.equal(await why(content), kind, String(content))
  })

  it('of text are shown in pages that make up the whole, and cut no character in two', async () => {
    const text = '𝄞'.repeat(25_000)
    const content = Buffer.from(`x${text}`)
    const pages: string[] = []
    for (let page = 1; page <= 3; page += 1) {
      const view = await look(content, { page, zoom: 1 })
      assert.ok(view?.kind === 'text' && view.pages === 3)
      assert.doesNotMatch(view.text, /\p{Cs}/u)
      pages.push(view.text)
    }
    assert.equal(pages.join(''), `x${text}`)
    assert.equal(await look(content, { page: 4, zoom: 1 }), null)
  })
})
