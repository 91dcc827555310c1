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
import { PathCertificate } from './path.js'
import {
  readCrl,
  readOcsp,
  type RevocationQuestion,
  type RevocationStatement,
} from './revocation-statement.js'

/** Something that was fetched, and what it says. */
export interface Fetched {
  /** `OCSPResponse` or `CertificateList`, DER. */
  readonly bytes: Buffer
  readonly statement: RevocationStatement
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
  async issuers(certificate: PathCertificate): Promise<PathCertificate[]> {
    for (const url of pointersOf(certificate.parsed).caIssuers) {
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
  ocsp(certificate: PathCertificate, issuer: PathCertificate): Promise<Fetched> {
    return this.#first(pointersOf(certificate.parsed).ocsp, 'OCSP responder', async (url) => {
      const name = `ocsp ${url.href} ${fingerprint(certificate)} ${fingerprint(issuer)}`
      const question = () => ({ certificate, issuer, now: this.#now() })
      const bytes = await this.#fetch(name, async () => {
        const nonce = randomBytes(NONCE_BYTES)
        const { body } = await this.#ask(url, {
          headers: {
            'Content-Type': 'application/ocsp-request',
            Accept: 'application/ocsp-response',
          },
          body: encodeRequest(question(), nonce),
          mostBytes: MOST_OCSP_BYTES,
        })
        return { bytes: body, until: this.#until(readOcsp(body, question(), nonce)) }
      })
      return { bytes, statement: readOcsp(bytes, question()) }
    })
  }

  /** @throws {Error} when there is no list that holds */
  crl(certificate: PathCertificate, issuer: PathCertificate): Promise<Fetched> {
    return this.#first(pointersOf(certificate.parsed).crls, 'CRL', async (url) => {
      const question = () => ({ certificate, issuer, now: this.#now() })
      const bytes = await this.#fetch(`crl ${url.href} ${fingerprint(issuer)}`, async () => {
        const { body } = await this.#ask(url, { mostBytes: MOST_CRL_BYTES })
        return { bytes: body, until: this.#until(readCrl(body, question())) }
      })
      return { bytes, statement: readCrl(bytes, question()) }
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

  #until({ nextUpdate }: RevocationStatement): number {
    return Math.min(nextUpdate?.getTime() ?? 0, this.#at(LONGEST_CACHED_MS))
  }

  #at(fromNowMs: number): number {
    return this.#now().getTime() + fromNowMs
  }
}

/** One certificate, DER or PEM, or those of a PKCS#7. @see RFC 5280, 4.2.2.1 */
function certificatesIn(bytes: Buffer): PathCertificate[] {
  const text = bytes.subarray(0, 64).toString('latin1')
  const der = text.includes('-----BEGIN') ? fromPem(bytes.toString('latin1')) : bytes
  try {
    return [new PathCertificate(der)]
  } catch {
    return bundled(der)
  }
}

function fromPem(text: string): Buffer {
  const [, base64 = ''] = /-----BEGIN [A-Z0-9 ]+-----([^-]+)-----END/.exec(text) ?? []
  return Buffer.from(base64, 'base64')
}

const ID_SIGNED_DATA = '1.2.840.113549.1.7.2'

function bundled(der: Buffer): PathCertificate[] {
  try {
    const outer = new ContentInfo({ schema: asn1js.fromBER(der).result })
    if (outer.contentType !== ID_SIGNED_DATA) return []
    return certificatesOf(outer.content).map((each) => new PathCertificate(each))
  } catch {
    return []
  }
}

/** One certificate, named by SHA-1 as every responder understands; the hash protects nothing. */
function encodeRequest({ certificate, issuer }: RevocationQuestion, nonce: Buffer): Buffer {
  const sha1 = (bytes: Uint8Array) =>
    new asn1js.OctetString({ valueHex: createHash('sha1').update(bytes).digest() })
  const reqCert = new CertID({
    hashAlgorithm: new AlgorithmIdentifier({
      algorithmId: SHA1,
      algorithmParams: new asn1js.Null(),
    }),
    issuerNameHash: sha1(issuer.parsed.subjectName),
    issuerKeyHash: sha1(issuer.keyBits),
    serialNumber: certificate.serialInteger,
  })
  const extnValue = new asn1js.OctetString({ valueHex: nonce }).toBER()
  const request = new OCSPRequest({
    tbsRequest: new TBSRequest({
      requestList: [new Request({ reqCert })],
      requestExtensions: [new Extension({ extnID: NONCE, extnValue })],
    }),
  })
  return Buffer.from(request.toSchema(true).toBER())
}

function fingerprint({ der }: PathCertificate): string {
  return createHash('sha256').update(der).digest('base64url')
}
