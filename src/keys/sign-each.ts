import { HsmBusyError, HsmOutcomeUnknownError } from '../errors.js'
import { rejectWrongDigestLength, type SignatureAlgorithm } from './algorithms.js'
import { ecdsaSignatureFromRaw } from './ecdsa-signature.js'
import type { Mechanism } from './pkcs11/session.js'

export interface Portions {
  /** Portions at once. */
  readonly atOnce: number
  /** Digests in a portion at most. */
  readonly together: number
}

/**
 * Signs each digest with `sign`, in portions, several of them at a time, and gives the signatures in the
 * order of the digests. Nothing more is started once one has failed.
 */
export async function signEach(
  digests: readonly Buffer[],
  algorithm: SignatureAlgorithm,
  { atOnce, together }: Portions,
  sign: (inputs: readonly Buffer[], mechanism: Mechanism) => Promise<readonly Buffer[]>,
): Promise<Buffer[]> {
  const mechanism = mechanismOf(algorithm)
  const inputs = digests.map((digest) => toBeSigned(digest, algorithm))
  const signatures = new Array<Buffer>(inputs.length)
  const failures: unknown[] = []
  const each = Math.max(1, Math.min(together, Math.ceil(inputs.length / FEWEST_PORTIONS)))
  let next = 0
  let signed = 0
  const work = async () => {
    while (failures.length === 0 && next < inputs.length) {
      const first = next
      next += each
      const portion = inputs.slice(first, next)
      try {
        const patience = inputs.length > 1 ? PATIENCE_OF_MANY : 0
        const raw = await again(patience, () => sign(portion, mechanism))
        raw.forEach((one, index) => (signatures[first + index] = asDocumented(one, algorithm)))
        signed += portion.length
      } catch (error) {
        failures.push(error)
      }
    }
  }
  const portions = Math.ceil(inputs.length / each)
  await Promise.all(Array.from({ length: Math.min(atOnce, portions) }, work))
  if (failures.length > 0) throw batchFailure(failures, signed)
  return signatures
}

/** So that there is something for several threads. */
const FEWEST_PORTIONS = 2

/** So often a portion gets in line again: given up, it would spoil those that are signed already. */
const PATIENCE_OF_MANY = 2

/** Where the token was not asked because others are before us, it is asked again. */
async function again<T>(patience: number, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (patience === 0 || !(error instanceof HsmBusyError)) throw error
    return again(patience - 1, ask)
  }
}

/** ECDSA as DER, RSA as it is. */
function asDocumented(raw: Buffer, { scheme }: SignatureAlgorithm): Buffer {
  if (scheme !== 'ecdsa') return raw
  try {
    return ecdsaSignatureFromRaw(raw, raw.length / 2)
  } catch (cause) {
    throw new HsmOutcomeUnknownError('The token returned no ECDSA signature', { cause })
  }
}

/** A buffer of our own: the token reads it while the caller may already reuse the digest's. */
function toBeSigned(digest: Buffer, { scheme, hash }: SignatureAlgorithm): Buffer {
  rejectWrongDigestLength(digest, hash)
  return scheme === 'rsa-pkcs1'
    ? Buffer.concat([hash.digestInfoPrefix, digest])
    : Buffer.concat([digest])
}

function mechanismOf({ scheme, hash, saltLength }: SignatureAlgorithm): Mechanism {
  switch (scheme) {
    case 'rsa-pkcs1':
      return { kind: 'rsa-pkcs' }
    case 'rsa-pss':
      return { kind: 'rsa-pkcs-pss', hash: hash.name, saltLength: saltLength ?? hash.bytes }
    case 'ecdsa':
      return { kind: 'ecdsa' }
  }
}

/** Signatures that were made count even though nobody gets them. */
function batchFailure(failures: readonly unknown[], signed: number): unknown {
  const unknown = failures.find((failure) => failure instanceof HsmOutcomeUnknownError)
  if (unknown !== undefined || signed === 0) return unknown ?? failures[0]
  return new HsmOutcomeUnknownError('A batch failed after some of it was signed', {
    cause: failures[0],
  })
}
