import { OverloadedError, UnfitDocumentError, UnfitSignedPropertiesError } from '../../errors.js'
import { startThread } from '../../isolation/start-thread.js'
import { moduleUrl } from '../../package-files.js'
import type { SignatureParameters } from '../ades.js'
import { wholeDocument, type Subject } from './subjects.js'
import type { XmlThreadMessage } from './xml-thread.js'

export interface XmlThreadTask {
  readonly document: Uint8Array
  readonly needsOctets: boolean
  /** Without what cannot travel. */
  readonly parameters: SignatureParameters
}

export interface XmlThreadLimits {
  readonly threads: number
  readonly waiting: number
  /** From its start on. */
  readonly milliseconds: number
  /** Of JavaScript; what is in WebAssembly is bounded by the limits of the scan. */
  readonly megabytes: number
}

const USUAL_LIMITS: XmlThreadLimits = {
  ...{ threads: 2, waiting: 32 },
  ...{ milliseconds: 20_000, megabytes: 512 },
}
const RETRY_SECONDS = 2

/** Prepares large documents beside the event loop: each in a thread of its own, few at a time. */
export class XmlThreads {
  readonly #limits: XmlThreadLimits
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(limits: Partial<XmlThreadLimits> = {}) {
    this.#limits = { ...USUAL_LIMITS, ...limits }
  }

  /** @throws {UnfitDocumentError} @throws {UnfitSignedPropertiesError} @throws {OverloadedError} */
  async enveloped(document: Buffer, parameters: SignatureParameters): Promise<Subject> {
    await this.#turn()
    try {
      const message = await this.#perform(taskFor(document, parameters))
      if (message.kind === 'unfit') throw new UnfitDocumentError(message.reason)
      if (message.kind === 'unfit-properties') throw new UnfitSignedPropertiesError(message.names)
      const octets = message.octets && Buffer.from(message.octets)
      return {
        references: [wholeDocument(Buffer.from(message.digest), octets)],
        seed: document,
        takenIds: new Map(),
        place: message.place,
        reread: null,
      }
    } finally {
      this.#running -= 1
      this.#waiting.shift()?.()
    }
  }

  async #turn(): Promise<void> {
    if (this.#running >= this.#limits.threads) {
      if (this.#waiting.length >= this.#limits.waiting) {
        throw new OverloadedError('Too much XML is waiting', RETRY_SECONDS)
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    this.#running += 1
  }

  #perform(task: XmlThreadTask): Promise<XmlThreadMessage> {
    return new Promise((resolve, reject) => {
      const worker = startThread(XML_THREAD, {
        workerData: task,
        resourceLimits: { maxOldGenerationSizeMb: this.#limits.megabytes },
      })
      const late = setTimeout(() => {
        reject(new UnfitDocumentError('The XML takes too long to read'))
        void worker.terminate()
      }, this.#limits.milliseconds)
      worker.once('message', resolve)
      // Whatever goes wrong with a document is wrong about the document.
      worker.once('error', (cause) => {
        reject(new UnfitDocumentError('The XML takes too much to read', { cause }))
      })
      worker.once('exit', () => {
        clearTimeout(late)
        reject(new UnfitDocumentError('The XML takes too much to read'))
      })
    })
  }
}

function taskFor(document: Buffer, parameters: SignatureParameters): XmlThreadTask {
  const { level, envelope, algorithm, signatory, signingTime, signedProperties } = parameters
  const { certificate, chain } = signatory
  const { referenceUri } = parameters
  return {
    document,
    // For the archive timestamp, and to check timestamps that came along.
    needsOctets:
      level === 'B-LTA' || signedProperties.some(({ name }) => name.endsWith('TimeStamp')),
    parameters: {
      ...{ level, envelope, algorithm, signingTime, referenceUri },
      signatory: { certificate, chain },
      signedProperties: signedProperties.map(({ name, value }) => ({ name, value })),
    },
  }
}

const XML_THREAD = moduleUrl('documents/xades/xml-thread.js')
