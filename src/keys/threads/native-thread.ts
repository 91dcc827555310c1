import { parentPort } from 'node:worker_threads'
import { HASH_ALGORITHMS, type SignatureAlgorithm } from '../algorithms.js'
import { verifyDigestNow } from '../digest-verifier.js'
import { ForegroundCalls } from '../pkcs11/foreground-calls.js'
import {
  join,
  part,
  type NativeJob,
  type Signed,
  type SignJob,
  type VerifyJob,
} from './native-jobs.js'

/* One of the threads of `NativeThreads`: says that it is there, does a job, answers, waits for the next. */

const libraries = new Map<string, ForegroundCalls>()

parentPort?.on('message', (job: NativeJob) => {
  parentPort?.postMessage(job.kind === 'sign' ? sign(job) : verify(job))
})
parentPort?.postMessage('loaded')

function sign({ module, session, key, mechanism, parameter, inputs }: SignJob): Signed {
  const begun = performance.now()
  const signatures: Uint8Array[] = []
  const failed = (call: 'C_SignInit' | 'C_Sign', code: number) => {
    return {
      signatures: join(signatures),
      failure: { call, code },
      took: performance.now() - begun,
    }
  }
  const calls = callsOf(module)
  for (const input of part(inputs)) {
    const begins = calls.signInit(session, { type: mechanism, parameter }, key)
    if (begins !== 0) return failed('C_SignInit', begins)
    const signed = calls.sign(session, input)
    if (typeof signed === 'number') return failed('C_Sign', signed)
    signatures.push(signed)
  }
  return { signatures: join(signatures), failure: null, took: performance.now() - begun }
}

function callsOf(module: string): ForegroundCalls {
  const known = libraries.get(module)
  if (known) return known
  const calls = new ForegroundCalls(module)
  libraries.set(module, calls)
  return calls
}

function verify({ publicKey, scheme, hash, saltLength, digests, signatures }: VerifyJob): boolean {
  const algorithm: SignatureAlgorithm = {
    ...{ scheme, hash: HASH_ALGORITHMS[hash] },
    ...(saltLength === null ? {} : { saltLength }),
  }
  const key = Buffer.from(publicKey)
  const given = part(signatures)
  return part(digests).every((digest, index) =>
    verifyDigestNow(key, digest, given[index] ?? Buffer.alloc(0), algorithm),
  )
}
