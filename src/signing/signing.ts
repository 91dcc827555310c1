import type { Activation, Activations, KeyUse } from '../activation/activations.js'
import type { Credential } from '../credentials/credential.js'
import { signingKey } from '../credentials/credentials.js'
import { HsmOutcomeUnknownError, HsmUnavailableError, SignatureWithheldError } from '../errors.js'
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
    try {
      const signatures = await this.#askToken(activation)
      await this.#steps.measure('signature.verify', () =>
        this.#rejectWrongSignatures(activation, signatures),
      )
      await this.#activations.consume(activation, signatures)
      return signatures
    } finally {
      if (activation.credential.endsAt) await this.#endSession(activation)
    }
  }

  /**
   * The key of one session goes when nothing more can be signed, whatever became of it (S14). What fails
   * here is done a little later.
   */
  async #endSession({ credential, authorisationId }: Activation): Promise<void> {
    try {
      if (await this.#activations.isOpen(authorisationId)) return
      await this.#sessions?.endSession(credential)
    } catch (error) {
      this.#logger.error({ err: error, credentialId: credential.id }, 'a one-time key is left')
    }
  }

  async #askToken(activation: Activation): Promise<Buffer[]> {
    const signatures: Buffer[] = []
    try {
      for (const use of activation.uses) {
        const signed = await this.#steps.measure('token.sign', () => this.#sign(activation, use))
        use.positions.forEach((position, index) => {
          signatures[position] = signed[index] ?? Buffer.alloc(0)
        })
      }
      return signatures
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      const nothingWasSigned = signatures.length === 0 && error instanceof HsmUnavailableError
      if (nothingWasSigned) await this.#activations.release(activation, why)
      else await this.#activations.giveUp(activation, why)
      if (signatures.length === 0 || !(error instanceof HsmUnavailableError)) throw error
      throw new HsmOutcomeUnknownError('only some of it was signed', { cause: error })
    }
  }

  #sign(activation: Activation, { algorithm, positions }: KeyUse): Promise<Buffer[]> {
    const { credential, digests, operationId, rows, toBeSigned } = activation
    const those = <T>(all: readonly T[]) => positions.flatMap((position) => all[position] ?? [])
    return this.#custody.sign(credential.keyId, those(digests), algorithm, {
      ...{ id: operationId, rows: those(rows).map(({ rowId }) => rowId) },
      ...(toBeSigned ? { toBeSigned: those(toBeSigned) } : {}),
    })
  }

  async #rejectWrongSignatures(activation: Activation, signatures: readonly Buffer[]) {
    const { credential, digests, uses } = activation
    const verdicts = await Promise.all(
      uses.flatMap(({ algorithm, positions }) =>
        positions.map(async (position) => {
          const signature = signatures[position] ?? Buffer.alloc(0)
          if (this.#verify === null) return signature.length > 0
          const { publicKey } = signingKey(credential)
          const digest = digests[position] ?? Buffer.alloc(0)
          return this.#verify(publicKey, digest, signature, algorithm)
        }),
      ),
    )
    if (signatures.length === digests.length && verdicts.every(Boolean)) return
    const why = 'the token returned a signature that does not verify'
    this.#logger.error({ credentialId: credential.id }, why)
    this.#custody.doubt?.(credential.keyId)
    await this.#activations.giveUp(activation, why)
    throw new SignatureWithheldError(why)
  }
}
