import { randomBytes } from 'node:crypto'
import * as asn1js from 'asn1js'
import { AlgorithmIdentifier, MessageImprint, PKIStatusInfo, TimeStampReq } from 'pkijs'
import type { BoundedHttp } from '../certificates/bounded-http.js'
import type { TrustAnchors } from '../certificates/certificate-path.js'
import type { HashAlgorithm } from '../keys/algorithms.js'
import { MOST_TOKEN_BYTES } from './timestamp-token.js'
import { checkToken } from './token-checks.js'

/** An authority of somebody else. */
export interface ExternalAuthority {
  readonly url: URL
  /** Under which it is asked for tokens; null for its own choice. */
  readonly policy: string | null
  /** For HTTP Basic. */
  readonly login: { readonly user: string; readonly password: string } | null
  readonly anchors: TrustAnchors
}

export interface ClientOptions {
  readonly http: BoundedHttp
  readonly now: () => Date
  readonly toleranceSeconds: number
}

const QUERY_TYPE = 'application/timestamp-query'
const REPLY_TYPE = 'application/timestamp-reply'
const GRANTED: readonly number[] = [0, 1]
const NONCE_BYTES = 8

/**
 * Asks one authority for a token, once, and checks all of it.
 * @returns `TimeStampToken`, DER, as it came
 * @throws {Error} saying why there is none that holds
 */
export async function askAuthority(
  authority: ExternalAuthority,
  { digest, hash, nonce = newNonce() }: { digest: Buffer; hash: HashAlgorithm; nonce?: Buffer },
  { http, now, toleranceSeconds }: ClientOptions,
): Promise<Buffer> {
  const { url, policy, login, anchors } = authority
  const answer = await http(url, {
    headers: {
      ...{ 'Content-Type': QUERY_TYPE, Accept: REPLY_TYPE },
      ...(login ? { Authorization: basic(login) } : {}),
    },
    body: encodeRequest(digest, hash, nonce, policy),
    mostBytes: MOST_TOKEN_BYTES,
  })
  if (answer.status !== 200) throw new Error(`It answers with status ${answer.status}`)
  if (answer.contentType !== REPLY_TYPE) throw new Error('It answers something else')
  const token = tokenIn(answer.body)
  const time = { now: now(), toleranceSeconds }
  checkToken(token, { ...{ digest, hash, nonce, policy, anchors }, ...time })
  return token
}

function encodeRequest(
  digest: Buffer,
  hash: HashAlgorithm,
  nonce: Buffer,
  policy: string | null,
): Buffer {
  const request = new TimeStampReq({
    version: 1,
    messageImprint: new MessageImprint({
      hashAlgorithm: new AlgorithmIdentifier({
        algorithmId: hash.oid,
        algorithmParams: new asn1js.Null(),
      }),
      hashedMessage: new asn1js.OctetString({ valueHex: digest }),
    }),
    ...(policy === null ? {} : { reqPolicy: policy }),
    nonce: new asn1js.Integer({ valueHex: nonce }),
    certReq: true,
  })
  return Buffer.from(request.toSchema().toBER())
}

/** The token of a `TimeStampResp`, in its own octets. */
function tokenIn(response: Buffer): Buffer {
  const { result, offset } = asn1js.fromBER(response)
  if (offset !== response.length || !(result instanceof asn1js.Sequence)) {
    throw new Error('It answers no TimeStampResp')
  }
  const [info, token] = result.valueBlock.value
  const { status, statusStrings = [] } = new PKIStatusInfo({ schema: info })
  if (!GRANTED.includes(status)) {
    const [text] = statusStrings.map((each) => each.valueBlock.value.slice(0, 200))
    throw new Error(`It refuses with status ${status}${text ? `: ${text}` : ''}`)
  }
  if (!token) throw new Error('It answers without a token')
  return Buffer.from(token.valueBeforeDecodeView)
}

/** 62 random bits of a positive number without zeros in front. */
function newNonce(): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  nonce.writeUInt8((nonce.readUInt8(0) & 0x7f) | 0x40, 0)
  return nonce
}

function basic({ user, password }: { user: string; password: string }): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}
