import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readZip, writeZip, type ZipEntry } from '../../src/documents/asic/zip.js'
import { examined, verdicts } from './examined.js'

const FILES = join(import.meta.dirname, 'dss')
const read = (name: string) => readFileSync(join(FILES, name))
/** When DSS made them. */
const NOW = new Date('2026-11-22T16:00:00Z')
const SIMPLE = 'asic-cades-B.asics'

const examine = (document: Buffer) =>
  examined(document, [read('root.der')], {
    material: {
      certificates: [read('issuing.der')],
      crls: [read('root.crl'), read('issuing.crl')],
      ocspResponses: [],
    },
    now: NOW,
  })

/** What becomes of a container after its files were changed. */
async function changed(change: (files: ZipEntry[]) => ZipEntry[], name = SIMPLE) {
  return examine(await writeZip(change(await readZip(read(name))), NOW))
}

const named = (files: readonly ZipEntry[], from: string, to: Partial<ZipEntry>) =>
  files.map((each) => (each.name === from ? { ...each, ...to } : each))

describe('Signatures in containers', () => {
  it('pass in a container as it should be', async () => {
    assert.deepEqual(verdicts(await changed((files) => files)), ['TOTAL-PASSED'])
  })

  it('fail where the container says that it has a manifest, and has none', async () => {
    const type = Buffer.from('application/vnd.etsi.asic-e+zip')
    const found = await changed((files) => named(files, 'mimetype', { bytes: type }))
    assert.deepEqual(verdicts(found), ['TOTAL-FAILED/FORMAT_FAILURE: manifest-missing'])
  })

  it('fail where the manifest goes by the name of one for timestamps', async () => {
    const from = 'META-INF/ASiCManifest001.xml'
    const name = 'META-INF/ASiCArchiveManifest9.xml'
    const found = await changed((files) => named(files, from, { name }), 'asic-cades-LTA.asice')
    assert.equal(found.indication, 'TOTAL-FAILED')
  })

  it('fail where two manifests say that they are what was signed', async () => {
    const again = 'META-INF/ASiCManifest002.xml'
    const found = await changed(
      (files) => [
        ...files,
        ...files
          .filter(({ name }) => name === 'META-INF/ASiCManifest001.xml')
          .map(({ bytes }) => ({ name: again, bytes })),
      ],
      'asic-cades-LTA.asice',
    )
    assert.deepEqual(verdicts(found), ['TOTAL-FAILED/FORMAT_FAILURE: manifest-missing'])
  })

  it('fail in a simple container of two files', async () => {
    const found = await changed((files) => [...files, { name: 'b.txt', bytes: Buffer.from('b') }])
    assert.equal(found.indication, 'TOTAL-FAILED')
  })

  it('pass beside what should be a timestamp and is none; the container does not', async () => {
    const stamp = { name: 'META-INF/timestamp.tst', bytes: Buffer.from('x') }
    const found = await changed((files) => [...files, stamp])
    assert.deepEqual([verdicts(found), found.indication], [['TOTAL-PASSED'], 'INDETERMINATE'])
  })

  it('are not looked for under other names than the standard has', async () => {
    const lower = 'meta-inf/signature.p7s'
    const found = await changed((files) => named(files, 'META-INF/signature.p7s', { name: lower }))
    assert.deepEqual([found.signatures, found.indication], [[], null])
  })

  it('do not pass in a container that is damaged', async () => {
    const bytes = read(SIMPLE)
    const at = bytes.indexOf('application/vnd')
    assert.ok(at > 0)
    bytes.write('A', at)
    const { indication, findings } = await examine(bytes)
    assert.deepEqual([indication, findings[0]?.code], ['TOTAL-FAILED', 'document-unreadable'])
  })
})
