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

const SUBJECTS: Readonly<
  Partial<Record<EnvelopeProperty, (document: Buffer, parameters: SignatureParameters) => Subject>>
> = { Enveloped: enveloped, Enveloping: enveloping, Detached: detached }

/** XML signatures with the properties of EN 319 132-1, at its baseline levels. */
export class Xades implements AdesFormat {
  readonly format = 'X'
  readonly documentEnvelopes = ['Enveloped', 'Enveloping', 'Detached'] as const
  readonly digestEnvelopes = ['Detached'] as const

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
    return prepare(subject(document, parameters), parameters)
  }

  async prepareDigest(digest: Buffer, parameters: SignatureParameters): Promise<PreparedSignature> {
    if (parameters.envelope !== 'Detached') {
      throw new InvalidParameterError('signed_envelope_property')
    }
    return prepare(detachedDigest(digest, parameters), parameters)
  }

  /**
   * A `META-INF/signatures*.xml` over files of an ASiC container; `referenceUri` counts for nothing.
   * @see EN 319 162-1, 4.4.3.2
   */
  async prepareContainer(
    files: readonly ContainerFile[],
    parameters: SignatureParameters,
  ): Promise<PreparedSignature> {
    return prepare(containerFiles(files, parameters), parameters)
  }
}
