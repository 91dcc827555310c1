import { answerOfCrl, readCrl, type Crl } from './crl.js'
import { isUnchecked, type KnownCertificate } from './known-certificate.js'
import { answerOfOcsp, readOcspResponse, type OcspResponse } from './ocsp-response.js'
import { rejectStale, type RevocationAnswer, type RevocationQuestion } from './revocation-answer.js'

export type RevocationStatement = Crl | OcspResponse

/** What is known of a certificate at a time. */
export type RevocationStatus =
  | { readonly status: 'not-needed' }
  | { readonly status: 'good'; readonly answer: RevocationAnswer }
  | {
      readonly status: 'revoked'
      readonly answer: RevocationAnswer
      readonly at: Date
      readonly reason: number | null
    }
  | { readonly status: 'unknown' }

/** What can be read of them. */
export function readStatements(
  crls: readonly Buffer[],
  ocspResponses: readonly Buffer[],
): RevocationStatement[] {
  return [...crls.map(orNull(readCrl)), ...ocspResponses.map(orNull(readOcspResponse))].filter(
    (each) => each !== null,
  )
}

function orNull<T>(read: (der: Buffer) => T): (der: Buffer) => T | null {
  return (der) => {
    try {
      return read(der)
    } catch {
      return null
    }
  }
}

/** @throws {Error} saying why the statement proves nothing */
function answerOf(statement: RevocationStatement, question: RevocationQuestion): RevocationAnswer {
  return statement.kind === 'crl'
    ? answerOfCrl(statement, question)
    : answerOfOcsp(statement, question)
}

/** What it says now, to be kept for later. @throws {Error} also when it is not of now */
export function freshAnswer(
  statement: RevocationStatement,
  question: RevocationQuestion,
): RevocationAnswer {
  const answer = answerOf(statement, question)
  rejectStale(answer, question.time)
  return answer
}

/** As of when something is to be known, and of when the newest statement may be. */
export interface RevocationTimes {
  readonly time: Date
  readonly now: Date
}

/** Since when a statement is proven to be there: what is not could have been made up since. */
export interface ProofsOfExistence {
  provenSince(statement: RevocationStatement): Date
  /** Whether an authority is believed whenever it says something. */
  isAnchor(certificate: KnownCertificate): boolean
}

/** The statements there are, and how far they can be believed. */
export class RevocationRecords {
  readonly #statements: readonly RevocationStatement[]
  readonly #proofs: ProofsOfExistence

  constructor(statements: readonly RevocationStatement[], proofs: ProofsOfExistence) {
    this.#statements = statements
    this.#proofs = proofs
  }

  /** Certificates of responders, which help to build paths. */
  get certificates(): readonly KnownCertificate[] {
    return this.#statements.flatMap((each) => (each.kind === 'ocsp' ? each.certificates : []))
  }

  /**
   * What is known of `certificate` for `time`. Of several statements, one that says revoked counts; after
   * it the newest. A statement from before `time` counts while it was valid at `time`.
   * @param issuer null for an anchor
   */
  status(
    certificate: KnownCertificate,
    issuer: KnownCertificate | null,
    times: RevocationTimes,
    depth = 0,
  ): RevocationStatus {
    if (issuer === null || isUnchecked(certificate)) return { status: 'not-needed' }
    const answers = this.#answers(certificate, issuer, times, depth)
    const newest = answers.sort((one, other) => Number(other.producedAt) - Number(one.producedAt))
    const [earliest] = answers
      .flatMap((answer) => (answer.revoked ? { answer, ...answer.revoked } : []))
      .sort((one, other) => Number(one.at) - Number(other.at))
    if (earliest) return { status: 'revoked', ...earliest }
    const [answer] = newest
    return answer ? { status: 'good', answer } : { status: 'unknown' }
  }

  #answers(
    certificate: KnownCertificate,
    issuer: KnownCertificate,
    { time, now }: RevocationTimes,
    depth: number,
  ): RevocationAnswer[] {
    return this.#statements.flatMap((statement) => {
      const since = this.#proofs.provenSince(statement)
      // Keys of authorities that have ended are no longer guarded.
      if (since > issuer.notAfter && !this.#proofs.isAnchor(issuer)) return []
      try {
        const answer = answerOf(statement, { certificate, issuer, time: since })
        const counts =
          answer.thisUpdate <= now &&
          covers(answer, certificate, time) &&
          (answer.signer === issuer || this.#isGood(answer, issuer, now, depth))
        return counts ? answer : []
      } catch {
        return [] // about somebody else, or by nobody who may say it
      }
    })
  }

  /** Of a responder that nobody can be asked about, its certificate has to say so. */
  #isGood(
    { signer, producedAt: time }: RevocationAnswer,
    issuer: KnownCertificate,
    now: Date,
    depth: number,
  ): boolean {
    if (depth > 0) return isUnchecked(signer)
    const { status } = this.status(signer, issuer, { time, now }, depth + 1)
    return status === 'good' || status === 'not-needed'
  }
}

/**
 * Whether it tells about `time`: it is from later, or was still the newest then. What is from after the end of
 * the certificate may have forgotten it.
 */
function covers(
  { thisUpdate, nextUpdate, keepsExpiredSince: since }: RevocationAnswer,
  { notAfter }: KnownCertificate,
  time: Date,
): boolean {
  const remembers = thisUpdate <= notAfter || (since !== null && since <= notAfter)
  return remembers && (thisUpdate >= time || (nextUpdate !== null && time <= nextUpdate))
}
