import { deserialize, serialize } from 'node:v8'
import type { Activation, Activations } from '../activation/activations.js'
import { hashBearerValue } from '../activation/sad.js'
import type { Secrets } from '../config/secrets.js'
import type { Documents, DocumentSigning, SignedDocuments } from '../documents/documents.js'
import type { PreparedDocument } from '../documents/prepared-document.js'
import { isServiceError, SignatureWithheldError } from '../errors.js'
import type { Logger } from '../observability/logger.js'
import type { JobReader, SigningJobs } from './signing-jobs.js'
import type { Signing } from './signing.js'

/** Documents that are signed without anyone waiting for it, as they are stored. */
export interface DocumentJob {
  /** SHA-256 of the `responseID`, Base64url. */
  readonly idHash: string
  /** Sealed: a `DocumentSigning`; null once there is a result. */
  readonly request: Uint8Array | null
  /** Sealed: `SignedDocuments`. */
  readonly result: Uint8Array | null
}

export interface DocumentJobStore {
  findDocumentJob(idHash: string): Promise<DocumentJob | null>
  /**
   * Names of some that were begun before that time, have no result yet, and whose result is to be announced.
   */
  listUnfinished(begunBefore: Date, now: Date): Promise<string[]>
  /** Keeps the result in the place of the request. Of concurrent calls, exactly one gets true. */
  finishDocumentJob(idHash: string, result: Uint8Array): Promise<boolean>
}

/**
 * Documents whose signatures are fetched later. What was sent is kept, sealed, until there is a result: when
 * a timestamp cannot be had, or the process dies after the key was used, the signature is completed from
 * its recorded value when somebody asks for it next.
 */
export class DocumentJobs {
  readonly #store: DocumentJobStore
  readonly #documents: Documents
  readonly #activations: Pick<Activations, 'findJob'>
  readonly #signing: Signing
  readonly #signingJobs: SigningJobs
  readonly #secrets: Secrets
  readonly #logger: Logger
  /** By `idHash`. */
  readonly #running = new Map<string, Promise<void>>()

  constructor(parts: {
    store: DocumentJobStore
    documents: Documents
    activations: Pick<Activations, 'findJob'>
    signing: Signing
    signingJobs: SigningJobs
    secrets: Secrets
    logger: Logger
  }) {
    this.#store = parts.store
    this.#documents = parts.documents
    this.#activations = parts.activations
    this.#signing = parts.signing
    this.#signingJobs = parts.signingJobs
    this.#secrets = parts.secrets
    this.#logger = parts.logger
  }

  /** What is put on record with the job. */
  seal(idHash: string, signing: DocumentSigning): Uint8Array {
    return this.#secrets.sealBytes(requestContext(idHash), serialize(signing))
  }

  /** Signs, without any caller waiting for it. @returns what is settled when that is over, and never fails */
  start(
    responseID: string,
    signing: DocumentSigning,
    parts: { readonly activation: Activation; readonly prepared: readonly PreparedDocument[] },
  ): Promise<void> {
    const idHash = hashBearerValue(responseID)
    return this.#run(idHash, async () => {
      const values = await this.#signing.signHashes(parts.activation)
      await this.#finish(idHash, signing, parts.prepared, values)
    })
  }

  /**
   * What was signed; null while it is being made, undefined when there are no documents of that name.
   * @param stay given what is done about it after the answer
   * @throws what `SigningJobs.result` throws
   */
  async result(
    responseID: string,
    reader: JobReader,
    stay: (work: Promise<void>) => void,
  ): Promise<SignedDocuments | null | undefined> {
    const idHash = hashBearerValue(responseID)
    const job = await this.#store.findDocumentJob(idHash)
    if (!job) return undefined
    const values = await this.#signingJobs.result(responseID, reader)
    if (values === null) return null
    if (job.result) {
      return this.#open(resultContext(idHash), job.result) as SignedDocuments
    }
    const { request } = job
    if (request) stay(this.#run(idHash, () => this.#resume(idHash, request, values)))
    return null
  }

  /** Completes what was signed long enough ago and nobody may ask for before they are told that it is there. */
  async finishLeft(now: Date): Promise<void> {
    const begunBefore = new Date(now.getTime() - LEFT_AFTER_MS)
    for (const idHash of await this.#store.listUnfinished(begunBefore, now)) {
      const job = await this.#store.findDocumentJob(idHash)
      const recorded = await this.#activations.findJob(idHash)
      const request = job?.request
      if (!request || recorded?.state !== 'signed') continue
      await this.#run(idHash, () => this.#resume(idHash, request, recorded.signatures))
    }
  }

  /** Resolves when all that this process began has ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#running.values())
  }

  async #resume(idHash: string, request: Uint8Array, values: readonly Buffer[]): Promise<void> {
    const signing = this.#open(requestContext(idHash), request) as DocumentSigning
    const prepared = await this.#documents.prepare(signing)
    const recorded = await this.#activations.findJob(idHash)
    rejectOtherBytes(prepared, recorded?.toBeSigned ?? [])
    await this.#finish(idHash, signing, prepared, values)
  }

  async #finish(
    idHash: string,
    signing: DocumentSigning,
    prepared: readonly PreparedDocument[],
    values: readonly Buffer[],
  ): Promise<void> {
    const signed = await this.#documents.complete(signing, prepared, values)
    const result = this.#secrets.sealBytes(resultContext(idHash), serialize(signed))
    await this.#store.finishDocumentJob(idHash, result)
  }

  #run(idHash: string, work: () => Promise<void>): Promise<void> {
    const before = this.#running.get(idHash)
    if (before) return before
    const running = work()
      .catch((error: unknown) => {
        // What became of the signatures is in the ledger; what is missing is tried again when it is asked for.
        const level = isServiceError(error) ? 'warn' : 'error'
        this.#logger[level]({ err: error }, 'asynchronous signing of documents failed')
      })
      .finally(() => this.#running.delete(idHash))
    this.#running.set(idHash, running)
    return running
  }

  #open(context: string, sealed: Uint8Array): unknown {
    return deserialize(this.#secrets.unsealBytes(context, Buffer.from(sealed)))
  }
}

/** Longer than completing a document takes whoever signed it. */
const LEFT_AFTER_MS = 60_000

/**
 * A recorded signature is completed over the very bytes it was made for, or not at all.
 * @throws {SignatureWithheldError}
 */
export function rejectOtherBytes(
  prepared: readonly PreparedDocument[],
  recorded: readonly (Buffer | null)[],
): void {
  const isSame = prepared.every(({ derived }, index) => recorded[index]?.equals(derived.toBeSigned))
  if (recorded.length !== prepared.length || !isSame) {
    throw new SignatureWithheldError('the document is prepared otherwise than when it was signed')
  }
}

function requestContext(idHash: string): string {
  return `documents of ${idHash}`
}

function resultContext(idHash: string): string {
  return `signed documents of ${idHash}`
}
