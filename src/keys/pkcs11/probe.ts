import pkcs11 from 'pkcs11js'
import { KEY_ALGORITHMS, type KeyAlgorithm } from '../algorithms.js'
import { WRAP_VARIANTS, type TokenFacts, type WrapVariant } from './session.js'
import { WRAP_MECHANISMS } from './templates.js'

/** One thing a token can do for us, or cannot. */
export interface Capability {
  readonly capability: string
  /** Whether this installation cannot do without. */
  readonly needed: boolean
  readonly found: boolean
  /** What it rests on: mechanisms, sizes, numbers. */
  readonly detail: string
}

export interface TokenNeeds {
  /** Kinds of keys that are made on the way: for new credentials, and for the authority. */
  readonly algorithms: readonly KeyAlgorithm[]
  /** Whether new keys are kept outside the token. */
  readonly wrapped: boolean
  readonly sessions: number
}

interface Mechanism {
  readonly name: string
  readonly type: number
  /** CKF_… that have to be set. */
  readonly flags: number
}

const EC_PAIR: Mechanism = {
  name: 'CKM_EC_KEY_PAIR_GEN',
  type: pkcs11.CKM_EC_KEY_PAIR_GEN,
  flags: pkcs11.CKF_GENERATE_KEY_PAIR,
}
const RSA_PAIR: Mechanism = {
  name: 'CKM_RSA_PKCS_KEY_PAIR_GEN',
  type: pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN,
  flags: pkcs11.CKF_GENERATE_KEY_PAIR,
}
const ECDSA = signs('CKM_ECDSA', pkcs11.CKM_ECDSA)
const RSA_PKCS1 = signs('CKM_RSA_PKCS', pkcs11.CKM_RSA_PKCS)
const RSA_PSS = signs('CKM_RSA_PKCS_PSS', pkcs11.CKM_RSA_PKCS_PSS)
const HMAC = signs('CKM_SHA256_HMAC', pkcs11.CKM_SHA256_HMAC)

const WRAP_NAMES: Readonly<Record<WrapVariant, string>> = {
  'aes-kwp': 'CKM_AES_KEY_WRAP_KWP',
  'aes-wrap-pad': 'CKM_AES_KEY_WRAP_PAD',
  'aes-cbc-pad': 'CKM_AES_CBC_PAD',
}

function signs(name: string, type: number): Mechanism {
  return { name, type, flags: pkcs11.CKF_SIGN }
}

/** Compares what the token says of itself with what this installation needs (S100). */
export function probeToken(facts: TokenFacts, needs: TokenNeeds): Capability[] {
  const algorithms = Object.keys(KEY_ALGORITHMS) as KeyAlgorithm[]
  const variants = wrapVariants(facts)
  const { mostSessions } = facts
  const fewest = needs.wrapped ? 2 : 1
  return [
    ...algorithms.map((name) => keys(facts, name, needs.algorithms.includes(name))),
    capability(facts, 'RSASSA-PSS signatures', [RSA_PSS], null, false),
    {
      capability: 'wrapped keys: AES key wrap',
      needed: needs.wrapped,
      found: variants.length > 0,
      detail: (variants.length > 0 ? variants : WRAP_VARIANTS)
        .map((variant) => WRAP_NAMES[variant])
        .join(', '),
    },
    capability(facts, 'wrapped keys: MAC', [HMAC], null, needs.wrapped),
    {
      capability: 'sessions',
      needed: true,
      found: needs.sessions >= fewest && (mostSessions === null || mostSessions >= fewest),
      detail: `${needs.sessions} wanted, ${mostSessions ?? 'any number'} to be had`,
    },
  ]
}

/** Ways to wrap that the token says it has, the best first. */
export function wrapVariants(facts: TokenFacts): WrapVariant[] {
  const flags = pkcs11.CKF_WRAP | pkcs11.CKF_UNWRAP
  return WRAP_VARIANTS.filter((variant) =>
    has(facts, { name: '', type: WRAP_MECHANISMS[variant], flags }, null),
  )
}

/** A kind of key the token can make, the cheapest first. */
export function trialAlgorithm(facts: TokenFacts): KeyAlgorithm | null {
  const algorithms: KeyAlgorithm[] = ['p-256', 'p-384', 'p-521', 'rsa-2048', 'rsa-3072', 'rsa-4096']
  return algorithms.find((name) => keys(facts, name, false).found) ?? null
}

function keys(facts: TokenFacts, name: KeyAlgorithm, needed: boolean): Capability {
  const { family, bits } = KEY_ALGORITHMS[name]
  const mechanisms = family === 'rsa' ? [RSA_PAIR, RSA_PKCS1] : [EC_PAIR, ECDSA]
  return capability(facts, `${name} keys`, mechanisms, bits, needed)
}

function capability(
  facts: TokenFacts,
  name: string,
  mechanisms: readonly Mechanism[],
  bits: number | null,
  needed: boolean,
): Capability {
  return {
    ...{ capability: name, needed },
    found: mechanisms.every((mechanism) => has(facts, mechanism, bits)),
    detail: mechanisms
      .map((mechanism) => `${mechanism.name}${has(facts, mechanism, bits) ? '' : ' missing'}`)
      .join(', '),
  }
}

/** Sizes of EC keys are bits; tokens that state none state zero. */
function has({ mechanisms }: TokenFacts, mechanism: Mechanism, bits: number | null): boolean {
  const facts = mechanisms.get(mechanism.type)
  if (!facts || (facts.flags & mechanism.flags) !== mechanism.flags) return false
  if (bits === null || facts.maxKeySize === 0) return true
  return facts.minKeySize <= bits && facts.maxKeySize >= bits
}

/** @returns what is needed and not there, in words for an operator; null when nothing is */
export function lackOf(capabilities: readonly Capability[]): string | null {
  const lacking = capabilities.filter(({ needed, found }) => needed && !found)
  if (lacking.length === 0) return null
  return lacking.map(({ capability: name, detail }) => `${name} (${detail})`).join('; ')
}
