import type { SignatureAlgorithm } from './algorithms.js'
import { verifyDigest } from './digest-verifier.js'
import { join } from './threads/native-jobs.js'
import { nativeThreads } from './threads/native-threads.js'

/** Fewer are verified sooner than they have gone to a thread and back. */
const FEW = 4

/**
 * Whether each signature is one over the digest in the same place; not when there are more or fewer of them.
 * Many at once are verified on threads.
 * @param publicKeySpki DER
 */
export async function verifyEach(
  publicKeySpki: Buffer,
  digests: readonly Buffer[],
  signatures: readonly Buffer[],
  algorithm: SignatureAlgorithm,
): Promise<boolean> {
  if (digests.length !== signatures.length) return false
  if (digests.length <= FEW || !nativeThreads.areReady) {
    return verifyHere(publicKeySpki, digests, signatures, algorithm)
  }
  const each = Math.ceil(digests.length / nativeThreads.size)
  const verdicts: Promise<boolean>[] = []
  for (let at = 0; at < digests.length; at += each) {
    const [some, theirs] = [digests.slice(at, at + each), signatures.slice(at, at + each)]
    verdicts.push(verifyOnThread(publicKeySpki, some, theirs, algorithm))
  }
  return (await Promise.all(verdicts)).every(Boolean)
}

async function verifyHere(
  ...[publicKey, digests, signatures, algorithm]: Parameters<typeof verifyEach>
) {
  const verdicts = digests.map((digest, index) =>
    verifyDigest(publicKey, digest, signatures[index] ?? Buffer.alloc(0), algorithm),
  )
  return (await Promise.all(verdicts)).every(Boolean)
}

function verifyOnThread(
  ...[publicKey, digests, signatures, algorithm]: Parameters<typeof verifyEach>
) {
  const { scheme, hash, saltLength = null } = algorithm
  return nativeThreads.run({
    ...{ kind: 'verify', scheme, hash: hash.name, saltLength },
    publicKey: new Uint8Array(publicKey),
    ...{ digests: join(digests), signatures: join(signatures) },
  })
}
