import { InvalidParameterError } from '../../errors.js'
import type {
  AdesFormat,
  EnvelopeProperty,
  PreparedSignature,
  SignatureParameters,
  SignedProperty,
} from '../ades.js'
import { unfitProperties } from './caller-properties.js'
import { prepare } from './prepared-signature.js'
import {
  containerFiles,
  detached,
  detachedDigest,
  enveloped,
  enveloping,
  type ContainerFile,
  type Subject,
} from './subjects.js'
import { XmlThreads, type XmlThreadLimits } from './xml-threads.js'

/** From here on an XML document is worked on beside the event loop. */
const LARGE = 256 * 1024

const SUBJECTS: Readonly<
  Partial<
    Record<
      EnvelopeProperty,
      (document: Buffer, parameters: SignatureParameters) => Subject | Promise<Subject>
    >
  >
> = { Enveloped: enveloped, Enveloping: enveloping, Detached: detached }

/** XML signatures with the properties of EN 319 132-1, at its baseline levels. */
export class Xades implements AdesFormat {
  readonly format = 'X'
  readonly documentEnvelopes = ['Enveloped', 'Enveloping', 'Detached'] as const
  readonly digestEnvelopes = ['Detached'] as const
  readonly #threads: XmlThreads

  constructor({ threads }: { readonly threads?: Partial<XmlThreadLimits> } = {}) {
    this.#threads = new XmlThreads(threads)
  }

  unfitProperties(properties: readonly SignedProperty[]): readonly string[] {
    return unfitProperties(properties)
  }

  async prepareDocument(
    document: Buffer,
    parameters: SignatureParameters,
  ): Promise<PreparedSignature> {
    const { envelope } = parameters
    const subject = Object.hasOwn(SUBJECTS, envelope) ? SUBJECTS[envelope] : undefined
    if (subject === undefined) throw new InvalidParameterError('signed_envelope_property')
    if (envelope === 'Enveloped' && document.length > LARGE) {
      return prepare(await this.#threads.enveloped(document, parameters), parameters)
    }
    return prepare(await subject(document, parameters), parameters)
  }

  async prepareDigest(digest: Buffer, parameters: SignatureParameters): Promise<PreparedSignature> {
    await Promise.resolve() // what is thrown has to come as a rejection
    if (parameters.envelope !== 'Detached') {
      throw new InvalidParameterError('signed_envelope_property')
    }
    return prepare(detachedDigest(digest, parameters), parameters)
  }

  /**
   * A `META-INF/signatures*.xml` over files of an ASiC container; `referenceUri` counts for nothing.
   * @param existing that file, where it has other signatures already
   * @see EN 319 162-1, 4.4.3.2
   */
  async prepareContainer(
    files: readonly ContainerFile[],
    parameters: SignatureParameters,
    existing: Buffer | null = null,
  ): Promise<PreparedSignature> {
    return prepare(await containerFiles(files, parameters, existing), parameters)
  }
}
