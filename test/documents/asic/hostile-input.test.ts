import { strict as assert } from 'node:assert'
import fc from 'fast-check'
import { Asic } from '../../../src/documents/asic/asic.js'
import { CadesSigner } from '../../../src/documents/asic/cades-signer.js'
import { readZip, writeZip } from '../../../src/documents/asic/zip.js'
import { UnfitDocumentError } from '../../../src/errors.js'
import { HASH_ALGORITHMS } from '../../../src/keys/algorithms.js'
import { mutated } from '../../support/mutated.js'
import { SigningPki } from '../../support/signing-pki.js'

const SIGNING_TIME = new Date('2026-11-22T10:11:12Z')
const CENTRAL_ENTRY = Buffer.from('504b0102', 'hex')
const END = Buffer.from('504b0506', 'hex')
/** Offsets in an entry of the central directory, and in its end. @see APPNOTE 4.3.12 and 4.3.16 */
const AT = { flags: 8, packed: 20, unpacked: 24, nameLength: 28, name: 46 }
const END_AT = { here: 8, total: 10, size: 12 }

describe('ASiC, given bytes of others', () => {
  const algorithm = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 } as const
  let pki: SigningPki
  let container: Buffer
  before(async () => {
    pki = new SigningPki()
    container = await signed('Detached', Buffer.from('I owe you ten euros.'))
  })
  after(() => pki.close())

  it('refuses what is no archive', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        await assert.rejects(signed('Parallel', Buffer.from(bytes)), UnfitDocumentError)
      }),
      { numRuns: 100 },
    )
  })

  it('takes a broken archive as far as it can be read, or refuses it', async () => {
    await fc.assert(
      fc.asyncProperty(mutated(container), async (bytes) => {
        const outcome = await signed('Parallel', bytes).catch((error: unknown) => error)
        if (outcome instanceof Error) assert.ok(outcome instanceof UnfitDocumentError, outcome)
      }),
      { numRuns: 150 },
    )
  })

  it('refuses an archive that says it unpacks to more than there is room for', async () => {
    const archive = changed(await packed(1000), (bytes, at) => {
      bytes.writeUInt32LE(2 ** 31, at + AT.unpacked)
    })
    await assert.rejects(readZip(archive), /Too large/)
  })

  it('stops where a file unpacks to more than its entry says', async () => {
    const archive = changed(await packed(1_000_000), (bytes, at) => {
      bytes.writeUInt32LE(10, at + AT.unpacked)
    })
    await assert.rejects(readZip(archive), /too many bytes|size/)
  })

  it('refuses files that share their bytes', async () => {
    await assert.rejects(readZip(withCopies(await packed(1_000_000), 100)), /Overlapping/)
  })

  it('refuses too many files', async () => {
    const archive = await packed(10)
    const end = archive.lastIndexOf(END)
    archive.writeUInt16LE(1001, end + END_AT.here)
    archive.writeUInt16LE(1001, end + END_AT.total)
    await assert.rejects(readZip(archive), /Too many files/)
  })

  it('refuses encrypted files, doubled names and names that lead elsewhere', async () => {
    const encrypted = changed(await packed(10), (bytes, at) => {
      bytes.writeUInt16LE(1, at + AT.flags)
    })
    await assert.rejects(readZip(encrypted), /Not readable/)
    const files = ['a.txt', 'A.TXT'].map((name) => ({ name, bytes: Buffer.from(name) }))
    await assert.rejects(readZip(await writeZip(files, SIGNING_TIME)), /twice/)
    for (const name of ['/etc', '../e', 'a\\b']) {
      const elsewhere = changed(await packed(10, 'x'.repeat(name.length)), (bytes, at) => {
        bytes.write(name, at + AT.name)
      })
      await assert.rejects(readZip(elsewhere))
    }
  })

  async function signed(envelope: 'Detached' | 'Parallel', document: Buffer): Promise<Buffer> {
    const signatory = pki.signer('p-256')
    const prepared = await new Asic(new CadesSigner(), 'ASiC-E').prepareDocument(document, {
      ...{ level: 'B-B', envelope, algorithm, signatory, signingTime: SIGNING_TIME },
      signedProperties: [],
      referenceUri: null,
    })
    const value = signatory.sign(prepared.toBeSigned, algorithm)
    return (await prepared.complete(value, pki)).bytes
  }
})

/** An archive of one small file, and one of that many zeros. */
function packed(size: number, name = 'zeros'): Promise<Buffer> {
  const files = [
    { name: 'mimetype', bytes: Buffer.alloc(1) },
    { name, bytes: Buffer.alloc(size) },
  ]
  return writeZip(files, SIGNING_TIME)
}

/** With the last entry of the central directory changed. */
function changed(archive: Buffer, change: (bytes: Buffer, at: number) => void): Buffer {
  change(archive, archive.lastIndexOf(CENTRAL_ENTRY))
  return archive
}

/** With the last entry so many times more, under other names. */
function withCopies(archive: Buffer, copies: number): Buffer {
  const end = archive.lastIndexOf(END)
  const entry = archive.subarray(archive.lastIndexOf(CENTRAL_ENTRY), end)
  const more = Array.from({ length: copies }, (_, number) => {
    const copy = Buffer.from(entry)
    copy.write(String(number).padStart(5, '0'), AT.name)
    return copy
  })
  const tail = Buffer.from(archive.subarray(end))
  tail.writeUInt16LE(tail.readUInt16LE(END_AT.here) + copies, END_AT.here)
  tail.writeUInt16LE(tail.readUInt16LE(END_AT.total) + copies, END_AT.total)
  tail.writeUInt32LE(tail.readUInt32LE(END_AT.size) + copies * entry.length, END_AT.size)
  return Buffer.concat([archive.subarray(0, end), ...more, tail])
}
