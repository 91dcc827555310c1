import { readFileSync } from 'node:fs'
import { boundedHttp } from '../certificates/bounded-http.js'
import { PathCertificate } from '../certificates/path.js'
import { pemCertificates } from '../config/pem-certificates.js'
import type { Config } from '../config/schema.js'
import type { Logger } from '../observability/logger.js'
import { TimestampAuthority, type TimestampSigner } from './authority.js'
import { COMPARED_EVERY_MS, WatchedClock, type ClockState } from './clock.js'
import type { ExternalAuthority } from './client.js'
import { ExternalAuthorities } from './external-authorities.js'
import { ntpReference, ntpServer } from './ntp.js'
import type { TimestampSource } from './timestamp-source.js'

export interface Timestamping {
  /** Null when nobody gives timestamps here. */
  readonly source: TimestampSource | null
  /** Our own; null when others are asked, or nobody. */
  readonly authority: TimestampAuthority | null
  close(): void
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
}

const NTP_TIMEOUT_MS = 2_000

/** What the configuration says of timestamps. */
export function openTimestamping(
  { timestamping }: Pick<Config, 'timestamping'>,
  parts: TimestampingParts,
): Timestamping {
  switch (timestamping.source) {
    case 'none':
      return { source: null, authority: null, close: () => undefined }
    case 'external':
      return {
        source: externalAuthorities(timestamping, parts),
        authority: null,
        close: () => undefined,
      }
    case 'embedded':
      return ownAuthority(timestamping, parts)
  }
}

type Settings = Config['timestamping']

function externalAuthorities(settings: Settings, { now, elapsed, logger }: TimestampingParts) {
  // Where they are the operator has said, so they may be anywhere.
  const http = boundedHttp({ timeoutMs: settings.timeoutSeconds * 1000, isAllowed: () => true })
  return new ExternalAuthorities(settings.external.map(externalAuthority), {
    ...{ http, now, elapsed, logger },
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
    anchors: anchors.map((der) => new PathCertificate(der)),
  }
}

function ownAuthority(settings: Settings, parts: TimestampingParts): Timestamping {
  const { accuracyMilliseconds, policy, morePolicies, timeServers } = settings
  const { now, elapsed, logger, signer, onClock } = parts
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
  const authority = new TimestampAuthority({
    ...{ signer, clock, accuracyMilliseconds },
    policies: [policy, ...morePolicies],
  })
  return { source: authority, authority, close: () => clearInterval(watching) }
}
