import type {
  AdesFormat,
  ConformanceLevel,
  PreparedSignature,
  SignatureParameters,
  SignedProperty,
} from '../../src/documents/ades.js'
import type { FormatFacts } from '../../src/documents/formats.js'
import { UnfitDocumentError } from '../../src/errors.js'
import { createHash } from 'node:crypto'

/** What `PlainFormat` makes, for tests to look into. */
export interface PlainSignature {
  readonly toBeSigned: string
  readonly value: string
  readonly level: ConformanceLevel
  readonly proofs: readonly string[]
}

/**
 * A signature format with nothing to it: what is signed is a line that names the digest, and the signature is
 * that line, the value and the proofs as JSON. For what does not depend on any format.
 */
class PlainFormat implements AdesFormat {
  readonly format = 'X'
  readonly documentEnvelopes = ['Enveloped', 'Detached'] as const
  readonly digestEnvelopes = ['Detached'] as const

  unfitProperties(properties: readonly SignedProperty[]): readonly string[] {
    return properties.filter(({ name }) => name !== 'SignerRoleV2').map(({ name }) => name)
  }

  async prepareDocument(document: Buffer, parameters: SignatureParameters) {
    if (document.includes('unfit')) throw new UnfitDocumentError('The document says it is unfit')
    const { name } = parameters.algorithm.hash
    // As an enveloped signature does: what is named is a transformation of the document.
    const digest = createHash(name).update(`canonical ${document.toString()}`).digest()
    return this.prepareDigest(digest, parameters)
  }

  async prepareDigest(
    digest: Buffer,
    { signingTime, level, envelope, algorithm, signatory }: SignatureParameters,
  ): Promise<PreparedSignature> {
    const named = `<DigestValue>${digest.toString('base64')}</DigestValue>`
    const toBeSigned = `<SignedInfo time="${signingTime.toISOString()}">${named}</SignedInfo>`
    return {
      toBeSigned: Buffer.from(toBeSigned),
      async complete(value, sources) {
        const proofs: string[] = []
        if (level !== 'B-B') {
          proofs.push((await sources.timestamp(digest, algorithm.hash)).toString())
        }
        if (level === 'B-LT' || level === 'B-LTA') {
          const { ocspResponses } = await sources.validationData([signatory.certificate])
          proofs.push(...ocspResponses.map(String))
        }
        const signature = { toBeSigned, value: value.toString('base64'), level, proofs }
        const bytes = Buffer.from(JSON.stringify(signature satisfies PlainSignature))
        return { bytes, holdsDocument: envelope === 'Enveloped', validationInfo: null }
      },
    }
  }
}

export const PLAIN_FORMAT: FormatFacts = {
  format: 'X',
  documentEnvelopes: ['Enveloped', 'Detached'],
  digestEnvelopes: ['Detached'],
  containers: [],
  load: () => Promise.resolve(new PlainFormat()),
}

export function readPlain(base64: string): PlainSignature {
  return JSON.parse(Buffer.from(base64, 'base64').toString()) as PlainSignature
}
