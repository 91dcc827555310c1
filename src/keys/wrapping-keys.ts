import { createHash } from 'node:crypto'
import { HsmUnavailableError } from '../errors.js'
import type { PooledSession } from './pkcs11/session-pool.js'
import type { KeyHandle, SecretKeyAttributes, Session } from './pkcs11/session.js'

/** The two keys of the token under which private keys are kept outside. */
export interface WrappingKeys {
  /** Wraps and unwraps, and nothing else. */
  readonly wrapping: KeyHandle
  /** Makes the MACs that bind a wrapped key to whom it belongs. */
  readonly binding: KeyHandle
  /** Whether the security officer calls the wrapping key trusted. */
  readonly trusted: boolean
}

/** Nobody has made wrapping keys in this token, or they are gone. */
export class NotPreparedError extends HsmUnavailableError {}

type Purpose = 'wrapping' | 'binding'

/** By these they are found, whoever made them. @param name which pair, so that there can be a next one */
export function wrappingKeyLabel(purpose: Purpose, name: string): string {
  return `openrssp ${purpose} ${name}`
}

export function wrappingKeyId(purpose: Purpose, name: string): Buffer {
  return createHash('sha256').update(wrappingKeyLabel(purpose, name)).digest().subarray(0, 16)
}

const DEMANDED: Readonly<Record<Purpose, Partial<SecretKeyAttributes>>> = {
  wrapping: {
    ...{ sensitive: true, extractable: false, neverExtractable: true, local: true },
    ...{ wrap: true, unwrap: true, encrypt: false, decrypt: false },
  },
  binding: {
    ...{ sensitive: true, extractable: false, neverExtractable: true, local: true },
    ...{ sign: true, wrap: false, unwrap: false, encrypt: false, decrypt: false },
  },
}

/**
 * @param tolerated attributes the token need not state
 * @throws {HsmUnavailableError} when one is missing, there twice, or good for more than it should be
 */
export async function findWrappingKeys(
  session: PooledSession,
  name: string,
  tolerated: ReadonlySet<string>,
): Promise<WrappingKeys> {
  const wrapping = await findOne(session, 'wrapping', name, tolerated)
  const binding = await findOne(session, 'binding', name, tolerated)
  return {
    wrapping: wrapping.key,
    binding: binding.key,
    trusted: wrapping.attributes.trusted,
  }
}

async function findOne(
  session: PooledSession,
  purpose: Purpose,
  name: string,
  tolerated: ReadonlySet<string>,
) {
  const label = wrappingKeyLabel(purpose, name)
  const [key, another] = await session.findSecretKeys(wrappingKeyId(purpose, name))
  if (!key) {
    const hint = 'for wrapped keys, run "openrssp hsm init" once'
    throw new NotPreparedError(`The token has no key "${label}": ${hint}`)
  }
  if (another) throw new HsmUnavailableError(`The token has two keys "${label}"`)
  const attributes = await session.secretKeyAttributes(key)
  const demanded = DEMANDED[purpose]
  const wrong = (Object.keys(demanded) as (keyof SecretKeyAttributes)[])
    .filter((attribute) => attributes[attribute] !== demanded[attribute])
    .filter((attribute) => !tolerated.has(attribute))
  if (wrong.length > 0) {
    throw new HsmUnavailableError(`The key "${label}" has other attributes: ${wrong.join(', ')}`)
  }
  return { key, attributes }
}

/**
 * Makes what is missing of the two, once for a token and by an operator: a server that made them itself
 * could not tell a new token from the wrong one. The token is asked to see to it that what is unwrapped
 * stays unreadable; one that does not know how is not.
 * @returns whether anything was missing
 */
export async function makeWrappingKeys(
  session: (use: (session: Session) => Promise<void>) => Promise<void>,
  name: string,
): Promise<boolean> {
  let made = false
  const make = (purpose: Purpose, guarded: boolean) =>
    session(async (open) => {
      const id = wrappingKeyId(purpose, name)
      if ((await open.findSecretKeys(id)).length > 0) return
      await open.generateSecretKey({ purpose, id, label: wrappingKeyLabel(purpose, name), guarded })
      made = true
    })
  await make('wrapping', true).catch(() => make('wrapping', false))
  await make('binding', false)
  return made
}
