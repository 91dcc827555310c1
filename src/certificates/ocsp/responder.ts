import { createHash } from 'node:crypto'
import * as asn1js from 'asn1js'
import { LRUCache } from 'lru-cache'
import { keyAndValidity, type ParsedCertificate } from '../certificate.js'
import { sequenceOf } from '../der.js'
import type { IssuedCertificateStore } from '../issued-certificates.js'
import { HASH_NAMES } from '../signature-method.js'
import type { ServiceKeys } from '../service-keys.js'
import { MalformedOcspRequestError, readOcspRequest, type CertificateId } from './request.js'
import {
  assembleOcspResponse,
  encodeResponseData,
  keyHash,
  ocspRefusal,
  type OcspRefusal,
  wholeSeconds,
  type CertificateAnswer,
} from './response.js'

/** What of a response a cache may be told. */
export interface OcspAnswer {
  /** OCSPResponse, DER. */
  readonly bytes: Buffer
  /** Null when it is for whoever asked alone. */
  readonly validity: { readonly thisUpdate: Date; readonly nextUpdate: Date } | null
}

/** How long an answer is good; caches of others keep it for half of that. */
const VALID_SECONDS = 3600
const KEPT_ANSWERS = 20_000
/** Signatures for single askers that are under way at a time. What was signed before costs nothing. */
const MOST_FRESH = 8

/**
 * Answers whether certificates of the issuing authority are good. An answer without a nonce is signed once
 * and given to everybody until it is half as old as it may get, or something changes; while the token is away,
 * for as long as it is good.
 * @see RFC 6960, RFC 9654 and the profile of RFC 5019
 */
export class OcspResponder {
  readonly #parts: OcspResponderParts
  readonly #kept = new LRUCache<string, OcspAnswer>({ max: KEPT_ANSWERS })
  readonly #signing = new Map<string, Promise<OcspAnswer>>()
  readonly #issuers = new Map<string, IssuerHashes>()
  #fresh = 0

  constructor(parts: OcspResponderParts) {
    this.#parts = parts
  }

  /**
   * @param request OCSPRequest, DER
   * @throws what the store and the token throw
   */
  async answer(request: Buffer): Promise<OcspAnswer> {
    try {
      return await this.#answer(request)
    } catch (error) {
      this.#parts.observer?.ocspAnswered('failed', 'none')
      throw error
    }
  }

  #note(answers: readonly CertificateAnswer[], origin: 'signed' | 'kept'): void {
    const [only, another] = answers
    const revoked = only?.status?.revocation ? 'revoked' : 'good'
    const says = another ? 'several' : only?.status ? revoked : 'unknown'
    this.#parts.observer?.ocspAnswered(says, origin)
  }

  #refuse(why: OcspRefusal): OcspAnswer {
    this.#parts.observer?.ocspAnswered(why, 'none')
    return { bytes: ocspRefusal(why), validity: null }
  }

  async #answer(request: Buffer): Promise<OcspAnswer> {
    let asked
    try {
      asked = readOcspRequest(request)
    } catch (error) {
      if (!(error instanceof MalformedOcspRequestError)) throw error
      return this.#refuse('malformedRequest')
    }
    const answers = await Promise.all(asked.certificates.map((id) => this.#look(id)))
    const [only, ...others] = answers
    const isForEverybody = only?.status && others.length === 0
    if (isForEverybody && (asked.nonce === null || this.#fresh >= MOST_FRESH)) {
      const before = this.#kept.get(nameOf(only))
      const answer = await this.#keptAnswer(only)
      this.#note(answers, answer === before ? 'kept' : 'signed')
      return answer
    }
    if (this.#fresh >= MOST_FRESH) return this.#refuse('tryLater')
    this.#fresh += 1
    try {
      const { bytes } = await this.#sign(answers, asked.nonce)
      this.#note(answers, 'signed')
      return { bytes, validity: null }
    } catch (error) {
      const kept = isForEverybody ? this.#stillGood(only, EPOCH) : null
      if (!kept) throw error
      this.#note(answers, 'kept')
      return kept
    } finally {
      this.#fresh -= 1
    }
  }

  /**
   * What everybody is told of a certificate of ours; null for one that is not.
   * @param since an answer of an earlier second is not taken from what is kept
   */
  async current(certificate: ParsedCertificate, since = EPOCH): Promise<Buffer | null> {
    const answer = await this.#look(this.#identify(certificate))
    if (!answer.status || !this.#isIssuer(certificate)) return null
    return (await this.#keptAnswer(answer, since)).bytes
  }

  #isIssuer({ issuerName }: ParsedCertificate): boolean {
    return issuerName.equals(this.#parts.issuer.subjectName)
  }

  async #look(id: CertificateId): Promise<CertificateAnswer> {
    const { issuerNameHash, issuerKeyHash, serialNumber, hashOid } = id
    const issuer = this.#issuerHashes(hashOid)
    const isOurs = issuer?.name.equals(issuerNameHash) && issuer.key.equals(issuerKeyHash)
    return { id, status: isOurs ? await this.#parts.issued.find(serialNumber) : null }
  }

  /** Of our issuing authority, under the hash that was asked with. */
  #issuerHashes(oid: string): IssuerHashes | null {
    const hash = ISSUER_HASHES.includes(oid) ? HASH_NAMES[oid] : undefined
    if (hash === undefined) return null
    const { issuer } = this.#parts
    const known = this.#issuers.get(oid)
    if (known) return known
    const name = createHash(hash).update(issuer.subjectName).digest()
    const hashes = { name, key: keyHash(issuer.publicKey, hash) }
    this.#issuers.set(oid, hashes)
    return hashes
  }

  /** A CertID as most clients write it. */
  #identify({ serialNumber }: ParsedCertificate): CertificateId {
    const hashes = this.#issuerHashes(SHA1)
    if (!hashes) throw new Error('SHA-1 names issuers')
    const parts = [
      new asn1js.Sequence({
        value: [new asn1js.ObjectIdentifier({ value: SHA1 }), new asn1js.Null()],
      }),
      new asn1js.OctetString({ valueHex: hashes.name }),
      new asn1js.OctetString({ valueHex: hashes.key }),
      asn1js.Integer.fromBigInt(BigInt(`0x${serialNumber}`)),
    ]
    return {
      der: sequenceOf(...parts.map((part) => Buffer.from(part.toBER()))),
      ...{ hashOid: SHA1, issuerNameHash: hashes.name, issuerKeyHash: hashes.key, serialNumber },
    }
  }

  async #keptAnswer(answer: CertificateAnswer, since = EPOCH): Promise<OcspAnswer> {
    const kept = this.#stillGood(answer, since)
    if (kept?.validity && this.#isYoung(kept.validity)) return kept
    try {
      return await this.#signForEverybody(answer)
    } catch (error) {
      if (kept) return kept
      throw error
    }
  }

  /** What was signed before, as long as it is good. */
  #stillGood(answer: CertificateAnswer, since: Date): OcspAnswer | null {
    const kept = this.#kept.get(nameOf(answer))
    if (!kept?.validity || kept.validity.thisUpdate < wholeSeconds(since)) return null
    const now = this.#parts.now()
    return now >= kept.validity.thisUpdate && now < kept.validity.nextUpdate ? kept : null
  }

  #signForEverybody(answer: CertificateAnswer): Promise<OcspAnswer> {
    const name = nameOf(answer)
    const begun = this.#signing.get(name)
    if (begun) return begun
    const signing = this.#sign([answer], null)
      .then((signed) => {
        this.#kept.set(name, signed)
        return signed
      })
      .finally(() => this.#signing.delete(name))
    this.#signing.set(name, signing)
    return signing
  }

  #isYoung({ nextUpdate }: NonNullable<OcspAnswer['validity']>): boolean {
    return nextUpdate.getTime() - this.#parts.now().getTime() > (VALID_SECONDS * 1000) / 2
  }

  async #sign(answers: readonly CertificateAnswer[], nonce: Buffer | null): Promise<OcspAnswer> {
    const key = await this.#parts.keys.open('ocsp')
    const { publicKey } = keyAndValidity(key.certificate)
    const thisUpdate = wholeSeconds(this.#parts.now())
    const nextUpdate = new Date(thisUpdate.getTime() + VALID_SECONDS * 1000)
    // Nothing that was issued is ever forgotten.
    const archiveCutoff = this.#parts.issuer.notBefore
    const plan = { answers, thisUpdate, nextUpdate, archiveCutoff, nonce, publicKey }
    const responseData = encodeResponseData(plan)
    const bytes = assembleOcspResponse(responseData, await key.sign(responseData), key)
    return { bytes, validity: { thisUpdate, nextUpdate } }
  }
}

interface OcspResponderParts {
  readonly issued: Pick<IssuedCertificateStore, 'find'>
  readonly keys: Pick<ServiceKeys, 'open'>
  /** The authority whose certificates it knows. */
  readonly issuer: ParsedCertificate
  readonly now: () => Date
  readonly observer?: OcspObserver
}

/** Told of every response that somebody asked for. */
interface OcspObserver {
  /** @param says good, revoked, unknown, several, failed, or why nothing is said */
  ocspAnswered(says: string, origin: 'signed' | 'kept' | 'none'): void
}

interface IssuerHashes {
  readonly name: Buffer
  readonly key: Buffer
}

const EPOCH = new Date(0)
const SHA1 = '1.3.14.3.2.26'
/** Hashes that name issuers in CertIDs: they find, and prove nothing. */
const ISSUER_HASHES = [
  SHA1,
  ...['2.16.840.1.101.3.4.2.1', '2.16.840.1.101.3.4.2.2', '2.16.840.1.101.3.4.2.3'],
]

/** Of an answer that holds until something changes. */
function nameOf({ id, status }: CertificateAnswer): string {
  const { at, reason } = status?.revocation ?? {}
  return [id.der.toString('latin1'), at?.getTime() ?? '', reason ?? ''].join(' ')
}
