import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Integer, OctetString } from 'asn1js'
import { AlgorithmIdentifier, MessageImprint, TimeStampReq } from 'pkijs'
import type { Fetch } from '../../conformance/exchange.js'

type Json = Record<string, unknown>

const SHA256 = '2.16.840.1.101.3.4.2.1'
const ECDSA_SHA256 = '1.2.840.10045.4.3.2'
const UNMATCHED = 'documentDigests or documents are not authorized by the SAD.'

/**
 * Signs documents and time-stamps by openssl's hand, before a service that does neither: so that the
 * requirements for `signDoc` and `timestamp` have something to be tried on.
 */
export class DocumentServer {
  readonly #authority = new TimeStampAuthority()

  /** Claims the two methods and answers them; the service answers all others. */
  before(forward: Fetch): Fetch {
    return async (url, init) => {
      if (url.endsWith('/csc/v2/info')) return withClaims(await forward(url, init))
      const { pathname } = new URL(url)
      const stamps = pathname.endsWith('/signatures/timestamp')
      if (!stamps && !pathname.endsWith('/signatures/signDoc')) return forward(url, init)
      // The service knows who may call.
      const likeInfo = url.replace(/signatures\/\w+/, 'credentials/info')
      const known = await forward(likeInfo, { ...init, body: '{}' })
      const { error } = (await known.clone().json()) as Json
      if (error !== 'invalid_request' || !hasToken(init)) return known
      const asked = JSON.parse(typeof init.body === 'string' ? init.body : '{}') as Json
      const answer = stamps ? this.#stamp(asked) : signDoc(asked)
      if (answer !== null) return answer
      return signed(await forward(url.replace('signDoc', 'signHash'), forSignHash(init, asked)))
    }
  }

  close(): void {
    this.#authority.remove()
  }

  #stamp({ hash, hashAlgo, nonce, clientData }: Json): Response {
    if (typeof hash !== 'string') return refusal(missing('hash'))
    if (hash === '') return refusal('Empty hash parameter')
    if (!isBase64(hash)) return refusal('Invalid Base64 hash string parameter')
    if (typeof hashAlgo !== 'string') return refusal(missing('hashAlgo'))
    if (hashAlgo !== SHA256) return refusal('Invalid parameter hashAlgo')
    const digest = Buffer.from(hash, 'base64')
    if (digest.length !== 32) return refusal('Invalid digest value length')
    const number = typeof nonce === 'string' ? nonce : null
    if (number !== null && !/^[0-9a-f]+$/i.test(number)) return refusal('Invalid parameter nonce')
    if (clientData !== undefined && typeof clientData !== 'string')
      return refusal('Invalid parameter clientData')
    return Response.json({ timestamp: this.#authority.token(digest, number).toString('base64') })
  }
}

async function withClaims(answer: Response): Promise<Response> {
  const info = (await answer.json()) as Json
  const methods = [...(info['methods'] as string[]), 'signatures/signDoc', 'signatures/timestamp']
  const envelopes = [['Detached', 'Attached', 'Parallel']]
  const signature_formats = { formats: ['C'], envelope_properties: envelopes }
  return Response.json({
    ...info,
    ...{ methods, signature_formats, conformance_levels: ['Ades-B-B'] },
  })
}

function hasToken({ headers }: RequestInit): boolean {
  return /^bearer \S/i.test((headers as Record<string, string>)['Authorization'] ?? '')
}

/** Null when nothing is wrong with it. */
function signDoc(asked: Json): Response | null {
  const { credentialID, documentDigests, documents, clientData, operationMode = 'S' } = asked
  if (typeof credentialID !== 'string') return refusal(missing('credentialID'))
  if (credentialID === 'nobody') return refusal('Invalid parameter credentialID')
  if (documents !== undefined && !Array.isArray(documents))
    return refusal('Invalid array parameter documents')
  if (documentDigests !== undefined && !Array.isArray(documentDigests))
    return refusal('Invalid object parameter documentDigests')
  if (documents && documentDigests)
    return refusal('Both documentDigests and documents parameters passed')
  if (!documentDigests) return refusal('Empty documentDigests and documents objects')
  if (clientData !== undefined && typeof clientData !== 'string')
    return refusal('Invalid parameter clientData')
  if (operationMode !== 'S') return refusal('Invalid parameter operationMode')
  return digestItem(documentDigests[0] as Json)
}

function digestItem(item: Json): Response | null {
  const { hashes = [], signAlgo, hashAlgorithmOID, ...form } = item
  const [hash = ''] = hashes as string[]
  if (!isBase64(hash)) return refusal('Invalid Base64 hashes string parameter')
  if (typeof signAlgo !== 'string') return refusal(missing('signAlgo'))
  if (signAlgo !== ECDSA_SHA256) return refusal('Invalid parameter signAlgo')
  if (hashAlgorithmOID !== SHA256) return refusal('Invalid parameter hashAlgorithmOID')
  if (form['signature_format'] !== 'C') return refusal('Invalid parameter signature_format')
  for (const name of ['conformance_level', 'signed_envelope_property']) {
    if (form[name] !== undefined) return refusal(`Invalid parameter ${name}`)
  }
  return Buffer.from(hash, 'base64').length === 32 ? null : refusal('Invalid digest value length')
}

function forSignHash(init: RequestInit, asked: Json): RequestInit {
  const { documentDigests, ...rest } = asked
  const [item] = documentDigests as Json[]
  const { hashes, signAlgo } = item ?? {}
  return { ...init, body: JSON.stringify({ ...rest, hashes, signAlgo }) }
}

async function signed(answer: Response): Promise<Response> {
  const { signatures } = (await answer.json()) as Json
  if (answer.status !== 200) return refusal(UNMATCHED)
  return Response.json({ SignatureObject: signatures })
}

function refusal(error_description: string): Response {
  return Response.json({ error: 'invalid_request', error_description }, { status: 400 })
}

function missing(name: string): string {
  return `Missing (or invalid type) string parameter ${name}`
}

function isBase64(text: string): boolean {
  return text !== '' && Buffer.from(text, 'base64').toString('base64') === text
}

/** `openssl ts` with a key of its own. */
class TimeStampAuthority {
  readonly #folder = mkdtempSync(join(tmpdir(), 'conformance-tsa-'))

  constructor() {
    this.#openssl(
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-keyout', 'key.pem', '-out', 'certificate.pem', '-subj', '/CN=Time-stamps'],
      ...['-addext', 'extendedKeyUsage=critical,timeStamping'],
    )
    writeFileSync(join(this.#folder, 'serial'), '01\n')
    writeFileSync(
      join(this.#folder, 'ts.conf'),
      `[tsa]\ndefault_tsa = one\n[one]\nserial = ${join(this.#folder, 'serial')}\n` +
        'default_policy = 1.2.3.4.1\ndigests = sha256\nsigner_digest = sha256\n' +
        'ess_cert_id_alg = sha256\n',
    )
  }

  /** @param nonce hexadecimal digits */
  token(digest: Buffer, nonce: string | null): Buffer {
    const request = new TimeStampReq({
      version: 1,
      messageImprint: new MessageImprint({
        hashAlgorithm: new AlgorithmIdentifier({ algorithmId: SHA256 }),
        hashedMessage: new OctetString({ valueHex: new Uint8Array(digest).buffer }),
      }),
      certReq: true,
      ...(nonce === null ? {} : { nonce: Integer.fromBigInt(`0x${nonce}`) }),
    })
    writeFileSync(join(this.#folder, 'query'), Buffer.from(request.toSchema().toBER()))
    this.#openssl(
      ...['ts', '-reply', '-config', 'ts.conf', '-queryfile', 'query', '-token_out'],
      ...['-signer', 'certificate.pem', '-inkey', 'key.pem', '-out', 'token'],
    )
    return readFileSync(join(this.#folder, 'token'))
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true })
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.#folder, stdio: 'pipe' })
  }
}
