import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import type { TimeReference } from './clock.js'

/*
 * One question to an NTP server, to compare clocks by; nothing is set by it. @see RFC 5905, 7.3 and 14
 */

const PACKET_BYTES = 48
const CLIENT = 0x23 // version 4, mode 3
const SERVER_MODE = 4
const UNSYNCHRONISED = 3
const HIGHEST_STRATUM = 15
/** Of seconds since 1900, which NTP counts, until 1970. */
const EPOCH_SECONDS = 2_208_988_800
const ERA_SECONDS = 2 ** 32
const AT = { stratum: 1, rootDelay: 4, rootDispersion: 8, originate: 24, receive: 32, transmit: 40 }

export interface NtpServer {
  readonly host: string
  readonly port: number
}

/** `host` or `host:port`. */
export function ntpServer(text: string): NtpServer {
  const [, host = text, port = '123'] = /^(.*?)(?::(\d+))?$/.exec(text) ?? []
  return { host, port: Number(port) }
}

/** A server that is asked by NTP. Its answers are not authenticated: whoever is on the way can forge them. */
export function ntpReference(
  { host, port }: NtpServer,
  options: { readonly now: () => Date; readonly timeoutMs: number },
): TimeReference {
  return {
    name: `${host}:${port}`,
    async compare() {
      const question = Buffer.alloc(PACKET_BYTES)
      question.writeUInt8(CLIENT)
      // Not the time, which is nobody's business, but something only the server that was asked can repeat.
      const cookie = randomBytes(8)
      cookie.copy(question, AT.transmit)
      const sent = options.now().getTime()
      const answer = await exchange(question, { host, port }, options.timeoutMs)
      const received = options.now().getTime()
      rejectUnfit(answer, cookie)
      const [arrived, left] = [timeAt(answer, AT.receive), timeAt(answer, AT.transmit)]
      const aheadMs = (sent - arrived + (received - left)) / 2
      const underway = Math.max(0, received - sent - (left - arrived))
      const root = shortAt(answer, AT.rootDelay) / 2 + shortAt(answer, AT.rootDispersion)
      return { aheadMs, uncertaintyMs: underway / 2 + root }
    },
  }
}

function exchange(question: Buffer, { host, port }: NtpServer, timeoutMs: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
    const timer = setTimeout(() => end(new Error('no answer in time')), timeoutMs)
    const end = (outcome: Buffer | Error) => {
      clearTimeout(timer)
      socket.close()
      if (outcome instanceof Error) reject(outcome)
      else resolve(outcome)
    }
    socket.once('error', end)
    socket.once('message', end)
    // A connected socket hears nobody else.
    socket.connect(port, host, () => socket.send(question))
  })
}

function rejectUnfit(answer: Buffer, cookie: Buffer): void {
  if (answer.length < PACKET_BYTES) throw new Error('the answer is too short')
  const [flags, stratum] = [answer.readUInt8(0), answer.readUInt8(AT.stratum)]
  if ((flags & 7) !== SERVER_MODE) throw new Error('the answer is of no server')
  if (flags >> 6 === UNSYNCHRONISED || stratum === 0 || stratum > HIGHEST_STRATUM) {
    throw new Error('the server does not know the time itself')
  }
  if (!answer.subarray(AT.originate, AT.originate + 8).equals(cookie)) {
    throw new Error('the answer is to another question')
  }
}

/** Milliseconds since 1970 of an NTP timestamp, in the era that began in 1900 or the one after. */
function timeAt(packet: Buffer, at: number): number {
  const seconds = packet.readUInt32BE(at)
  const era = seconds < ERA_SECONDS / 2 ? ERA_SECONDS : 0
  const fraction = packet.readUInt32BE(at + 4) / ERA_SECONDS
  return (seconds + era - EPOCH_SECONDS + fraction) * 1000
}

/** Milliseconds of an NTP short. */
function shortAt(packet: Buffer, at: number): number {
  return (packet.readUInt32BE(at) / 65_536) * 1000
}
