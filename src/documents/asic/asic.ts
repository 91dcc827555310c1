import type {
  AdesFormat,
  EnvelopeProperty,
  PreparedSignature,
  ProofSources,
  SignatureFormat,
  SignatureParameters,
  SignedProperty,
} from '../ades.js'
import { InvalidParameterError } from '../../errors.js'
import { mediaTypeOf } from '../xades/media-type.js'
import {
  readContainer,
  rejectUnfitName,
  withFiles,
  writeContainer,
  type Container,
} from './container.js'
import type { ContainerType } from './container-type.js'
import type { ZipEntry } from './zip.js'

/** How signatures of one format go into containers. */
export interface ContainerSigner {
  readonly format: SignatureFormat
  unfitProperties(properties: readonly SignedProperty[]): readonly string[]
  /** Prepares another signature over the data files. @throws {UnfitDocumentError} */
  prepare(container: Container, parameters: SignatureParameters): Promise<PreparedFiles>
}

export interface PreparedFiles {
  readonly toBeSigned: Buffer
  /** What belongs into the container then, besides what is there or instead of it. */
  complete(value: Buffer, sources: ProofSources): Promise<readonly ZipEntry[]>
}

/**
 * A document and its signature together in one archive. Parallel takes such an archive, and puts
 * another signature into it. @see EN 319 162-1
 */
export class Asic implements AdesFormat {
  readonly documentEnvelopes = ['Detached', 'Parallel'] as const
  /** A container holds its document. */
  readonly digestEnvelopes: readonly EnvelopeProperty[] = []
  readonly #signer: ContainerSigner
  readonly #type: ContainerType

  constructor(signer: ContainerSigner, type: ContainerType) {
    this.#signer = signer
    this.#type = type
  }

  get format(): SignatureFormat {
    return this.#signer.format
  }

  unfitProperties(properties: readonly SignedProperty[]): readonly string[] {
    return this.#signer.unfitProperties(properties)
  }

  async prepareDocument(
    document: Buffer,
    parameters: SignatureParameters,
  ): Promise<PreparedSignature> {
    const container = await this.#containerFor(document, parameters)
    const prepared = await this.#signer.prepare(container, parameters)
    return {
      toBeSigned: prepared.toBeSigned,
      complete: async (value, sources) => {
        const files = await prepared.complete(value, sources)
        const bytes = await writeContainer(withFiles(container, files), parameters.signingTime)
        return { bytes, holdsDocument: true, validationInfo: null }
      },
    }
  }

  prepareDigest(): Promise<PreparedSignature> {
    return Promise.reject(new InvalidParameterError('signed_envelope_property'))
  }

  #containerFor(document: Buffer, parameters: SignatureParameters): Promise<Container> {
    switch (parameters.envelope) {
      case 'Detached':
        return newContainer(this.#type, document, parameters.referenceUri)
      case 'Parallel':
        return readContainer(document, this.#type)
      default:
        throw new InvalidParameterError('signed_envelope_property')
    }
  }
}

// eslint-disable-next-line @typescript-eslint/require-await -- so that its refusals are rejections
async function newContainer(
  type: ContainerType,
  document: Buffer,
  referenceUri: string | null,
): Promise<Container> {
  const name = referenceUri ?? `document.${extensionOf(document)}`
  rejectUnfitName(name, type)
  return { type, files: [{ name, bytes: document }] }
}

const EXTENSIONS: Readonly<Record<string, string>> = {
  'application/pdf': 'pdf',
  'text/xml': 'xml',
  'image/png': 'png',
  'image/jpeg': 'jpg',
  'application/zip': 'zip',
}

function extensionOf(document: Buffer): string {
  return EXTENSIONS[mediaTypeOf(document)] ?? 'bin'
}
