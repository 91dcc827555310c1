import { strict as assert } from 'node:assert'
import { crc32 } from 'node:zlib'
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
const AT = {
  flags: 8,
  packed: 20,
  unpacked: 24,
  nameLength: 28,
  extraLength: 30,
  start: 42,
  name: 46,
}
const END_AT = { here: 8, total: 10, size: 12, start: 16 }
const LOCAL_ENTRY = Buffer.from('504b0304', 'hex')
/** Offsets in what stands before a file. @see APPNOTE 4.3.7 */
const LOCAL_AT = { method: 8, packed: 18, name: 30 }

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

  it('refuses archives in which other readers find other files', async () => {
    const honest = await packed(10)
    const first = honest.indexOf(LOCAL_ENTRY, 4)
    const hidden = Buffer.from(
      '504b03040a0000000000000000000000000000000000000000000100000078',
      'hex',
    )
    const paths = ['zeros', 'other'].map((name) => {
      const field = Buffer.from(`up\0\0\x01\0\0\0\0${name}`, 'latin1')
      field.writeUInt16LE(field.length - 4, 2)
      field.writeUInt32LE(crc32('zeros'), 5)
      return field
    })
    const [same = hidden, other = hidden] = paths
    assert.equal((await readZip(honest)).length, 2)
    assert.equal((await readZip(withExtra(honest, same))).length, 2)
    const attacks = {
      'a file that the directory does not have': inserted(honest, first, hidden),
      'one more behind the last file': inserted(honest, honest.indexOf(CENTRAL_ENTRY), hidden),
      'another name for readers of UTF-8': withExtra(honest, other),
      'another name before the file': overwritten(honest, first + LOCAL_AT.name, 'o'),
      'other packing before the file': overwritten(honest, first + LOCAL_AT.method, '\0'),
      'another size before the file': overwritten(honest, first + LOCAL_AT.packed, '\x01'),
    }
    for (const [what, archive] of Object.entries(attacks)) {
      await assert.rejects(readZip(archive), /different files/, what)
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

/** With more bytes at a place, and a directory that knows of it. */
function inserted(archive: Buffer, place: number, more: Buffer): Buffer {
  const result = Buffer.concat([archive.subarray(0, place), more, archive.subarray(place)])
  const end = result.lastIndexOf(END)
  const directory = archive.readUInt32LE(archive.lastIndexOf(END) + END_AT.start)
  result.writeUInt32LE(directory + more.length, end + END_AT.start)
  const entry = result.lastIndexOf(CENTRAL_ENTRY)
  const start = result.readUInt32LE(entry + AT.start)
  if (start >= place) result.writeUInt32LE(start + more.length, entry + AT.start)
  return result
}

/** With an extra field for the last entry of the directory. */
function withExtra(archive: Buffer, field: Buffer): Buffer {
  const end = archive.lastIndexOf(END)
  const result = Buffer.concat([archive.subarray(0, end), field, archive.subarray(end)])
  result.writeUInt16LE(field.length, result.lastIndexOf(CENTRAL_ENTRY) + AT.extraLength)
  const size = archive.readUInt32LE(end + END_AT.size) + field.length
  result.writeUInt32LE(size, result.lastIndexOf(END) + END_AT.size)
  return result
}

function overwritten(archive: Buffer, at: number, by: string): Buffer {
  const result = Buffer.from(archive)
  result.write(by, at, 'latin1')
  return result
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
