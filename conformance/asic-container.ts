import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { fromBufferPromise, type Entry } from 'yauzl'
import { verifyAdes, verifyCms, type Expected } from './ades-signature.js'
import { isBase64 } from './algorithms.js'
import { demand } from './expectations.js'
import { NotMet } from './outcome.js'

export type ContainerType = 'ASiC-S' | 'ASiC-E'

interface File {
  readonly name: string
  readonly bytes: Buffer
}

/**
 * Reads a container with one document, and verifies the signature in it (EN 319 162-1, 4.3 and 4.4).
 * @throws {NotMet}
 */
export async function verifyContainer(
  type: ContainerType,
  format: string,
  base64: string,
  expected: Expected,
): Promise<void> {
  demand(isBase64(base64), 'the container is not plain Base64')
  const files = await filesOf(Buffer.from(base64, 'base64'))
  const [first] = files
  const mediaType = `application/vnd.etsi.${type.toLowerCase()}+zip`
  demand(first?.name === 'mimetype', 'the first file is not "mimetype"')
  demand(first.bytes.toString() === mediaType, `the media type is not ${mediaType}`)
  const holds = files.some(({ bytes }) => bytes.equals(expected.document.bytes))
  demand(holds, 'the document is not in it')
  if (format === 'X') {
    const { bytes } = only(files, /^META-INF\/[^/]*signatures[^/]*\.xml$/i)
    verifyAdes('X', bytes.toString('base64'), { ...expected, byDigest: true })
    return
  }
  const { bytes } = only(files, /^META-INF\/[^/]*signature[^/]*\.p7s$/i)
  verifyCms(bytes, expected, type === 'ASiC-E' ? manifestDigest(files, expected) : undefined)
}

/** Of the manifest, which names the document by its digest. */
function manifestDigest(files: readonly File[], { document }: Expected): Buffer {
  const { bytes } = only(files, /^META-INF\/ASiCManifest[^/]*\.xml$/i)
  demand(bytes.includes(`>${document.base64}<`), 'the manifest has another digest')
  return createHash(document.hash.name).update(bytes).digest()
}

function only(files: readonly File[], name: RegExp): File {
  const [file, another] = files.filter((each) => name.test(each.name))
  demand(file !== undefined && !another, `there is not exactly one file ${name.source}`)
  return file
}

async function filesOf(archive: Buffer): Promise<File[]> {
  try {
    const zip = await fromBufferPromise(archive, { strictFileNames: true })
    const entries: Entry[] = []
    for await (const entry of zip.eachEntry()) entries.push(entry)
    const files: File[] = []
    for (const entry of entries) {
      const bytes = await buffer(await zip.openReadStreamPromise(entry))
      files.push({ name: entry.fileName, bytes })
    }
    return files
  } catch {
    throw new NotMet('it is no ZIP archive')
  }
}
