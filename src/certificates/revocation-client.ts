import { createHash, randomBytes } from 'node:crypto'
import * as asn1js from 'asn1js'
import { LRUCache } from 'lru-cache'
import {
  AlgorithmIdentifier,
  CertID,
  ContentInfo,
  Extension,
  OCSPRequest,
  Request,
  TBSRequest,
} from 'pkijs'
import type { BoundedHttp, HttpAnswer, HttpQuestion } from './bounded-http.js'
import { certificatesOf } from './certificate-set.js'
import { pointersOf } from './certificate-pointers.js'
import { readCrl } from './crl.js'
import {
  keyHash,
  knownCertificate,
  serialContent,
  type KnownCertificate,
} from './known-certificate.js'
import { readOcspResponse } from './ocsp-response.js'
import type { RevocationAnswer } from './revocation-answer.js'
import { freshAnswer } from './revocation-records.js'

/** Something that was fetched, and what it says. */
export interface Fetched {
  /** `OCSPResponse` or `CertificateList`, DER. */
  readonly bytes: Buffer
  readonly answer: RevocationAnswer
}

const SHA1 = '1.3.14.3.2.26'
const NONCE = '1.3.6.1.5.5.7.48.1.2'
const NONCE_BYTES = 16
const MOST_OCSP_BYTES = 128 * 1024
const MOST_CERTIFICATE_BYTES = 256 * 1024
const MOST_CRL_BYTES = 8 * 1024 * 1024
const CACHED_BYTES = 64 * 1024 * 1024
/** However long it says that it is good for, it may have been revoked since. */
const LONGEST_CACHED_MS = 60 * 60_000
const CERTIFICATES_CACHED_MS = 24 * 60 * 60_000
/** What failed is not asked again at once. */
const FAILURES_CACHED_MS = 30_000

type Kept =
  | { readonly bytes: Buffer; readonly until: number }
  | { readonly error: Error; readonly until: number }

export interface RevocationClientOptions {
  readonly http: BoundedHttp
  readonly now: () => Date
}

/**
 * Fetches what certificates point to. Each answer is checked before anybody gets it, and kept for as long as
 * it is news; those who want the same at the same time wait for one request.
 */
export class RevocationClient {
  readonly #http: BoundedHttp
  readonly #now: () => Date
  readonly #kept = new LRUCache<string, Kept>({
    maxSize: CACHED_BYTES,
    sizeCalculation: (kept) => 256 + ('bytes' in kept ? kept.bytes.length : 0),
  })
  readonly #underway = new Map<string, Promise<Buffer>>()

  constructor({ http, now }: RevocationClientOptions) {
    this.#http = http
    this.#now = now
  }

  /** Certificates of the issuer, from where the certificate says; none when they cannot be had. */
  async issuers(certificate: KnownCertificate): Promise<KnownCertificate[]> {
    for (const url of pointersOf(certificate).caIssuers) {
      const bytes = await this.#fetch(`issuers ${url.href}`, async () => {
        const { body } = await this.#ask(url, { mostBytes: MOST_CERTIFICATE_BYTES })
        const found = certificatesIn(body)
        if (found.length === 0) throw new Error('there is no certificate')
        return { bytes: body, until: this.#at(CERTIFICATES_CACHED_MS) }
      }).catch(() => null)
      if (bytes) return certificatesIn(bytes)
    }
    return []
  }

  /** @throws {Error} when no responder gives an answer that holds; the last one's is the reason */
  ocsp(certificate: KnownCertificate, issuer: KnownCertificate): Promise<Fetched> {
    return this.#first(pointersOf(certificate).ocsp, 'OCSP responder', async (url) => {
      const name = `ocsp ${url.href} ${certificate.fingerprint} ${issuer.fingerprint}`
      const read = (bytes: Buffer, nonce: Buffer | null) => {
        const response = readOcspResponse(bytes)
        if (nonce && response.nonce && !nonce.equals(response.nonce)) {
          throw new Error('the OCSP response answers somebody else')
        }
        return freshAnswer(response, { certificate, issuer, time: this.#now() })
      }
      const bytes = await this.#fetch(name, async () => {
        const nonce = randomBytes(NONCE_BYTES)
        const { body } = await this.#ask(url, {
          headers: {
            'Content-Type': 'application/ocsp-request',
            Accept: 'application/ocsp-response',
          },
          body: encodeRequest(certificate, issuer, nonce),
          mostBytes: MOST_OCSP_BYTES,
        })
        return { bytes: body, until: this.#until(read(body, nonce)) }
      })
      return { bytes, answer: read(bytes, null) }
    })
  }

  /** @throws {Error} when there is no list that holds */
  crl(certificate: KnownCertificate, issuer: KnownCertificate): Promise<Fetched> {
    return this.#first(pointersOf(certificate).crls, 'CRL', async (url) => {
      const read = (bytes: Buffer) =>
        freshAnswer(readCrl(bytes), { certificate, issuer, time: this.#now() })
      const bytes = await this.#fetch(`crl ${url.href} ${issuer.fingerprint}`, async () => {
        const { body } = await this.#ask(url, { mostBytes: MOST_CRL_BYTES })
        return { bytes: body, until: this.#until(read(body)) }
      })
      return { bytes, answer: read(bytes) }
    })
  }

  async #first(
    urls: readonly URL[],
    what: string,
    fetch: (url: URL) => Promise<Fetched>,
  ): Promise<Fetched> {
    let failure = new Error(`the certificate names no ${what}`)
    for (const url of urls) {
      try {
        return await fetch(url)
      } catch (cause) {
        failure = new Error(`${url.host}: ${(cause as Error).message}`, { cause })
      }
    }
    throw failure
  }

  async #ask(url: URL, question: HttpQuestion): Promise<HttpAnswer> {
    const answer = await this.#http(url, question)
    if (answer.status !== 200) throw new Error(`status ${answer.status}`)
    return answer
  }

  #fetch(name: string, work: () => Promise<{ bytes: Buffer; until: number }>): Promise<Buffer> {
    const kept = this.#kept.get(name)
    if (kept && this.#now().getTime() < kept.until) {
      return 'bytes' in kept ? Promise.resolve(kept.bytes) : Promise.reject(kept.error)
    }
    const underway = this.#underway.get(name)
    if (underway) return underway
    const fetching = this.#remember(name, work).finally(() => this.#underway.delete(name))
    this.#underway.set(name, fetching)
    return fetching
  }

  async #remember(
    name: string,
    work: () => Promise<{ bytes: Buffer; until: number }>,
  ): Promise<Buffer> {
    try {
      const found = await work()
      this.#kept.set(name, found)
      return found.bytes
    } catch (cause) {
      const error = cause instanceof Error ? cause : new Error(String(cause))
      this.#kept.set(name, { error, until: this.#at(FAILURES_CACHED_MS) })
      throw error
    }
  }

  #until({ nextUpdate }: RevocationAnswer): number {
    return Math.min(nextUpdate?.getTime() ?? 0, this.#at(LONGEST_CACHED_MS))
  }

  #at(fromNowMs: number): number {
    return this.#now().getTime() + fromNowMs
  }
}

/** One certificate, DER or PEM, or those of a PKCS#7. @see RFC 5280, 4.2.2.1 */
function certificatesIn(bytes: Buffer): KnownCertificate[] {
  const text = bytes.subarray(0, 64).toString('latin1')
  const der = text.includes('-----BEGIN') ? fromPem(bytes.toString('latin1')) : bytes
  try {
    return [knownCertificate(der)]
  } catch {
    return bundled(der)
  }
}

function fromPem(text: string): Buffer {
  const [, base64 = ''] = /-----BEGIN [A-Z0-9 ]+-----([^-]+)-----END/.exec(text) ?? []
  return Buffer.from(base64, 'base64')
}

const ID_SIGNED_DATA = '1.2.840.113549.1.7.2'

function bundled(der: Buffer): KnownCertificate[] {
  try {
    const outer = new ContentInfo({ schema: asn1js.fromBER(der).result })
    if (outer.contentType !== ID_SIGNED_DATA) return []
    return certificatesOf(outer.content).map((each) => knownCertificate(each))
  } catch {
    return []
  }
}

/** One certificate, named by SHA-1 as every responder understands; the hash protects nothing. */
function encodeRequest(
  certificate: KnownCertificate,
  issuer: KnownCertificate,
  nonce: Buffer,
): Buffer {
  const octets = (valueHex: Buffer) => new asn1js.OctetString({ valueHex })
  const reqCert = new CertID({
    hashAlgorithm: new AlgorithmIdentifier({
      algorithmId: SHA1,
      algorithmParams: new asn1js.Null(),
    }),
    issuerNameHash: octets(createHash('sha1').update(issuer.subjectName).digest()),
    issuerKeyHash: octets(keyHash(issuer, 'sha1')),
    serialNumber: new asn1js.Integer({ valueHex: serialContent(certificate) }),
  })
  const extnValue = octets(nonce).toBER()
  const request = new OCSPRequest({
    tbsRequest: new TBSRequest({
      requestList: [new Request({ reqCert })],
      requestExtensions: [new Extension({ extnID: NONCE, extnValue })],
    }),
  })
  return Buffer.from(request.toSchema(true).toBER())
}
