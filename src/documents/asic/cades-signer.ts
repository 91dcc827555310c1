import { UnfitDocumentError } from '../../errors.js'
import type { HashAlgorithm } from '../../keys/algorithms.js'
import { digestOf } from '../../keys/digest.js'
import type {
  PreparedSignature,
  ProofSources,
  SignatureParameters,
  SignedProperty,
} from '../ades.js'
import { Cades } from '../cades/cades.js'
import type { ContainerSigner, PreparedFiles } from './asic.js'
import { dataFiles, fileNamed, numberedName, withFiles, type Container } from './container.js'
import { asicManifest } from './manifests.js'
import type { ZipEntry } from './zip.js'

const SIGNATURE_OF_ONE = 'META-INF/signature.p7s'
const ARCHIVE_MANIFEST = 'META-INF/ASiCArchiveManifest.xml'
const PKCS7_SIGNATURE = 'application/pkcs7-signature'
const TIMESTAMP_TOKEN = 'application/vnd.etsi.timestamp-token'

/** CAdES signatures in containers: over the document itself, or over a manifest that names all files. */
export class CadesSigner implements ContainerSigner {
  readonly format = 'C'
  readonly #cades = new Cades()

  unfitProperties(properties: readonly SignedProperty[]): readonly string[] {
    return this.#cades.unfitProperties(properties)
  }

  prepare(container: Container, parameters: SignatureParameters): Promise<PreparedFiles> {
    return container.type === 'ASiC-S'
      ? this.#prepareForOne(container, parameters)
      : this.#prepareForAll(container, parameters)
  }

  /** @see EN 319 162-1, 4.3.3.2 */
  async #prepareForOne(
    container: Container,
    parameters: SignatureParameters,
  ): Promise<PreparedFiles> {
    const { bytes: document } = onlyDataFile(container)
    const existing = fileNamed(container, SIGNATURE_OF_ONE)
    if (existing === null && container.files.length > 1) {
      throw new UnfitDocumentError('The container has signatures of another format')
    }
    const prepared = existing
      ? await this.#cades.prepareBeside(existing.bytes, document, parameters)
      : await this.#cades.prepareDocument(document, { ...parameters, envelope: 'Detached' })
    return {
      toBeSigned: prepared.toBeSigned,
      complete: async (value, sources) => [
        { name: SIGNATURE_OF_ONE, bytes: (await prepared.complete(value, sources)).bytes },
      ],
    }
  }

  /** @see EN 319 162-1, 4.4.4.2 */
  async #prepareForAll(
    container: Container,
    parameters: SignatureParameters,
  ): Promise<PreparedFiles> {
    const { hash } = parameters.algorithm
    const name = numberedName(container, 'signature', 'p7s')
    const proof = { name, mediaType: PKCS7_SIGNATURE }
    const files = dataFiles(container)
    if (files.length === 0) throw new UnfitDocumentError('The container has no files to sign')
    const manifest = {
      name: numberedName(container, 'ASiCManifest', 'xml'),
      bytes: asicManifest({ proof, files, hash }),
    }
    const isArchived = parameters.level === 'B-LTA'
    const prepared = await this.#cades.prepareDocument(manifest.bytes, {
      ...{ ...parameters, envelope: 'Detached' },
      level: isArchived ? 'B-LT' : parameters.level,
    })
    return {
      toBeSigned: prepared.toBeSigned,
      complete: async (value, sources) => {
        const signature = await signatureFile(name, prepared, value, sources)
        const signed = [manifest, signature]
        return isArchived
          ? [...signed, ...(await archiveFiles(withFiles(container, signed), hash, sources))]
          : signed
      },
    }
  }
}

async function signatureFile(
  name: string,
  prepared: PreparedSignature,
  value: Buffer,
  sources: ProofSources,
): Promise<ZipEntry> {
  return { name, bytes: (await prepared.complete(value, sources)).bytes }
}

/**
 * A timestamp over a manifest of everything in the container, as an archive timestamp inside the
 * signature would not reach the files behind its manifest. @see EN 319 162-1, A.7
 */
async function archiveFiles(
  container: Container,
  hash: HashAlgorithm,
  sources: ProofSources,
): Promise<ZipEntry[]> {
  const earlier = fileNamed(container, ARCHIVE_MANIFEST)
  const renamed = earlier && {
    name: numberedName(container, 'ASiCArchiveManifest', 'xml'),
    bytes: earlier.bytes,
  }
  const others = container.files.filter((file) => file !== earlier)
  const name = numberedName(container, 'timestamp', 'tst')
  const bytes = asicManifest({
    ...{ hash, rootFile: renamed?.name },
    proof: { name, mediaType: TIMESTAMP_TOKEN },
    files: renamed ? [...others, renamed] : others,
  })
  const digest = digestOf(hash, bytes)
  return [
    ...(renamed ? [renamed] : []),
    { name: ARCHIVE_MANIFEST, bytes },
    { name, bytes: await sources.timestamp(digest, hash) },
  ]
}

function onlyDataFile(container: Container): ZipEntry {
  const [file, another] = dataFiles(container)
  if (!file || another) throw new UnfitDocumentError('An ASiC-S container has one file to sign')
  return file
}
