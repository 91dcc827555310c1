import { randomBytes } from 'node:crypto'
import { Type } from '@sinclair/typebox'
import { CertificateUnavailableError } from '../../../errors.js'
import type { BoundedHttp } from '../../bounded-http.js'
import type { Enrolment } from '../remote-authority.js'
import { validatorOf } from '../../../validator.js'

export interface EjbcaOptions {
  /** Of the REST interface, such as `https://ca.example/ejbca/ejbca-rest-api`. */
  readonly url: string
  readonly http: BoundedHttp
  readonly authorityName: string
  readonly certificateProfile: string
  readonly endEntityProfile: string
}

const MOST_ANSWER_BYTES = 256 * 1024
const LONGEST_MESSAGE = 200

const EnrolledSchema = Type.Object({
  /** Base64 of DER, or PEM in Base64. */
  certificate: Type.String({ minLength: 1 }),
  certificate_chain: Type.Optional(Type.Array(Type.String(), { maxItems: 10 })),
  response_format: Type.Optional(Type.Literal('DER')),
})

const isEnrolled = validatorOf(EnrolledSchema)

/** EJBCA's REST interface, `POST /v1/certificate/pkcs10enroll`. */
export class Ejbca implements Enrolment {
  readonly #options: EjbcaOptions

  constructor(options: EjbcaOptions) {
    this.#options = options
  }

  async enrol(request: Buffer, name: string): Promise<Buffer[]> {
    const { url, http, authorityName, certificateProfile, endEntityProfile } = this.#options
    const body = JSON.stringify({
      certificate_request: pem(request),
      certificate_profile_name: certificateProfile,
      end_entity_profile_name: endEntityProfile,
      certificate_authority_name: authorityName,
      username: `openrssp-${name}`,
      // An end entity is made for each key; its enrolment code is used here and never again.
      password: randomBytes(24).toString('base64url'),
      include_chain: true,
      response_format: 'DER',
    })
    const address = new URL(`${url.replace(/\/$/, '')}/v1/certificate/pkcs10enroll`)
    const answer = await http(address, {
      headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
      ...{ body: Buffer.from(body), mostBytes: MOST_ANSWER_BYTES },
    }).catch((cause: unknown) => {
      throw new CertificateUnavailableError('EJBCA does not answer', { cause })
    })
    const said = parse(answer.body)
    if (answer.status !== 200 && answer.status !== 201) {
      throw new CertificateUnavailableError(`EJBCA answered ${answer.status}${messageOf(said)}`)
    }
    if (!isEnrolled(said)) throw new CertificateUnavailableError('EJBCA gave no certificate')
    const { certificate, certificate_chain: chain = [] } = said
    const all = [certificate, ...chain].map((each) => Buffer.from(each, 'base64'))
    return [...new Map(all.map((der) => [der.toString('base64'), der])).values()]
  }
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return null
  }
}

/** What it says is wrong, for our log; nobody else sees it. */
function messageOf(said: unknown): string {
  const { error_message: message } = (said ?? {}) as { error_message?: unknown }
  return typeof message === 'string' ? `: ${message.slice(0, LONGEST_MESSAGE)}` : ''
}

function pem(request: Buffer): string {
  const lines = request.toString('base64').match(/.{1,64}/g) ?? []
  const [begin, end] = ['BEGIN', 'END'].map((word) => `-----${word} CERTIFICATE REQUEST-----`)
  return [begin, ...lines, end, ''].join('\n')
}
