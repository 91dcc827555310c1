import type { SignatureAlgorithm } from '../algorithms.js'
import { SignatureWithheldError } from '../../errors.js'
import type { KeyCustody } from '../key-custody.js'
import { verifyEach } from '../verify-each.js'

/** Long enough to keep the token busy, short enough that nobody waits for many others. */
const MOST_TOGETHER = 16

interface Waiting {
  readonly digest: Buffer
  readonly resolve: (signature: Buffer) => void
  readonly reject: (error: unknown) => void
}

interface Line {
  readonly keyId: string
  readonly publicKey: Buffer
  readonly algorithm: SignatureAlgorithm
  readonly waiting: Waiting[]
}

/**
 * Single digests that are to be signed with one key within one turn of the event loop go to the token
 * together, and come back together, verified: so their answers share a message, too.
 */
export class SigningLine {
  readonly #custody: Pick<KeyCustody, 'sign' | 'doubt'>
  readonly #lines = new Map<string, Line>()

  constructor(custody: Pick<KeyCustody, 'sign' | 'doubt'>) {
    this.#custody = custody
  }

  /**
   * @param publicKey SubjectPublicKeyInfo, DER
   * @throws {SignatureWithheldError} and what `KeyCustody.sign` throws, of whichever of those signed together
   */
  sign(
    { keyId, publicKey }: { readonly keyId: string; readonly publicKey: Buffer },
    digest: Buffer,
    algorithm: SignatureAlgorithm,
  ): Promise<Buffer> {
    const name = `${keyId} ${algorithm.scheme} ${algorithm.hash.name}`
    const line = this.#lines.get(name) ?? this.#newLine(name, { keyId, publicKey, algorithm })
    return new Promise((resolve, reject) => {
      line.waiting.push({ digest, resolve, reject })
      if (line.waiting.length === MOST_TOGETHER) {
        // The token can begin while this thread still looks at the others.
        void this.#sign(line, line.waiting.splice(0))
      }
    })
  }

  #newLine(name: string, of: Omit<Line, 'waiting'>): Line {
    const line = { ...of, waiting: [] }
    this.#lines.set(name, line)
    setImmediate(() => {
      this.#lines.delete(name)
      if (line.waiting.length > 0) void this.#sign(line, line.waiting)
    })
    return line
  }

  async #sign({ keyId, publicKey, algorithm }: Line, together: readonly Waiting[]): Promise<void> {
    try {
      const digests = together.map(({ digest }) => digest)
      const signatures = await this.#custody.sign(keyId, digests, algorithm)
      if (!(await verifyEach(publicKey, digests, signatures, algorithm))) {
        this.#custody.doubt?.(keyId)
        throw new SignatureWithheldError('the token returned a signature that does not verify')
      }
      together.forEach(({ resolve }, index) => resolve(signatures[index] ?? Buffer.alloc(0)))
    } catch (error) {
      for (const { reject } of together) reject(error)
    }
  }
}
