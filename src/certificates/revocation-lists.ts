import { setImmediate as turn } from 'node:timers/promises'
import * as asn1js from 'asn1js'
import { auditEvent } from '../audit/events.js'
import { SignatureWithheldError } from '../errors.js'
import { attestWith } from '../keys/attest.js'
import type { verifyDigest } from '../keys/digest-verifier.js'
import type { KeyCustody } from '../keys/key-custody.js'
import { digestOf } from '../keys/digest.js'
import { algorithmIdentifier } from './algorithm-identifier.js'
import { sequenceOf } from './der.js'
import type { AuthorityName } from './embedded/authority-store.js'
import type { Authority } from './embedded/checked-authority.js'
import type {
  IssuedCertificateStore,
  ListState,
  RevocationListStore,
  RevokedCertificate,
} from './issued-certificates.js'
import { encodeEntry, encodeRevocationList } from './revocation-list.js'

/** How long a list is good; it is renewed in the middle of that, and whenever something changes. */
const VALID_SECONDS: Readonly<Record<AuthorityName, number>> = {
  issuing: 24 * 3600,
  // Its key rests, and what it certified is one authority.
  root: 90 * 24 * 3600,
}

/** So much clocks of replicas may differ. */
const SKEW_MS = 60_000

/** Others may publish at the same time; each of them brings a list nearer that is good. */
const MOST_TRIES = 5
/** Entries encoded before others get their turn. */
const ENTRIES_AT_ONCE = 500

export interface CurrentList {
  readonly number: number
  /** CertificateList, DER. */
  readonly bytes: Buffer
  readonly nextUpdate: Date
}

/**
 * Lists of revoked certificates, full ones: that of the issuing authority, and that of the root, which is
 * empty. Numbers only go up, whichever replica publishes.
 */
export class RevocationLists {
  readonly #parts: RevocationListsParts
  readonly #kept = new Map<AuthorityName, CurrentList>()
  readonly #publishing = new Map<AuthorityName, Promise<CurrentList>>()
  /** Entries of the list before, which are most of the next. */
  #entries = new Map<string, Buffer>()

  constructor(parts: RevocationListsParts) {
    this.#parts = parts
  }

  /**
   * The newest list, which tells of everything that was revoked before the call. It is signed when there is
   * none that does.
   * @throws {HsmUnavailableError} when it cannot be, and the one before is not good any more
   */
  async current(issuer: AuthorityName): Promise<CurrentList> {
    const state = await this.#parts.store.state(issuer)
    const kept = await this.#load(issuer, state)
    if (kept && !this.#isDue(issuer, state)) return kept
    try {
      return await this.#publish(issuer)
    } catch (error) {
      if (kept && kept.nextUpdate > this.#parts.now()) return kept
      throw error
    }
  }

  /** Until when the newest lists are good that this process has seen; null for none. */
  get validUntil(): Readonly<Record<AuthorityName, Date | null>> {
    const end = (issuer: AuthorityName) => this.#kept.get(issuer)?.nextUpdate ?? null
    return { root: end('root'), issuing: end('issuing') }
  }

  #isDue(issuer: AuthorityName, { isOutdated, nextUpdate, number }: ListState): boolean {
    if (number === 0 || isOutdated || nextUpdate === null) return true
    const validity = VALID_SECONDS[issuer] * 1000
    const left = nextUpdate.getTime() - this.#parts.now().getTime()
    // Signed by a clock that was ahead, it would be of the future for whoever gets it.
    return left < validity / 2 || left > validity + SKEW_MS
  }

  async #load(issuer: AuthorityName, { number, nextUpdate }: ListState) {
    const kept = this.#kept.get(issuer)
    if (kept?.number === number) return kept
    const bytes = number === 0 ? null : await this.#parts.store.load(issuer, number)
    if (!bytes || !nextUpdate) return null
    return this.#keep(issuer, { number, bytes, nextUpdate })
  }

  #keep(issuer: AuthorityName, list: CurrentList): CurrentList {
    this.#kept.set(issuer, list)
    return list
  }

  /** Several callers share one; but one that began before the call may not tell of everything. */
  async #publish(issuer: AuthorityName): Promise<CurrentList> {
    await this.#publishing.get(issuer)?.catch(() => undefined)
    const begun = this.#publishing.get(issuer)
    if (begun) return begun
    const publishing = this.#publishOnce(issuer).finally(() => this.#publishing.delete(issuer))
    this.#publishing.set(issuer, publishing)
    return publishing
  }

  async #publishOnce(issuer: AuthorityName): Promise<CurrentList> {
    const { store } = this.#parts
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      const state = await store.state(issuer)
      const kept = await this.#load(issuer, state)
      if (kept && !this.#isDue(issuer, state)) return kept
      const list = await this.#sign(issuer, state)
      const event = { issuer, number: list.number, entries: list.entries }
      const audit = [auditEvent('revocation-list.published', event)]
      if (await store.publish(issuer, { ...list, covered: state.covered }, audit)) {
        return this.#keep(issuer, list)
      }
    }
    throw new SignatureWithheldError('Others publish revocation lists all the time')
  }

  async #sign(issuer: AuthorityName, state: ListState) {
    const { authorities, now, custody, verify } = this.#parts
    const { keyId, certificate, algorithm } = authorities[issuer]
    const thisUpdate = now()
    const validity = VALID_SECONDS[issuer] * 1000
    const nextUpdate = new Date(Math.floor((thisUpdate.getTime() + validity) / 1000) * 1000)
    const number = state.number + 1
    const entries = issuer === 'issuing' ? await this.#encodeEntries(thisUpdate) : []
    // Whoever validates after years asks about certificates that ended long ago (EN 319 411-2, CSS-6.3.10).
    const expiredSince = this.#keepsExpired(issuer) ? certificate.notBefore : null
    const plan = { issuer: certificate, algorithm, number, thisUpdate, nextUpdate, expiredSince }
    const toBeSigned = encodeRevocationList(plan, entries)
    const statement = { kind: 'crl' as const, keyId, toBeSigned, tstInfo: null }
    const signature = await attestWith(custody, { ...statement, algorithm })
    const digest = digestOf(algorithm.hash, toBeSigned)
    if (verify && !(await verify(certificate.publicKey, digest, signature, algorithm))) {
      throw new SignatureWithheldError('The signature of a revocation list does not verify')
    }
    const bytes = sequenceOf(toBeSigned, algorithmIdentifier(algorithm), bitString(signature))
    return { number, bytes, nextUpdate, entries: entries.length }
  }

  #keepsExpired(issuer: AuthorityName): boolean {
    return issuer === 'issuing' && (this.#parts.keepsExpired ?? true)
  }

  /** A certificate is listed at least once more after it ended (RFC 5280, 3.3). */
  async #encodeEntries(thisUpdate: Date): Promise<Buffer[]> {
    const before = 2 * VALID_SECONDS.issuing * 1000
    const endsAfter = this.#keepsExpired('issuing')
      ? new Date(0)
      : new Date(thisUpdate.getTime() - before)
    const revoked = await this.#parts.store.listRevoked(endsAfter)
    const entries = new Map<string, Buffer>()
    for (const [index, certificate] of revoked.entries()) {
      if (index % ENTRIES_AT_ONCE === ENTRIES_AT_ONCE - 1) await turn()
      const name = nameOf(certificate)
      entries.set(name, this.#entries.get(name) ?? encodeEntry(certificate))
    }
    this.#entries = entries
    return [...entries.values()]
  }
}

interface RevocationListsParts {
  readonly store: RevocationListStore & Pick<IssuedCertificateStore, 'listRevoked'>
  readonly custody: KeyCustody
  readonly authorities: Readonly<Record<AuthorityName, Authority>>
  readonly now: () => Date
  /** Whether revoked certificates stay in the list after they ended. */
  readonly keepsExpired?: boolean
  /** Null when the custody releases nothing unverified itself. */
  readonly verify: typeof verifyDigest | null
}

function bitString(signature: Buffer): Buffer {
  return Buffer.from(new asn1js.BitString({ valueHex: signature }).toBER())
}

function nameOf({ serialNumber, revocation }: RevokedCertificate): string {
  return `${serialNumber} ${revocation.at.toISOString()} ${revocation.reason}`
}
