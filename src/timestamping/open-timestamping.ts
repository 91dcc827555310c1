import { readFileSync } from 'node:fs'
import { boundedHttp } from '../certificates/bounded-http.js'
import { TrustAnchors } from '../certificates/certificate-path.js'
import { knownCertificate } from '../certificates/known-certificate.js'
import { pemCertificates } from '../config/pem-certificates.js'
import type { Config } from '../config/schema.js'
import type { Logger } from '../observability/logger.js'
import type { AuditEvent } from '../audit/events.js'
import { TimestampAuthority, type TimestampObserver, type TimestampSigner } from './authority.js'
import { COMPARED_EVERY_MS, WatchedClock, type ClockState } from './clock.js'
import type { ExternalAuthority } from './client.js'
import { ExternalAuthorities } from './external-authorities.js'
import { ntpReference, ntpServer } from './ntp.js'
import { AuditedTimestamps } from './records.js'
import type { TimestampSource } from './timestamp-source.js'

export interface Timestamping {
  /** Null when nobody gives timestamps here. */
  readonly source: TimestampSource | null
  /** Our own; null when others are asked, or nobody. */
  readonly authority: TimestampAuthority | null
  /** Whether our own authority is sure of its clock; null when there is none. */
  isClockSure(): boolean | null
  /** Puts on record what is not there yet. */
  close(): Promise<void>
}

export interface TimestampingParts {
  readonly now: () => Date
  /** Milliseconds since any fixed moment, whatever is done to the clock. */
  readonly elapsed: () => number
  readonly logger: Logger
  /** The key of our own authority, as it is now. */
  readonly signer: () => Promise<TimestampSigner>
  /** Told when our own authority stops because of its clock, and when it goes on. */
  readonly onClock: (state: ClockState) => void
  /** To the audit log. */
  readonly append: (event: AuditEvent) => Promise<unknown>
  readonly observer: TimestampObserver
}

const NTP_TIMEOUT_MS = 2_000

/** What the configuration says of timestamps. */
export function openTimestamping(
  { timestamping }: Pick<Config, 'timestamping'>,
  parts: TimestampingParts,
): Timestamping {
  switch (timestamping.source) {
    case 'none':
      return { source: null, authority: null, ...NOTHING }
    case 'external':
      return {
        source: externalAuthorities(timestamping, parts),
        authority: null,
        ...NOTHING,
      }
    case 'embedded':
      return ownAuthority(timestamping, parts)
  }
}

const NOTHING = { isClockSure: () => null, close: () => Promise.resolve() }

/** So long counts are held back. */
const COUNTED_EVERY_MS = 60_000

type Settings = Config['timestamping']

function externalAuthorities(settings: Settings, parts: TimestampingParts) {
  const { now, elapsed, logger, observer } = parts
  // Where they are the operator has said, so they may be anywhere.
  const http = boundedHttp({ timeoutMs: settings.timeoutSeconds * 1000, isAllowed: () => true })
  return new ExternalAuthorities(settings.external.map(externalAuthority), {
    ...{ http, now, elapsed, logger, observer },
    toleranceSeconds: settings.toleranceSeconds,
  })
}

function externalAuthority(settings: Settings['external'][number]): ExternalAuthority {
  const { url, policy = null, user, passwordFile, anchorsFile } = settings
  const anchors = pemCertificates(readFileSync(anchorsFile, 'utf8'))
  const isNamed = user !== undefined && passwordFile !== undefined
  return {
    ...{ url: new URL(url), policy },
    login: isNamed ? { user, password: readFileSync(passwordFile, 'utf8').trim() } : null,
    anchors: new TrustAnchors(anchors.map(knownCertificate)),
  }
}

function ownAuthority(settings: Settings, parts: TimestampingParts): Timestamping {
  const { accuracyMilliseconds, policy, morePolicies, timeServers } = settings
  const { now, elapsed, logger, signer, onClock, append, observer } = parts
  const clock = new WatchedClock({
    ...{ now, elapsed, accuracyMilliseconds },
    references: timeServers.map((text) =>
      ntpReference(ntpServer(text), { now, timeoutMs: NTP_TIMEOUT_MS }),
    ),
    onChange(state) {
      if (state.sure) logger.warn('the clock is right again: timestamps are given')
      else logger.error({ alarm: 'clock', why: state.why }, 'no timestamps are given')
      onClock(state)
    },
  })
  const compare = () => void clock.compare()
  const watching = setInterval(compare, COMPARED_EVERY_MS)
  watching.unref()
  compare()
  const records = new AuditedTimestamps({ each: settings.records === 'each', append, now })
  const flush = () =>
    records.flush().catch((error: unknown) => {
      logger.error({ err: error }, 'what was timestamped is not on record yet')
    })
  const counting = setInterval(() => void flush(), COUNTED_EVERY_MS)
  counting.unref()
  const authority = new TimestampAuthority({
    ...{ signer, clock, accuracyMilliseconds, records, observer },
    policies: [policy, ...morePolicies],
  })
  return {
    ...{ source: authority, authority },
    isClockSure: () => clock.state.sure,
    async close() {
      clearInterval(watching)
      clearInterval(counting)
      await flush()
    },
  }
}
