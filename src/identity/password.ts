import { randomBytes, scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto'
import { Gate, type GateLimits, type GateObserver } from '../admission/gate.js'
import type { GateLoad } from '../observability/metrics.js'

const COST = { N: 2 ** 15, r: 8, p: 1 }
const LENGTH = 32
/** scrypt runs in the thread pool the HSM calls share; a burst of sign-ins must leave room for them. */
const AT_ONCE = 2
const PATIENCE_SECONDS = 10

/** Of the process, as its threads are. Addresses and people take turns. */
let gate = new Gate('passwords', limitsFor(100))

/**
 * How many passwords and PINs may wait to be checked in this process; more are turned away.
 * @returns what waits, for metrics
 */
export function limitPasswordsWaiting(most: number, observer: GateObserver): () => GateLoad {
  gate = new Gate('passwords', limitsFor(most), observer)
  return () => gate.load
}

function limitsFor(most: number): GateLimits {
  return {
    ...{ atOnce: AT_ONCE, waiting: most, waitingEach: Math.ceil(most / 4) },
    ...{ patienceSeconds: PATIENCE_SECONDS, resting: 0, restingEach: 0 },
  }
}

/** Hashes a password or PIN as `scrypt$N$r$p$salt$hash`. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16)
  const hash = await derive(password, salt, COST)
  return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64'), hash.toString('base64')].join(
    '$',
  )
}

/** A hash no password fits; verifying against it takes as long as against a real one. */
export const UNKNOWN_USER_HASH = `scrypt$${COST.N}$${COST.r}$${COST.p}$${'A'.repeat(22)}==$${'A'.repeat(43)}=`

/**
 * @param party whose attempts wait for each other: an address, or the person whose PIN it is
 * @throws {OverloadedError} @throws {TooManyRequestsError} when too many wait already
 */
export async function verifyPassword(
  password: string,
  stored: string,
  party = '',
): Promise<boolean> {
  const [, N, r, p, salt, hash] = stored.split('$')
  if (!N || !r || !p || !salt || !hash) return false
  const expected = Buffer.from(hash, 'base64')
  const actual = await derive(password, Buffer.from(salt, 'base64'), {
    N: Number(N),
    r: Number(r),
    p: Number(p),
    party,
  })
  return actual.length === expected.length && timingSafeEqual(actual, expected)
}

function derive(
  password: string,
  salt: Buffer,
  { party = '', ...cost }: ScryptOptions & { readonly party?: string },
): Promise<Buffer> {
  const options = { ...cost, maxmem: 256 * 1024 * 1024 }
  const work = (): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      scrypt(password.normalize('NFKC'), salt, LENGTH, options, (error, key) => {
        if (error) reject(error)
        else resolve(key)
      })
    })
  return gate.pass({ party }, work)
}
