import type { Activation, Activations } from '../activation/activations.js'
import type { Repeatable, SigningJob } from '../activation/authorisation.js'
import { hashBearerValue, newBearerValue } from '../activation/sad.js'
import type { Secrets } from '../config/secrets.js'
import {
  HsmOutcomeUnknownError,
  HsmUnavailableError,
  InvalidParameterError,
  isServiceError,
} from '../errors.js'
import type { Logger } from '../observability/logger.js'
import type { Announcements } from './announcements.js'
import type { Signing } from './signing.js'

/** Who may fetch a result: the application, and the person it signed for. */
export interface JobReader {
  readonly clientId: string
  readonly userId: string
}

/**
 * Signing whose result is fetched later (CSC API v2, 8.5). What is to be signed is reserved, and the job
 * on record, before it is accepted; its outcome is that of its ledger rows. A process that dies leaves
 * reservations that are settled as of unknown outcome: nothing is ever signed again unasked (S71).
 */
export class SigningJobs {
  readonly #activations: Activations
  readonly #signing: Signing
  readonly #secrets: Secrets
  readonly #logger: Logger
  readonly #announcements: Announcements
  /** Only so that stopping can wait for them. */
  readonly #running = new Set<Promise<void>>()

  constructor(parts: {
    activations: Activations
    signing: Signing
    secrets: Secrets
    logger: Logger
    announcements: Announcements
  }) {
    this.#activations = parts.activations
    this.#signing = parts.signing
    this.#secrets = parts.secrets
    this.#logger = parts.logger
    this.#announcements = parts.announcements
  }

  /** A `responseID`: random or, for a request that can be repeated, always the same for it. */
  newResponseID(named: Repeatable | null): string {
    if (!named) return newBearerValue()
    return this.#secrets.bind('response of a named request', named.keyHash, named.requestHash)
  }

  /** @param responseUri where to say that the result can be fetched */
  describe(
    responseID: string,
    { clientId, userId }: JobReader,
    { expiresAt, responseUri }: { readonly expiresAt: Date; readonly responseUri: URL | null },
  ): SigningJob {
    const idHash = hashBearerValue(responseID)
    const announcement = responseUri && this.#announcements.seal(idHash, responseID, responseUri)
    return { idHash, clientId, userId, expiresAt, announcement }
  }

  /** Signs, without any caller waiting for it. @returns what is settled when that is over, and never fails */
  start(activation: Activation): Promise<void> {
    const work = this.#sign(activation).finally(() => this.#running.delete(work))
    this.#running.add(work)
    return work
  }

  /**
   * The signatures, or null while they are being made.
   * @throws {InvalidParameterError} when there is no such job of theirs, or its time is over
   * @throws {HsmUnavailableError} when nothing was signed, and nothing used up
   * @throws {HsmOutcomeUnknownError} when nobody knows whether it was
   */
  async result(
    responseID: string,
    { clientId, userId }: JobReader,
  ): Promise<readonly Buffer[] | null> {
    const job = await this.#activations.findJob(hashBearerValue(responseID))
    if (job?.clientId !== clientId || job.userId !== userId) {
      throw new InvalidParameterError('requestID')
    }
    switch (job.state) {
      case 'under way':
        return null
      case 'signed':
        return job.signatures
      case 'released':
        throw new HsmUnavailableError('nothing was signed')
      case 'indeterminate':
        throw new HsmOutcomeUnknownError('indeterminate')
    }
  }

  /** Resolves when all that this process began has ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#running)
  }

  async #sign(activation: Activation): Promise<void> {
    const { operationId } = activation
    try {
      await this.#signing.signHashes(activation)
    } catch (error) {
      // What became of it is in the ledger, or will be once the reservation has run out.
      const level = isServiceError(error) ? 'warn' : 'error'
      this.#logger[level]({ err: error, operationId }, 'asynchronous signing failed')
    }
  }
}
