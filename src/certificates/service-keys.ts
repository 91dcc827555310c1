import { createHash } from 'node:crypto'
import { auditEvent } from '../audit/events.js'
import { HsmUnavailableError, SignatureWithheldError } from '../errors.js'
import type { SignatureAlgorithm } from '../keys/algorithms.js'
import { attestWith } from '../keys/attest.js'
import type { verifyDigest } from '../keys/digest-verifier.js'
import type { KeyCustody, StatementKind } from '../keys/key-custody.js'
import { digestOf } from '../keys/digest.js'
import { keyAndValidity, parseCertificate } from './certificate.js'
import type { AuthorityRecord, AuthorityStore, ServiceName } from './embedded/authority-store.js'
import { checkedAuthority, type Authority } from './embedded/checked-authority.js'
import { DEFAULT_OWN_KEYS, type OwnKeys } from './embedded/own-key.js'
import type { EmbeddedAuthority } from './embedded/embedded-authority.js'
import type { IssuedCertificateStore } from './issued-certificates.js'
import type { CertificateProfile } from './profiles.js'
import type { FinalReason } from './revocation.js'

/** The key of a service with its certificate. It stays the same for as long as the object is used. */
export interface ServiceKey {
  /** DER. */
  readonly certificate: Buffer
  /** The certificates above it, issuer first, DER. */
  readonly chain: readonly Buffer[]
  /** By which it signs, always. */
  readonly algorithm: SignatureAlgorithm
}

export interface OcspKey extends ServiceKey {
  /**
   * Signs a `ResponseData`, DER.
   * @throws what `TimestampKey.sign` throws
   */
  sign(responseData: Buffer): Promise<Buffer>
}

export interface TimestampKey extends ServiceKey {
  /**
   * Signs the attributes of a timestamp: a SET OF (0x31) in DER, with content-type id-ct-TSTInfo, the
   * message-digest of `tstInfo` under `algorithm.hash`, and signing-certificate-v2. The token hashes
   * nothing: `sign` does.
   * @param tstInfo DER; its genTime is within a minute of the clock of the key process
   * @returns the signature, verified: an ECDSA-Sig-Value in DER, or PKCS#1 octets
   * @throws {HsmUnavailableError} when nothing was signed; also after the certificate's end, or when the
   * key process refuses because a newer key took this one's place: open the service again
   * @throws {HsmOutcomeUnknownError} @throws {SignatureWithheldError}
   */
  sign(signedAttributes: Buffer, tstInfo: Buffer): Promise<Buffer>
}

interface KindOfKey {
  readonly ocsp: OcspKey
  readonly tsa: TimestampKey
}

interface ServiceFacts {
  /** In its certificate, after the name of the organisation. */
  readonly commonName: string
  readonly statement: StatementKind
  /** Then there is another key, long before the certificate ends: what was signed is to be believed for years. */
  readonly usedForDays: number
}

const FACTS: Readonly<Record<ServiceName, ServiceFacts>> = {
  ocsp: { commonName: 'OCSP Responder', statement: 'ocsp-response', usedForDays: 60 },
  tsa: { commonName: 'Time-Stamping Unit', statement: 'timestamp', usedForDays: 365 },
}

const DAY_MS = 86_400_000

/** Another replica may have renewed the key meanwhile. */
const BELIEVE_MS = 60_000

/**
 * The keys by which our own services sign: the OCSP responder and the timestamping authority. Each is made
 * in the token when it is first asked for, certified by the issuing authority and on record as such, and
 * signs statements of its kind alone. All replicas use the same one.
 */
export class ServiceKeys {
  readonly #parts: ServiceKeysParts
  readonly #keys: Pick<OwnKeys, ServiceName>
  readonly #opened = new Map<ServiceName, { key: Promise<CertifiedKey>; until: number }>()

  constructor(parts: ServiceKeysParts) {
    this.#parts = parts
    this.#keys = parts.keys ?? DEFAULT_OWN_KEYS
  }

  /** Cheap when it was opened before: ask for it anew for each thing to sign. */
  open<Name extends ServiceName>(name: Name): Promise<KindOfKey[Name]> {
    const now = performance.now()
    const known = this.#opened.get(name)
    if (known && now < known.until) return known.key
    const key = this.#load(name)
    this.#opened.set(name, { key, until: now + BELIEVE_MS })
    key.catch(() => this.#opened.delete(name)) // the next who asks tries again
    return key
  }

  /**
   * Makes what is missing before somebody waits for it, and new keys for those that were used long enough.
   * For one process at a time.
   */
  async prepare(): Promise<void> {
    for (const name of ['ocsp', 'tsa'] as const) {
      const { certificate } = await this.open(name)
      if (this.#isWornOut(name, certificate)) await this.#renewWornOut(name)
    }
  }

  #isWornOut(name: ServiceName, certificate: Buffer): boolean {
    const { notBefore } = keyAndValidity(certificate)
    const used = this.#parts.now().getTime() - notBefore.getTime()
    return used > FACTS[name].usedForDays * DAY_MS
  }

  async #renewWornOut(name: ServiceName): Promise<void> {
    const former = await this.#parts.store.load(name)
    if (former && this.#isWornOut(name, former.certificate)) await this.#replace(name, former, true)
  }

  /**
   * Another key at once.
   * @param revoked why the certificate of the one before is revoked; null when it stays good
   * @returns the new certificate, DER; null when somebody else was faster
   */
  async renew(name: ServiceName, revoked: FinalReason | null): Promise<Buffer | null> {
    const { store, issued, now } = this.#parts
    await this.open(name)
    const former = await store.load(name)
    const made = former && (await this.#replace(name, former, revoked === null))
    if (!former || !made) return null
    if (revoked !== null) {
      const { serialNumber } = parseCertificate(former.certificate)
      const event = auditEvent('certificate.revoked', { serialNumber, reason: revoked })
      await issued.revoke(serialNumber, { at: now(), reason: revoked }, [event])
    }
    return made.certificate
  }

  async #replace(
    name: ServiceName,
    former: AuthorityRecord,
    isTrusted: boolean,
  ): Promise<AuthorityRecord | null> {
    const { custody, store } = this.#parts
    const made = await this.#make(name)
    const audit = [issuedEvent(made)]
    const replaced = await store.replace(name, former.keyId, made, isTrusted, audit)
    if (!replaced) await custody.destroy(made.keyId)
    this.#opened.delete(name)
    return replaced ? made : null
  }

  async #load(name: ServiceName): Promise<CertifiedKey> {
    const { custody, store, authority } = this.#parts
    const record = (await store.load(name)) ?? (await this.#makeFirst(name))
    const { hash } = this.#keys[name]
    const checked = await checkedAuthority(custody, name, record, authority.issuing, hash)
    return new CertifiedKey(checked, authority.chain, FACTS[name].statement, this.#parts)
  }

  /** Of several replicas the first counts; the others destroy what they made. */
  async #makeFirst(name: ServiceName): Promise<AuthorityRecord> {
    const { custody, store } = this.#parts
    const made = await this.#make(name)
    await store.save(name, made, [issuedEvent(made)])
    const kept = await store.load(name)
    if (kept === null) throw new Error(`The ${name} key could not be stored`)
    if (kept.keyId !== made.keyId) await custody.destroy(made.keyId)
    return kept
  }

  async #make(name: ServiceName): Promise<AuthorityRecord> {
    const { custody, authority, subject, profiles } = this.#parts
    const { keyId, publicKey } = await custody.generate(this.#keys[name].algorithm)
    try {
      const commonName = `${subject.organization} ${FACTS[name].commonName}`
      const { certificate } = await authority.issue({
        ...{ keyId, publicKey, profile: profiles[name] },
        subject: { ...subject, commonName },
      })
      return { keyId, certificate }
    } catch (error) {
      await custody.destroy(keyId).catch(() => undefined) // the failure that counts is the first
      throw error
    }
  }
}

interface ServiceKeysParts {
  readonly custody: KeyCustody
  readonly store: AuthorityStore
  readonly authority: Pick<EmbeddedAuthority, 'issue' | 'issuing' | 'chain'>
  readonly issued: Pick<IssuedCertificateStore, 'revoke'>
  readonly subject: { readonly organization: string; readonly country: string }
  readonly profiles: Readonly<Record<ServiceName, CertificateProfile>>
  /** What keys they get when they are made next, and with which hashes they sign. */
  readonly keys?: Pick<OwnKeys, ServiceName>
  readonly now: () => Date
  /** Null when the custody releases nothing unverified itself. */
  readonly verify: typeof verifyDigest | null
}

class CertifiedKey implements OcspKey, TimestampKey {
  readonly certificate: Buffer
  readonly chain: readonly Buffer[]
  readonly algorithm: SignatureAlgorithm
  readonly #authority: Authority
  readonly #kind: StatementKind
  readonly #parts: ServiceKeysParts

  constructor(
    authority: Authority,
    chain: readonly Buffer[],
    kind: StatementKind,
    parts: ServiceKeysParts,
  ) {
    this.#authority = authority
    this.certificate = authority.certificate.der
    this.chain = chain
    this.algorithm = authority.algorithm
    this.#kind = kind
    this.#parts = parts
  }

  async sign(toBeSigned: Buffer, tstInfo: Buffer | null = null): Promise<Buffer> {
    const { keyId, certificate } = this.#authority
    const { custody, now, verify } = this.#parts
    const { notBefore, notAfter, publicKey } = certificate
    const moment = now()
    if (moment < notBefore || moment > notAfter) {
      throw new HsmUnavailableError(`The certificate of the ${this.#kind} key is not valid now`)
    }
    const { algorithm } = this
    const kind = this.#kind
    const signature = await attestWith(custody, { kind, keyId, toBeSigned, tstInfo, algorithm })
    if (verify === null) return signature
    const digest = digestOf(algorithm.hash, toBeSigned)
    if (await verify(publicKey, digest, signature, algorithm)) return signature
    throw new SignatureWithheldError(`The signature of a ${kind} does not verify`)
  }
}

function issuedEvent({ certificate }: AuthorityRecord) {
  const { serialNumber, subject } = parseCertificate(certificate)
  const sha256 = createHash('sha256').update(certificate).digest('hex')
  return auditEvent('certificate.issued', { serialNumber, subject, sha256 })
}
