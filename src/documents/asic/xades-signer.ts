import { UnfitDocumentError } from '../../errors.js'
import type { SignatureParameters, SignedProperty } from '../ades.js'
import { Xades } from '../xades/xades.js'
import type { ContainerSigner, PreparedFiles } from './asic.js'
import { dataFiles, fileNamed, numberedName, type Container } from './container.js'
import { openDocumentManifest } from './manifests.js'

const SIGNATURES_OF_ONE = 'META-INF/signatures.xml'
const MANIFEST = 'META-INF/manifest.xml'

/** XAdES signatures in containers, which name all files themselves. @see EN 319 162-1, 4.3.3.3 and 4.4.3.2 */
export class XadesSigner implements ContainerSigner {
  readonly format = 'X'
  readonly #xades = new Xades()

  unfitProperties(properties: readonly SignedProperty[]): readonly string[] {
    return this.#xades.unfitProperties(properties)
  }

  async prepare(container: Container, parameters: SignatureParameters): Promise<PreparedFiles> {
    const { type } = container
    const files = dataFiles(container)
    if (type === 'ASiC-S' && (files.length !== 1 || container.files.length > 1)) {
      throw new UnfitDocumentError('An ASiC-S container takes one signature of this format')
    }
    const subjects = files.map((file) => ({ ...file, mediaType: null }))
    const prepared = await this.#xades.prepareContainer(subjects, parameters)
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
