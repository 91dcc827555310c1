import { keyAndValidity } from '../certificates/certificate.js'
import {
  HsmOutcomeUnknownError,
  HsmUnavailableError,
  TimestampUnavailableError,
} from '../errors.js'
import { rejectWrongDigestLength, type HashAlgorithm } from '../keys/algorithms.js'
import type { WatchedClock } from './clock.js'
import type { TimestampRecords } from './records.js'
import { TimestampRefusal, type TimestampFailure } from './refusal.js'
import { parseTimestampRequest, type TimestampRequest } from './request.js'
import { grantedResponse, rejectedResponse } from './response.js'
import type { TimestampSource } from './timestamp-source.js'
import { TokenEncoder, TstInfoEncoder, type TokenSigner } from './token.js'

/** The key of an authority, which signs timestamps and nothing else. */
export interface TimestampSigner extends TokenSigner {
  /**
   * @param attributes the signed attributes of a token as SET OF, DER
   * @param tstInfo what they are about, DER, for a custody that looks at what it signs
   * @returns the signature: PKCS#1 octets, or a DER ECDSA-Sig-Value
   */
  sign(attributes: Buffer, tstInfo: Buffer): Promise<Buffer>
}

/** Told of every token that was asked for. */
export interface TimestampObserver {
  /** @param outcome granted, the name of a PKIFailureInfo, or failed */
  timestamped(source: 'own' | 'external', outcome: TimestampOutcome, seconds: number): void
}

export type TimestampOutcome = 'granted' | 'failed' | TimestampFailure

export interface AuthorityOptions {
  /** The key to use now: a newer one may have taken the place of the last. */
  readonly signer: () => Promise<TimestampSigner>
  readonly clock: WatchedClock
  /** Under which policies tokens are given, the default first. */
  readonly policies: readonly [string, ...string[]]
  readonly accuracyMilliseconds: number
  readonly records?: TimestampRecords
  readonly observer?: TimestampObserver
}

/** A time-stamping authority. @see RFC 3161 and RFC 5816 */
export class TimestampAuthority implements TimestampSource {
  readonly #options: AuthorityOptions
  readonly #tstInfos: TstInfoEncoder
  #desk: Desk | null = null

  constructor(options: AuthorityOptions) {
    this.#options = options
    this.#tstInfos = new TstInfoEncoder(options)
  }

  async timestamp(digest: Buffer, hash: HashAlgorithm, nonce?: Buffer): Promise<Buffer> {
    rejectWrongDigestLength(digest, hash)
    const request = { hash, digest, withNull: true, policy: null, nonce: nonce ?? null }
    try {
      return await this.#measured(() => this.#issue({ ...request, certReq: true }))
    } catch (cause) {
      throw new TimestampUnavailableError('Our authority gives no timestamp', { cause })
    }
  }

  /**
   * A `TimeStampResp` for a `TimeStampReq`, both DER; a request that is refused gets one, too.
   * @param noteFailure told when it is for what is wrong on our side
   */
  async respond(request: Buffer, noteFailure: (error: unknown) => void): Promise<Buffer> {
    try {
      const issue = async () => this.#issue(parseTimestampRequest(request))
      return grantedResponse(await this.#measured(issue))
    } catch (error) {
      if (error instanceof TimestampRefusal) return rejectedResponse(error)
      noteFailure(error)
      const known = error instanceof HsmUnavailableError || error instanceof HsmOutcomeUnknownError
      const why = known ? 'The key of the authority is not available' : 'The authority has failed'
      return rejectedResponse(new TimestampRefusal('systemFailure', why))
    }
  }

  async #measured(issue: () => Promise<Buffer>): Promise<Buffer> {
    const { observer, records } = this.#options
    const begun = performance.now()
    const end = (outcome: TimestampOutcome) =>
      observer?.timestamped('own', outcome, (performance.now() - begun) / 1000)
    try {
      const token = await issue()
      end('granted')
      return token
    } catch (error) {
      const failure = error instanceof TimestampRefusal ? error.failure : null
      end(failure ?? 'failed')
      records?.refused(failure ?? 'systemFailure')
      throw error
    }
  }

  async #issue(request: TimestampRequest): Promise<Buffer> {
    const { clock } = this.#options
    const policy = this.#policyFor(request)
    const { signer, tokens, validity } = this.#deskOf(await this.#options.signer())
    const time = clock.read()
    rejectOutside(validity, time)
    const tstInfo = this.#tstInfos.encode({ ...request, policy, time })
    const signature = await signer.sign(tokens.signedAttributes(tstInfo), tstInfo)
    // The clock may have been found wrong while the key was waited for.
    clock.read()
    await this.#options.records?.given(tstInfo)
    return tokens.encode({ tstInfo, signature, withCertificates: request.certReq })
  }

  #deskOf(signer: TimestampSigner): Desk {
    const desk = this.#desk
    if (desk?.signer.certificate.equals(signer.certificate)) return { ...desk, signer }
    const validity = keyAndValidity(signer.certificate)
    this.#desk = { signer, validity, tokens: new TokenEncoder(signer) }
    return this.#desk
  }

  #policyFor({ policy }: TimestampRequest): string {
    const { policies } = this.#options
    if (policy === null) return policies[0]
    if (policies.includes(policy)) return policy
    throw new TimestampRefusal('unacceptedPolicy', 'The policy is none of this authority')
  }
}

/** A key, and what is made for it once. */
interface Desk {
  readonly signer: TimestampSigner
  readonly tokens: TokenEncoder
  readonly validity: Validity
}

interface Validity {
  readonly notBefore: Date
  readonly notAfter: Date
}

function rejectOutside({ notBefore, notAfter }: Validity, time: Date): void {
  if (time >= notBefore && time <= notAfter) return
  throw new TimestampRefusal('systemFailure', 'The certificate of the authority is not valid now')
}
