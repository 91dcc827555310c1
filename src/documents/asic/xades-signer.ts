import { UnfitDocumentError } from '../../errors.js'
import type { SignatureParameters, SignedProperty } from '../ades.js'
import { Xades } from '../xades/xades.js'
import type { ContainerSigner, PreparedFiles } from './asic.js'
import { dataFiles, fileNamed, numberedName, type Container } from './container.js'
import { openDocumentManifest } from './manifests.js'
import type { ZipEntry } from './zip.js'

const SIGNATURES_OF_ONE = 'META-INF/signatures.xml'
const MANIFEST = 'META-INF/manifest.xml'

/**
 * XAdES signatures in containers, which name all files themselves. Those of an ASiC-S container stand in one file.
 * @see EN 319 162-1, 4.3.3.3 and 4.4.3.2
 */
export class XadesSigner implements ContainerSigner {
  readonly format = 'X'
  readonly #xades = new Xades()

  unfitProperties(properties: readonly SignedProperty[]): readonly string[] {
    return this.#xades.unfitProperties(properties)
  }

  async prepare(container: Container, parameters: SignatureParameters): Promise<PreparedFiles> {
    const { type } = container
    const files = dataFiles(container)
    const existing = type === 'ASiC-S' ? fileNamed(container, SIGNATURES_OF_ONE) : null
    if (type === 'ASiC-S') rejectOthers(container, existing)
    const subjects = files.map((file) => ({ ...file, mediaType: null }))
    const prepared = await this.#xades.prepareContainer(
      subjects,
      parameters,
      existing?.bytes ?? null,
    )
    const name =
      type === 'ASiC-S' ? SIGNATURES_OF_ONE : numberedName(container, 'signatures', 'xml')
    const lacksManifest = type === 'ASiC-E' && fileNamed(container, MANIFEST) === null
    return {
      toBeSigned: prepared.toBeSigned,
      complete: async (value, sources) => [
        ...(lacksManifest ? [{ name: MANIFEST, bytes: openDocumentManifest(type, files) }] : []),
        { name, bytes: (await prepared.complete(value, sources)).bytes },
      ],
    }
  }
}

/** @throws {UnfitDocumentError} unless there is one file, with signatures of this format or none */
function rejectOthers(container: Container, signatures: ZipEntry | null): void {
  if (dataFiles(container).length !== 1) {
    throw new UnfitDocumentError('An ASiC-S container has one file to sign')
  }
  if (container.files.length > (signatures ? 2 : 1)) {
    throw new UnfitDocumentError('The container has signatures of another format')
  }
}
