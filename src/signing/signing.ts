import type { Activation, Activations } from '../activation/activations.js'
import { signingCertificate } from '../credentials/credentials.js'
import { HsmUnavailableError, SignatureWithheldError } from '../errors.js'
import type { SignatureAlgorithm } from '../keys/algorithms.js'
import type { KeyCustody } from '../keys/key-custody.js'
import type { Logger } from '../observability/logger.js'

export type DigestVerifier = (
  publicKey: Buffer,
  digest: Buffer,
  signature: Buffer,
  algorithm: SignatureAlgorithm,
) => Promise<boolean>

/** Hashes in, signatures out. What goes in was taken from the ledger; what comes out is on record. */
export class Signing {
  readonly #custody: KeyCustody
  readonly #activations: Activations
  readonly #verify: DigestVerifier
  readonly #logger: Logger

  constructor(parts: {
    custody: KeyCustody
    activations: Activations
    verify: DigestVerifier
    logger: Logger
  }) {
    this.#custody = parts.custody
    this.#activations = parts.activations
    this.#verify = parts.verify
    this.#logger = parts.logger
  }

  /**
   * Signs the activation's digests, in order. The intent is on record before (`redeem`); every
   * signature is verified under the credential's certificate, then recorded, then returned.
   * @throws {HsmUnavailableError} nothing was used up
   * @throws {HsmOutcomeUnknownError} @throws {SignatureWithheldError} the digests count as used
   */
  async signHashes(activation: Activation): Promise<Buffer[]> {
    const signatures = await this.#askToken(activation)
    await this.#rejectWrongSignatures(activation, signatures)
    await this.#activations.consume(activation, signatures)
    return signatures
  }

  async #askToken(activation: Activation): Promise<Buffer[]> {
    const { credential, digests, algorithm } = activation
    try {
      return await this.#custody.sign(credential.keyId, digests, algorithm)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      if (error instanceof HsmUnavailableError) await this.#activations.release(activation, why)
      else await this.#activations.giveUp(activation, why)
      throw error
    }
  }

  async #rejectWrongSignatures(activation: Activation, signatures: readonly Buffer[]) {
    const { credential, digests, algorithm } = activation
    const { publicKey } = signingCertificate(credential)
    const verdicts = await Promise.all(
      digests.map((digest, index) => {
        return this.#verify(publicKey, digest, signatures[index] ?? Buffer.alloc(0), algorithm)
      }),
    )
    if (signatures.length === digests.length && verdicts.every(Boolean)) return
    const why = 'the token returned a signature that does not verify'
    this.#logger.error({ credentialId: credential.id }, why)
    await this.#activations.giveUp(activation, why)
    throw new SignatureWithheldError(why)
  }
}
