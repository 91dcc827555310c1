/** The thread in which one large document is prepared; it ends with it, and gives its memory back. */
import { parentPort, workerData } from 'node:worker_threads'
import { UnfitDocumentError, UnfitSignedPropertiesError } from '../../errors.js'
import { HASH_ALGORITHMS } from '../../keys/algorithms.js'
import type { SignatureParameters } from '../ades.js'
import { prepare } from './prepared-signature.js'
import { enveloped, type Place } from './subjects.js'
import type { XmlThreadTask } from './xml-threads.js'

export type XmlThreadMessage =
  | {
      readonly kind: 'done'
      readonly digest: Uint8Array
      /** What was hashed, where somebody will need it. */
      readonly octets: Uint8Array | null
      readonly place: Place
    }
  | { readonly kind: 'unfit'; readonly reason: string }
  | { readonly kind: 'unfit-properties'; readonly names: readonly string[] }

if (parentPort === null) throw new Error('This file is a thread')
parentPort.postMessage(answer(workerData as XmlThreadTask))

function answer({ document, needsOctets, parameters }: XmlThreadTask): XmlThreadMessage {
  try {
    const whole = fromThread(parameters)
    const subject = enveloped(Buffer.from(document), whole)
    prepare(subject, whole)
    const [reference] = subject.references
    if (reference === undefined) throw new Error('Nothing is referred to')
    const { digest, octets } = reference
    return { kind: 'done', digest, octets: needsOctets ? octets : null, place: subject.place }
  } catch (error) {
    if (error instanceof UnfitDocumentError) return { kind: 'unfit', reason: error.message }
    if (!(error instanceof UnfitSignedPropertiesError)) throw error
    return { kind: 'unfit-properties', names: error.names }
  }
}

/** Between threads, bytes lose their class and objects their identity. */
function fromThread(parameters: XmlThreadTask['parameters']): SignatureParameters {
  const { algorithm, signatory } = parameters
  return {
    ...parameters,
    algorithm: { ...algorithm, hash: HASH_ALGORITHMS[algorithm.hash.name] },
    signatory: {
      certificate: Buffer.from(signatory.certificate),
      chain: signatory.chain.map((each) => Buffer.from(each)),
    },
  }
}
