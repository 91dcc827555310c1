import { setTimeout as pauseFor } from 'node:timers/promises'
import * as asn1js from 'asn1js'
import { Certificate, ContentInfo, SignedData } from 'pkijs'
import { CertificateUnavailableError } from '../../../errors.js'
import type { BoundedHttp, HttpAnswer } from '../../bounded-http.js'
import type { Enrolment } from '../remote-authority.js'

export interface EstOptions {
  /** Up to and with `/.well-known/est`, and a label where there is one. */
  readonly url: string
  readonly http: BoundedHttp
  /** For HTTP Basic. */
  readonly login?: { readonly user: string; readonly password: string }
  /** How long a request may be pending there before we give it up. */
  readonly patienceSeconds: number
  readonly pause?: (seconds: number) => Promise<void>
}

const MOST_ANSWER_BYTES = 256 * 1024
const SIGNED_DATA = '1.2.840.113549.1.7.2'
/** Where the server does not say when to ask again. */
const PAUSE_SECONDS = 2

/** Enrolment over Secure Transport. @see RFC 7030, 4.1 and 4.2 */
export class Est implements Enrolment {
  readonly #options: EstOptions

  constructor(options: EstOptions) {
    this.#options = options
  }

  async enrol(request: Buffer): Promise<Buffer[]> {
    const issued = certificatesOf(await this.#simpleEnrol(request))
    const above = certificatesOf(await this.#ask('cacerts', null))
    return unique([...issued, ...above])
  }

  /** A pending request is asked for again in the same words (4.2.3). */
  async #simpleEnrol(request: Buffer): Promise<HttpAnswer> {
    const { patienceSeconds, pause = (seconds) => pauseFor(seconds * 1000) } = this.#options
    let left = patienceSeconds
    for (;;) {
      const answer = await this.#ask('simpleenroll', request)
      if (answer.status !== 202) return answer
      const { retryAfter } = answer
      const seconds = Math.max(1, retryAfter ?? PAUSE_SECONDS)
      if (seconds > left) throw new CertificateUnavailableError('The EST server wants us to wait')
      left -= seconds
      await pause(seconds)
    }
  }

  async #ask(operation: string, request: Buffer | null): Promise<HttpAnswer> {
    const { url, http, login } = this.#options
    const credentials = login && Buffer.from(`${login.user}:${login.password}`).toString('base64')
    const answer = await http(new URL(`${url.replace(/\/$/, '')}/${operation}`), {
      headers: {
        ...(request
          ? { 'Content-Type': 'application/pkcs10', 'Content-Transfer-Encoding': 'base64' }
          : {}),
        // Certificates of authorities are for everybody.
        ...(request && credentials !== undefined ? { Authorization: `Basic ${credentials}` } : {}),
      },
      ...(request ? { body: Buffer.from(lines(request.toString('base64'))) } : {}),
      mostBytes: MOST_ANSWER_BYTES,
    }).catch((cause: unknown) => {
      throw new CertificateUnavailableError('The EST server does not answer', { cause })
    })
    const { status, contentType } = answer
    if (status === 202 && request) return answer
    if (status !== 200 || contentType !== 'application/pkcs7-mime') {
      throw new CertificateUnavailableError(`The EST server answered ${operation} with ${status}`)
    }
    return answer
  }
}

/** The certificates of a certs-only message in Base64. @see RFC 8951, 3: its encoding is never said */
function certificatesOf({ body }: HttpAnswer): Buffer[] {
  try {
    const der = Buffer.from(body.toString('latin1').replace(/\s/g, ''), 'base64')
    const info = new ContentInfo({ schema: asn1js.fromBER(der).result })
    if (info.contentType !== SIGNED_DATA) throw new Error('no SignedData')
    const { certificates = [] } = new SignedData({ schema: info.content })
    return certificates
      .filter((each) => each instanceof Certificate)
      .map((each) => Buffer.from(each.toSchema().toBER()))
  } catch (cause) {
    throw new CertificateUnavailableError('The EST server gave no certificates', { cause })
  }
}

function unique(certificates: readonly Buffer[]): Buffer[] {
  return [...new Map(certificates.map((der) => [der.toString('base64'), der])).values()]
}

/** Of 76 characters, as MIME has them. */
function lines(base64: string): string {
  return (base64.match(/.{1,76}/g) ?? []).join('\r\n')
}
