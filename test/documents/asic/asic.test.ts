import { strict as assert } from 'node:assert'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import type {
  AdesSignature,
  ConformanceLevel,
  EnvelopeProperty,
  SignatureParameters,
} from '../../../src/documents/ades.js'
import { Asic } from '../../../src/documents/asic/asic.js'
import { CadesSigner } from '../../../src/documents/asic/cades-signer.js'
import { dataFiles, readContainer } from '../../../src/documents/asic/container.js'
import type { ContainerType } from '../../../src/documents/asic/container-type.js'
import { XadesSigner } from '../../../src/documents/asic/xades-signer.js'
import { readZip, writeZip, type ZipEntry } from '../../../src/documents/asic/zip.js'
import { readXades } from '../../../src/documents/xades/xades-reader.js'
import { InvalidParameterError, UnfitDocumentError } from '../../../src/errors.js'
import { HASH_ALGORITHMS } from '../../../src/keys/algorithms.js'
import { parsedSignedData, signerInfos } from '../../support/cms.js'
import { SigningPki } from '../../support/signing-pki.js'

const DOCUMENT = Buffer.from('%PDF-1.7 I owe you ten euros.\n')
const SIGNING_TIME = new Date('2026-11-22T10:11:12.345Z')

describe('ASiC', () => {
  let pki: SigningPki
  before(() => (pki = new SigningPki()))
  after(() => pki.close())

  for (const type of ['ASiC-S', 'ASiC-E'] as const) {
    describe(type, () => {
      it('begins with its media type, neither packed nor extended, at a known place', async () => {
        const { bytes, holdsDocument } = await sign(DOCUMENT, { type })
        assert.equal(holdsDocument, true)
        const mediaType = `application/vnd.etsi.asic-${type.at(-1)?.toLowerCase()}+zip`
        assert.equal(bytes.subarray(30, 38).toString(), 'mimetype')
        assert.equal(bytes.subarray(38, 38 + mediaType.length).toString(), mediaType)
        assert.equal(bytes.readUInt16LE(8), 0, 'stored')
        assert.equal(bytes.readUInt16LE(28), 0, 'no extra field')
      })

      it('is an archive that other programs open', async () => {
        const { bytes } = await sign(DOCUMENT, { type })
        writeFileSync(pki.path('container.zip'), bytes)
        const script = 'import sys,zipfile;print(zipfile.ZipFile(sys.argv[1]).testzip())'
        const bad = execFileSync('python3', ['-c', script, pki.path('container.zip')])
        assert.equal(bad.toString().trim(), 'None')
      })

      it('calls the document as it was told, and refuses names that lead elsewhere', async () => {
        const { bytes } = await sign(DOCUMENT, { type, referenceUri: 'März & Co.pdf' })
        assert.ok((await names(bytes)).includes('März & Co.pdf'))
        const unfit = [
          ...['', '/etc/passwd', '../x', 'a/../b', './x', 'a//b', 'a/', 'C:\\x', 'a\u0000b'],
          ...['mimetype', 'META-INF/signature.p7s', 'meta-inf/x', 'http://a.example/b', '..'],
          'x'.repeat(201),
        ]
        for (const referenceUri of unfit) {
          await assert.rejects(sign(DOCUMENT, { type, referenceUri }), UnfitDocumentError)
        }
      })

      it('has folders only where the format knows them', async () => {
        const signing = sign(DOCUMENT, { type, referenceUri: 'bills/a.pdf' })
        if (type === 'ASiC-S') await assert.rejects(signing, /stands in no folder/)
        else assert.ok((await names((await signing).bytes)).includes('bills/a.pdf'))
      })

      it('is nothing for a digest, nor for other envelopes', async () => {
        const asic = new Asic(new CadesSigner(), type)
        await assert.rejects(asic.prepareDigest(), InvalidParameterError)
        for (const envelope of ['Attached', 'Enveloped'] as const) {
          await assert.rejects(sign(DOCUMENT, { type, envelope }), InvalidParameterError)
        }
      })

      it('takes a second signature only as a container of its type', async () => {
        const other = type === 'ASiC-S' ? 'ASiC-E' : 'ASiC-S'
        const { bytes } = await sign(DOCUMENT, { type: other })
        for (const document of [bytes, DOCUMENT, Buffer.alloc(0), await plainZip()]) {
          await assert.rejects(
            sign(document, { type, envelope: 'Parallel' }),
            new UnfitDocumentError(`The document is no ${type} container`),
          )
        }
      })
    })
  }

  describe('ASiC-S with CAdES', () => {
    it('has a detached signature over the document, which openssl verifies', async () => {
      for (const level of ['B-B', 'B-LTA'] as const) {
        const { bytes } = await sign(DOCUMENT, { type: 'ASiC-S', level })
        assert.deepEqual(await names(bytes), ['mimetype', 'document.pdf', 'META-INF/signature.p7s'])
        const signature = await file(bytes, 'META-INF/signature.p7s')
        assert.deepEqual(pki.opensslCms(signature, DOCUMENT), DOCUMENT)
        assert.equal(pki.opensslCms(signature, Buffer.from('other')), null)
      }
    })

    it('takes a second signer into the same signature', async () => {
      const { bytes: first } = await sign(DOCUMENT, { type: 'ASiC-S' })
      const { bytes } = await sign(first, { type: 'ASiC-S', envelope: 'Parallel', name: 'second' })
      const signature = await file(bytes, 'META-INF/signature.p7s')
      assert.equal(signerInfos(signature).length, 2)
      assert.equal(parsedSignedData(signature).certificates.length, 3)
      assert.deepEqual(pki.opensslCms(signature, DOCUMENT), DOCUMENT)
    })

    it('refuses what is no detached signature over one file', async () => {
      const { bytes } = await sign(DOCUMENT, { type: 'ASiC-S' })
      const files = await readZip(bytes)
      const [mimetype, document, signature] = files
      assert.ok(mimetype && document && signature)
      const broken = { ...signature, bytes: Buffer.from('no CMS') }
      const refused: readonly ZipEntry[][] = [
        [mimetype],
        [mimetype, document, broken],
        [mimetype, document, { ...document, name: 'second.pdf' }, signature],
        [mimetype, document, { ...signature, name: 'META-INF/signatures.xml' }],
      ]
      for (const entries of refused) {
        const container = await writeZip(entries, SIGNING_TIME)
        await assert.rejects(
          sign(container, { type: 'ASiC-S', envelope: 'Parallel' }),
          UnfitDocumentError,
        )
      }
    })
  })

  describe('ASiC-E with CAdES', () => {
    it('has a signature over a manifest that names the document', async () => {
      const { bytes } = await sign(DOCUMENT, { type: 'ASiC-E', level: 'B-T' })
      assert.deepEqual(await names(bytes), [
        'mimetype',
        'document.pdf',
        'META-INF/ASiCManifest001.xml',
        'META-INF/signature001.p7s',
      ])
      const manifest = await file(bytes, 'META-INF/ASiCManifest001.xml')
      const signature = await file(bytes, 'META-INF/signature001.p7s')
      assert.deepEqual(pki.opensslCms(signature, manifest), manifest)
      assert.equal(
        manifest.toString(),
        `<?xml version="1.0" encoding="UTF-8"?>\n` +
          `<asic:ASiCManifest xmlns:asic="http://uri.etsi.org/02918/v1.2.1#"` +
          ` xmlns:ds="http://www.w3.org/2000/09/xmldsig#">` +
          `<asic:SigReference URI="META-INF/signature001.p7s"` +
          ` MimeType="application/pkcs7-signature"/>` +
          `<asic:DataObjectReference URI="document.pdf" MimeType="application/pdf">` +
          `<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>` +
          `<ds:DigestValue>${sha256(DOCUMENT).toString('base64')}</ds:DigestValue>` +
          `</asic:DataObjectReference></asic:ASiCManifest>`,
      )
    })

    it('takes further signatures with manifests of their own', async () => {
      const { bytes: first } = await sign(DOCUMENT, { type: 'ASiC-E' })
      const { bytes } = await sign(first, { type: 'ASiC-E', envelope: 'Parallel', name: 'second' })
      for (const number of ['001', '002']) {
        const manifest = await file(bytes, `META-INF/ASiCManifest${number}.xml`)
        const signature = await file(bytes, `META-INF/signature${number}.p7s`)
        assert.deepEqual(pki.opensslCms(signature, manifest), manifest)
        assert.ok(manifest.includes(sha256(DOCUMENT).toString('base64')))
      }
    })

    it('has a timestamp over a manifest of everything at B-LTA, each time again', async () => {
      const { bytes: first } = await sign(DOCUMENT, { type: 'ASiC-E', level: 'B-LTA' })
      const again = { type: 'ASiC-E', level: 'B-LTA', envelope: 'Parallel' } as const
      const { bytes } = await sign(first, again)
      const firstManifest = await file(first, 'META-INF/ASiCArchiveManifest.xml')
      const manifest = await file(bytes, 'META-INF/ASiCArchiveManifest.xml')
      assert.deepEqual(await file(bytes, 'META-INF/ASiCArchiveManifest001.xml'), firstManifest)
      const tokens = ['META-INF/timestamp001.tst', 'META-INF/timestamp002.tst']
      for (const [at, covered] of [firstManifest, manifest].entries()) {
        const token = await file(bytes, tokens[at] ?? '')
        assert.ok(covered.includes(`URI="${tokens[at]}"`))
        assert.ok(pki.opensslTimestamp(token, sha256(covered)))
      }
      for (const { name, bytes: content } of await readZip(bytes)) {
        const isItself = name === 'META-INF/ASiCArchiveManifest.xml' || name === tokens[1]
        if (name === 'mimetype' || isItself) continue
        const reference = `URI="${name}"`
        assert.ok(manifest.includes(reference), name)
        assert.ok(manifest.includes(sha256(content).toString('base64')), name)
      }
      const root = /URI="META-INF\/ASiCArchiveManifest001.xml" MimeType="[^"]*" Rootfile="true"/
      assert.match(manifest.toString(), root)
    })
  })

  describe('with XAdES', () => {
    it('has its signature over the document in META-INF', async () => {
      for (const [type, name] of [
        ['ASiC-S', 'META-INF/signatures.xml'],
        ['ASiC-E', 'META-INF/signatures001.xml'],
      ] as const) {
        const { bytes } = await sign(DOCUMENT, { type, format: 'X', level: 'B-T' })
        const signatures = (await file(bytes, name)).toString()
        assert.match(signatures, /^<\?xml [^>]*>\n<asic:XAdESSignatures /)
        assert.match(signatures, /<ds:Reference [^>]*URI="document.pdf"/)
        assert.ok(signatures.includes(sha256(DOCUMENT).toString('base64')))
        const manifest = type === 'ASiC-E' ? ['META-INF/manifest.xml'] : []
        assert.deepEqual(await names(bytes), ['mimetype', 'document.pdf', ...manifest, name])
      }
    })

    it('takes further signatures into ASiC-E', async () => {
      const { bytes: first } = await sign(DOCUMENT, { type: 'ASiC-E', format: 'X' })
      const { bytes } = await sign(first, { type: 'ASiC-E', format: 'X', envelope: 'Parallel' })
      const second = (await file(bytes, 'META-INF/signatures002.xml')).toString()
      assert.doesNotMatch(second, /URI="META-INF/)
    })

    it('takes further signatures into the one file of ASiC-S, which leave those before good', async () => {
      const more = { type: 'ASiC-S', format: 'X', envelope: 'Parallel' } as const
      const { bytes: first } = await sign(DOCUMENT, { type: 'ASiC-S', format: 'X', level: 'B-LTA' })
      const { bytes } = await sign(first, more)
      const name = 'META-INF/signatures.xml'
      assert.deepEqual(await names(bytes), ['mimetype', 'document.pdf', name])
      const signatures = await file(bytes, name)
      const [own, other] = readXades(signatures, { find: () => ({ bytes: DOCUMENT }) }).signatures
      for (const each of [own, other]) {
        assert.ok(each?.propertiesAreSigned)
        assert.ok(each.references.every(({ digestMatches }) => digestMatches === true))
      }
      assert.ok(own?.timestamps.every(({ imprintMatches }) => imprintMatches === true))
      assert.equal(own?.timestamps.length, 2)
      await assert.rejects(sign(first, { ...more, format: 'C' }), UnfitDocumentError)
      const [mimetype, document] = await readZip(first)
      assert.ok(mimetype && document)
      const foreign = { name, bytes: Buffer.from('<signatures/>') }
      const unfit = await writeZip([mimetype, document, foreign], SIGNING_TIME)
      await assert.rejects(sign(unfit, more), /a file of signatures that is none/)
    })
  })

  interface Wish {
    readonly type: ContainerType
    readonly format?: 'C' | 'X'
    readonly level?: ConformanceLevel
    readonly envelope?: EnvelopeProperty
    readonly referenceUri?: string
    readonly name?: string
  }

  async function sign(document: Buffer, wish: Wish): Promise<AdesSignature> {
    const signer = wish.format === 'X' ? new XadesSigner() : new CadesSigner()
    const asic = new Asic(signer, wish.type)
    const signatory = pki.signer('p-256', wish.name)
    const algorithm = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 } as const
    const parameters: SignatureParameters = {
      level: wish.level ?? 'B-B',
      envelope: wish.envelope ?? 'Detached',
      ...{ algorithm, signatory },
      signingTime: SIGNING_TIME,
      signedProperties: [],
      referenceUri: wish.referenceUri ?? null,
    }
    const prepared = await asic.prepareDocument(document, parameters)
    return prepared.complete(signatory.sign(prepared.toBeSigned, algorithm), pki)
  }
})

describe('readContainer', () => {
  it('gives the files, those of META-INF apart', async () => {
    const container = await readContainer(
      await zipOf('application/vnd.etsi.asic-e+zip', ['a.txt', 'META-INF/x.xml']),
      'ASiC-E',
    )
    assert.deepEqual(
      dataFiles(container).map(({ name }) => name),
      ['a.txt'],
    )
  })
})

async function names(container: Buffer): Promise<string[]> {
  return (await readZip(container)).map(({ name }) => name)
}

async function file(container: Buffer, name: string): Promise<Buffer> {
  const found = (await readZip(container)).find((entry) => entry.name === name)
  assert.ok(found, name)
  return found.bytes
}

function plainZip(): Promise<Buffer> {
  return writeZip([{ name: 'a.txt', bytes: DOCUMENT }], SIGNING_TIME)
}

function zipOf(mimetype: string, paths: readonly string[]): Promise<Buffer> {
  const files = paths.map((name) => ({ name, bytes: DOCUMENT }))
  return writeZip([{ name: 'mimetype', bytes: Buffer.from(mimetype) }, ...files], SIGNING_TIME)
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest()
}
