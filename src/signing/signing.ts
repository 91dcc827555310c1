import type { Activation, Activations } from '../activation/activations.js'
import type { Credential } from '../credentials/credential.js'
import { signingKey } from '../credentials/credentials.js'
import { HsmUnavailableError, SignatureWithheldError } from '../errors.js'
import type { SignatureAlgorithm } from '../keys/algorithms.js'
import type { KeyCustody } from '../keys/key-custody.js'
import type { Logger } from '../observability/logger.js'
import { UNMEASURED, type Steps } from '../observability/tracing.js'

export type DigestVerifier = (
  publicKey: Buffer,
  digest: Buffer,
  signature: Buffer,
  algorithm: SignatureAlgorithm,
) => Promise<boolean>

/** Where keys of one session are ended. */
interface Sessions {
  endSession(credential: Credential): Promise<void>
}

/** Hashes in, signatures out. What goes in was taken from the ledger; what comes out is on record. */
export class Signing {
  readonly #custody: KeyCustody
  readonly #activations: Activations
  readonly #verify: DigestVerifier | null
  readonly #logger: Logger
  readonly #steps: Steps
  readonly #sessions: Sessions | null

  /** @param parts.verify null when the custody releases nothing unverified itself */
  constructor(parts: {
    custody: KeyCustody
    activations: Activations
    verify: DigestVerifier | null
    logger: Logger
    steps?: Steps
    sessions?: Sessions
  }) {
    this.#custody = parts.custody
    this.#activations = parts.activations
    this.#verify = parts.verify
    this.#logger = parts.logger
    this.#steps = parts.steps ?? UNMEASURED
    this.#sessions = parts.sessions ?? null
  }

  /**
   * Signs the activation's digests, in order. The intent is on record before (`redeem`); every
   * signature is verified under the credential's certificate, here or next to the key, then recorded,
   * then returned.
   * @throws {HsmUnavailableError} nothing was used up
   * @throws {HsmOutcomeUnknownError} @throws {SignatureWithheldError} the digests count as used
   */
  async signHashes(activation: Activation): Promise<Buffer[]> {
    const signatures = await this.#askToken(activation)
    await this.#steps.measure('signature.verify', () =>
      this.#rejectWrongSignatures(activation, signatures),
    )
    await this.#activations.consume(activation, signatures)
    if (activation.credential.endsAt) await this.#endSession(activation)
    return signatures
  }

  /** The key of one session goes with its last signature. What fails here is done a little later. */
  async #endSession({ credential, authorisationId }: Activation): Promise<void> {
    try {
      if (await this.#activations.isOpen(authorisationId)) return
      await this.#sessions?.endSession(credential)
    } catch (error) {
      this.#logger.error({ err: error, credentialId: credential.id }, 'a one-time key is left')
    }
  }

  async #askToken(activation: Activation): Promise<Buffer[]> {
    const { credential, digests, algorithm, operationId, rows, toBeSigned } = activation
    const operation = {
      ...{ id: operationId, rows: rows.map(({ rowId }) => rowId) },
      ...(toBeSigned ? { toBeSigned } : {}),
    }
    try {
      return await this.#steps.measure('token.sign', () =>
        this.#custody.sign(credential.keyId, digests, algorithm, operation),
      )
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      if (error instanceof HsmUnavailableError) await this.#activations.release(activation, why)
      else await this.#activations.giveUp(activation, why)
      throw error
    }
  }

  async #rejectWrongSignatures(activation: Activation, signatures: readonly Buffer[]) {
    const { credential, digests, algorithm } = activation
    const verdicts = await Promise.all(
      digests.map(async (digest, index) => {
        const signature = signatures[index] ?? Buffer.alloc(0)
        if (this.#verify === null) return signature.length > 0
        const { publicKey } = signingKey(credential)
        return this.#verify(publicKey, digest, signature, algorithm)
      }),
    )
    if (signatures.length === digests.length && verdicts.every(Boolean)) return
    const why = 'the token returned a signature that does not verify'
    this.#logger.error({ credentialId: credential.id }, why)
    await this.#activations.giveUp(activation, why)
    throw new SignatureWithheldError(why)
  }
}
